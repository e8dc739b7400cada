"""MinIO's SDK for Python."""

import io
import os
import sys

from minio import Minio
from minio.commonconfig import CopySource, Tags
from minio.versioningconfig import ENABLED, VersioningConfig

from common import MIB, data, same

BUCKET = sys.argv[1]
HOST = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
S3 = Minio(HOST, os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], region=os.environ["AWS_REGION"], secure=False)

same(S3.bucket_exists(BUCKET), True, "bucket_exists")
same(S3.bucket_exists(BUCKET + "-none"), False, "bucket_exists of another")
for seed, size in enumerate((0, 1, 4096, 5 * MIB + 1)):
    key, body = f"some/{size} bytes", data(seed, size)
    S3.put_object(BUCKET, key, io.BytesIO(body), size, metadata={"colour": "blue"})
    answer = S3.get_object(BUCKET, key)
    same(answer.read(), body, key)
    answer.close()
    answer.release_conn()
    same(S3.stat_object(BUCKET, key).metadata["x-amz-meta-colour"], "blue", f"metadata of {key}")
body = data(9, 11 * MIB)
S3.put_object(BUCKET, "parts", io.BytesIO(body), -1, part_size=5 * MIB)
answer = S3.get_object(BUCKET, "parts", offset=5 * MIB - 3, length=10)
same(answer.read(), body[5 * MIB - 3 : 5 * MIB + 7], "a range across parts")
answer.close()
answer.release_conn()
S3.copy_object(BUCKET, "copy", CopySource(BUCKET, "parts"))
same(S3.stat_object(BUCKET, "copy").size, len(body), "a copy")
tags = Tags.new_object_tags()
tags["kind"] = "test"
S3.set_object_tags(BUCKET, "copy", tags)
same(dict(S3.get_object_tags(BUCKET, "copy")), {"kind": "test"}, "tags")
S3.set_bucket_versioning(BUCKET, VersioningConfig(ENABLED))
S3.put_object(BUCKET, "copy", io.BytesIO(b"new"), 3)
listed = [(one.object_name, one.is_latest) for one in S3.list_objects(BUCKET, prefix="copy", include_version=True)]
same(listed, [("copy", "true"), ("copy", "false")], "versions")
same(len(list(S3.list_objects(BUCKET, recursive=True))), 6, "a listing")
