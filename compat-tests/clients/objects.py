"""Objects of every size and name, whole and in ranges, with their headers, checksums, conditions and errors."""

import sys

from common import MIB, NAMES, SIZES, client, data, digest, refused, same

BUCKET = sys.argv[1]
S3 = client()


def sizes_and_names():
    for seed, size in enumerate(SIZES):
        body, key = data(seed, size), f"sizes/{size}"
        put = S3.put_object(Bucket=BUCKET, Key=key, Body=body)
        got = S3.get_object(Bucket=BUCKET, Key=key)
        same(digest(got["Body"].read()), digest(body), key)
        same(got["ContentLength"], size, f"length of {key}")
        same(got["ETag"], put["ETag"], f"ETag of {key}")
        same(S3.head_object(Bucket=BUCKET, Key=key)["ContentLength"], size, f"HEAD of {key}")
    for seed, name in enumerate(NAMES):
        body = b"" if name.endswith("/") else data(seed, 999)
        S3.put_object(Bucket=BUCKET, Key=f"names/{name}", Body=body)
    listed = [item["Key"] for item in S3.list_objects_v2(Bucket=BUCKET, Prefix="names/")["Contents"]]
    same(listed, sorted((f"names/{name}" for name in NAMES), key=lambda key: key.encode()), "names listed")
    for seed, name in enumerate(NAMES):
        body = b"" if name.endswith("/") else data(seed, 999)
        same(S3.get_object(Bucket=BUCKET, Key=f"names/{name}")["Body"].read(), body, name)


