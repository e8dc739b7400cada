"""Multipart uploads, by hand and through the transfer manager."""

import hashlib
import io
import sys

from boto3.s3.transfer import TransferConfig
from common import MIB, NAMES, client, data, digest, refused, same

BUCKET = sys.argv[1]
S3 = client()


def transfers():
    for seed, (name, size) in enumerate(zip(NAMES, (100 * MIB, 20 * MIB + 1, 8 * MIB, 8 * MIB - 1, 17))):
        body, key = data(seed, size), f"transfer/{name}"
        S3.upload_fileobj(io.BytesIO(body), BUCKET, key, Config=TransferConfig(max_concurrency=4))
        back = io.BytesIO()
        S3.download_fileobj(BUCKET, key, back, Config=TransferConfig(max_concurrency=4))
        same(digest(back.getvalue()), digest(body), key)


def by_hand():
    key, bodies = "by hand +%", [data(1, 5 * MIB), data(2, 6 * MIB + 3), data(3, 11)]
    upload = S3.create_multipart_upload(Bucket=BUCKET, Key=key, Metadata={"a": "b"}, ContentType="x/y")["UploadId"]
    where = {"Bucket": BUCKET, "Key": key, "UploadId": upload}
    numbers = [1, 7, 10_000]
    S3.upload_part(PartNumber=7, Body=b"replaced later", **where)
    parts = [
        {"PartNumber": number, "ETag": S3.upload_part(PartNumber=number, Body=body, **where)["ETag"]}
        for number, body in zip(numbers, bodies)
    ]
    refused("NoSuchKey", S3.get_object, Bucket=BUCKET, Key=key)
    refused("InvalidArgument", S3.upload_part, PartNumber=10_001, Body=b"", **where)
    listed = [part for page in S3.get_paginator("list_parts").paginate(PaginationConfig={"PageSize": 2}, **where) for part in page["Parts"]]
    same([(part["PartNumber"], part["Size"]) for part in listed], [(n, len(b)) for n, b in zip(numbers, bodies)], "parts")
    assert upload in [item["UploadId"] for item in S3.list_multipart_uploads(Bucket=BUCKET)["Uploads"]]
    wrong = [dict(parts[0], ETag='"00"')] + parts[1:]
    refused("InvalidPart", S3.complete_multipart_upload, MultipartUpload={"Parts": wrong}, **where)
    refused("InvalidPartOrder", S3.complete_multipart_upload, MultipartUpload={"Parts": parts[::-1]}, **where)
    done = S3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **where)
    md5s = b"".join(hashlib.md5(body).digest() for body in bodies)
    same(done["ETag"], f'"{hashlib.md5(md5s).hexdigest()}-3"', "ETag")
    got = S3.get_object(Bucket=BUCKET, Key=key)
    whole = b"".join(bodies)
    same(digest(got["Body"].read()), digest(whole), key)
    same((got["Metadata"], got["ContentType"]), ({"a": "b"}, "x/y"), "metadata")
    edge = 5 * MIB
    got = S3.get_object(Bucket=BUCKET, Key=key, Range=f"bytes={edge - 5}-{edge + 5}")["Body"].read()
    same(got, whole[edge - 5 : edge + 6], "a range over two parts")
    refused("NoSuchUpload", S3.list_parts, Bucket=BUCKET, Key=key, UploadId="0" * 32)


def too_small():
    where = {"Bucket": BUCKET, "Key": "small parts"}
    where["UploadId"] = S3.create_multipart_upload(**where)["UploadId"]
    parts = [{"PartNumber": n, "ETag": S3.upload_part(PartNumber=n, Body=b"small", **where)["ETag"]} for n in (1, 2)]
    refused("EntityTooSmall", S3.complete_multipart_upload, MultipartUpload={"Parts": parts}, **where)
    S3.abort_multipart_upload(**where)
    refused("NoSuchUpload", S3.upload_part, PartNumber=1, Body=b"", **where)


def copied_parts():
    source = data(9, 12 * MIB)
    S3.put_object(Bucket=BUCKET, Key="copy source", Body=source)
    where = {"Bucket": BUCKET, "Key": "copied"}
    where["UploadId"] = S3.create_multipart_upload(**where)["UploadId"]
    parts = []
    for number, (first, last) in enumerate([(0, 6 * MIB - 1), (6 * MIB, 12 * MIB - 1), (100, 200)], 1):
        copied = S3.upload_part_copy(
            PartNumber=number, CopySource={"Bucket": BUCKET, "Key": "copy source"}, CopySourceRange=f"bytes={first}-{last}", **where
        )
        parts.append({"PartNumber": number, "ETag": copied["CopyPartResult"]["ETag"]})
    S3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **where)
    S3.delete_object(Bucket=BUCKET, Key="copy source")
    same(digest(S3.get_object(Bucket=BUCKET, Key="copied")["Body"].read()), digest(source + source[100:201]), "copied parts")
    S3.copy_object(Bucket=BUCKET, Key="copied again", CopySource={"Bucket": BUCKET, "Key": "copied"})
    S3.delete_object(Bucket=BUCKET, Key="copied")
    same(digest(S3.get_object(Bucket=BUCKET, Key="copied again")["Body"].read()), digest(source + source[100:201]), "a copy outlives its source")


for test in (transfers, by_hand, too_small, copied_parts):
    test()
    print(test.__name__, "ok")
