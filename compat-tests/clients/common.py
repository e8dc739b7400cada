"""What the scripts share: a client without retries, seeded data, plain assertions."""

import hashlib
import random

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

MIB = 1 << 20
SIZES = [0, 1, 4096, MIB + 1, 100 * MIB]
NAMES = ["plain.bin", "with a space.bin", "ünïcödé-日本-😀.bin", "plus+and&=#.bin", "percent%41%20%2F.bin", "deep//er/./x", "folder/"]


def client(**settings):
    """An S3 client that shows every error instead of trying again. Endpoint, region and key come from the environment."""
    usual = {
        "retries": {"total_max_attempts": 1},
        "read_timeout": 20,
        "max_pool_connections": 16,
        "signature_version": "s3v4",
        "s3": {"addressing_style": "path"},
    }
    return boto3.client("s3", config=Config(**{**usual, **settings}))


def data(seed, size):
    """The same bytes for the same seed."""
    return random.Random(seed).randbytes(size)


def digest(content):
    return hashlib.sha256(content).hexdigest()


def same(got, want, what):
    """Compares big things without printing them."""
    if got != want:
        shown = (got, want) if len(repr(got)) + len(repr(want)) < 2000 else (f"{len(got)} long", f"{len(want)} long")
        raise AssertionError(f"{what}: got {shown[0]}, want {shown[1]}")


def said(call, words):
    return f"{call.__name__} {repr(words):.300}"


def refused(code, call, **words):
    """The call must fail with this S3 error code."""
    try:
        call(**words)
    except ClientError as error:
        got = error.response["Error"]["Code"]
        if got != code:
            raise AssertionError(f"{said(call, words)}: {got} instead of {code}") from error
        return error.response
    raise AssertionError(f"{said(call, words)}: succeeded, should be {code}")