def ranges():
    for size in (4096, 100_000, 9 * MIB + 5):
        body, key = data(77, size), f"ranges/{size}"
        S3.put_object(Bucket=BUCKET, Key=key, Body=body)
        wanted = [(0, 0), (0, 99), (size - 1, size - 1), (size // 2, size // 2 + 70_000), (size - 10, size + 500), (1, size - 2)]
        wanted += [(edge - 1, edge) for edge in (65_536, MIB, 4 * MIB, 8 * MIB) if edge < size]
        for first, last in wanted:
            got = S3.get_object(Bucket=BUCKET, Key=key, Range=f"bytes={first}-{last}")
            same(digest(got["Body"].read()), digest(body[first : last + 1]), f"{key} {first}-{last}")
            same(got["ContentRange"], f"bytes {first}-{min(last, size - 1)}/{size}", f"{key} {first}-{last}")
        same(S3.get_object(Bucket=BUCKET, Key=key, Range="bytes=-7")["Body"].read(), body[-7:], f"{key} suffix")
        same(digest(S3.get_object(Bucket=BUCKET, Key=key, Range=f"bytes={size - 9}-")["Body"].read()), digest(body[-9:]), "open end")
        refused("InvalidRange", S3.get_object, Bucket=BUCKET, Key=key, Range=f"bytes={size}-")


def headers_and_metadata():
    said = {
        "ContentType": "text/x-nodio",
        "CacheControl": "max-age=3",
        "ContentDisposition": 'attachment; filename="a b"',
        "ContentEncoding": "identity",
        "ContentLanguage": "de",
        "Metadata": {"colour": "blue", "with-dash": "a, b; c"},
    }
    S3.put_object(Bucket=BUCKET, Key="headers", Body=b"x", **said)
    for got in (S3.head_object(Bucket=BUCKET, Key="headers"), S3.get_object(Bucket=BUCKET, Key="headers")):
        for name, value in said.items():
            same(got[name], value, name)
    got = S3.get_object(Bucket=BUCKET, Key="headers", ResponseContentType="a/b", ResponseCacheControl="no-store")
    same((got["ContentType"], got["CacheControl"]), ("a/b", "no-store"), "response overrides")
    S3.copy_object(Bucket=BUCKET, Key="headers-copy", CopySource={"Bucket": BUCKET, "Key": "headers"})
    same(S3.head_object(Bucket=BUCKET, Key="headers-copy")["Metadata"], said["Metadata"], "copied metadata")
    replaced = {"MetadataDirective": "REPLACE", "Metadata": {"new": "1"}, "ContentType": "x/y"}
    S3.copy_object(Bucket=BUCKET, Key="headers-copy", CopySource={"Bucket": BUCKET, "Key": "headers"}, **replaced)
    got = S3.head_object(Bucket=BUCKET, Key="headers-copy")
    same((got["Metadata"], got["ContentType"]), ({"new": "1"}, "x/y"), "replaced metadata")


def checksums():
    body = data(5, 300_000)
    for kind in ("CRC32", "SHA1", "SHA256"):
        field = f"Checksum{kind}"
        put = S3.put_object(Bucket=BUCKET, Key=f"sum/{kind}", Body=body, ChecksumAlgorithm=kind)
        head = S3.head_object(Bucket=BUCKET, Key=f"sum/{kind}", ChecksumMode="ENABLED")
        same(head[field], put[field], kind)
        got = S3.get_object(Bucket=BUCKET, Key=f"sum/{kind}", ChecksumMode="ENABLED")
        same(digest(got["Body"].read()), digest(body), kind)
    refused("BadDigest", S3.put_object, Bucket=BUCKET, Key="sum/bad", Body=b"x", ChecksumSHA256="A" * 43 + "=")
    refused("BadDigest", S3.put_object, Bucket=BUCKET, Key="sum/bad", Body=b"x", ContentMD5="A" * 22 + "==")
    refused("404", S3.head_object, Bucket=BUCKET, Key="sum/bad")


def conditions():
    etag = S3.put_object(Bucket=BUCKET, Key="if", Body=b"1", IfNoneMatch="*")["ETag"]
    refused("PreconditionFailed", S3.put_object, Bucket=BUCKET, Key="if", Body=b"2", IfNoneMatch="*")
    refused("PreconditionFailed", S3.put_object, Bucket=BUCKET, Key="if", Body=b"2", IfMatch='"0123"')
    S3.put_object(Bucket=BUCKET, Key="if", Body=b"2", IfMatch=etag)
    same(S3.get_object(Bucket=BUCKET, Key="if")["Body"].read(), b"2", "If-Match put")
    etag = S3.head_object(Bucket=BUCKET, Key="if")["ETag"]
    refused("304", S3.get_object, Bucket=BUCKET, Key="if", IfNoneMatch=etag)
    refused("PreconditionFailed", S3.get_object, Bucket=BUCKET, Key="if", IfMatch='"0123"')


def errors():
    refused("NoSuchKey", S3.get_object, Bucket=BUCKET, Key="never")
    refused("NoSuchBucket", S3.get_object, Bucket="never-" + BUCKET, Key="x")
    refused("NoSuchBucket", S3.list_objects_v2, Bucket="never-" + BUCKET)
    refused("BucketNotEmpty", S3.delete_bucket, Bucket=BUCKET)
    refused("KeyTooLongError", S3.put_object, Bucket=BUCKET, Key="k" * 1025, Body=b"")
    S3.create_bucket(Bucket=BUCKET + "-2")
    assert BUCKET + "-2" in [bucket["Name"] for bucket in S3.list_buckets()["Buckets"]]
    S3.delete_bucket(Bucket=BUCKET + "-2")
    refused("404", S3.head_bucket, Bucket=BUCKET + "-2")


def one_connection():
    """The SDK waits for `100 Continue` and mixes answers up unless a connection on which none came is closed."""
    single = client(max_pool_connections=1)
    for _ in range(3):
        single.put_object(Bucket=BUCKET, Key="turn/empty", Body=b"")
        single.put_object(Bucket=BUCKET, Key="turn/full", Body=b"x" * 100_000)
        refused("NoSuchBucket", single.put_object, Bucket="never-" + BUCKET, Key="x", Body=b"y" * 100_000)
        refused("NoSuchBucket", single.put_object, Bucket="never-" + BUCKET, Key="x", Body=b"")
    same(single.get_object(Bucket=BUCKET, Key="turn/full")["ContentLength"], 100_000, "after many turns")


def deletes():
    S3.delete_object(Bucket=BUCKET, Key="never")
    keys = [f"del/{number}" for number in range(20)]
    for key in keys:
        S3.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
    answer = S3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in keys[:19] + ["never"]]})
    same(sorted(item["Key"] for item in answer["Deleted"]), sorted(keys[:19] + ["never"]), "deleted")
    left = S3.list_objects_v2(Bucket=BUCKET, Prefix="del/")["Contents"]
    same([item["Key"] for item in left], keys[19:], "left after delete_objects")


for test in (sizes_and_names, ranges, headers_and_metadata, checksums, conditions, errors, one_connection, deletes):
    test()
    print(test.__name__, "ok")
