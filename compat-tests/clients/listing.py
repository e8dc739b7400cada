"""Paginators over more keys than one page holds, in exact order."""

import sys
from concurrent.futures import ThreadPoolExecutor

from common import client, same

BUCKET = sys.argv[1]
S3 = client()
KEYS = sorted(
    [f"many/{number:04}" for number in range(1010)]
    + [f"dirs/{folder}/{name}" for folder in ("a", "a b", "a+b", "ä", "b") for name in ("1", "2", "%31")]
    + ["dirs/a", "dirs/a!", "dirs/b/", "ends-in-slash/", "z\u007f", "\U0001f600", "\ufffd"],
    key=lambda key: key.encode(),
)

with ThreadPoolExecutor(8) as pool:
    list(pool.map(lambda key: S3.put_object(Bucket=BUCKET, Key=key, Body=key.encode()), KEYS))


def listed(operation, **words):
    keys, prefixes, pages = [], [], 0
    for page in S3.get_paginator(operation).paginate(Bucket=BUCKET, **words):
        keys += [item["Key"] for item in page.get("Contents", [])]
        prefixes += [item["Prefix"] for item in page.get("CommonPrefixes", [])]
        pages += 1
    return keys, prefixes, pages


for operation in ("list_objects", "list_objects_v2"):
    keys, _, pages = listed(operation)
    same(keys, KEYS, operation)
    same(pages, 2, f"pages of {operation}")
    same(listed(operation, Prefix="many/", PaginationConfig={"PageSize": 97})[0], [key for key in KEYS if key.startswith("many/")], "small pages")
    keys, prefixes, _ = listed(operation, Delimiter="/", PaginationConfig={"PageSize": 2})
    same(keys, [key for key in KEYS if "/" not in key], "top level keys")
    same(prefixes, ["dirs/", "ends-in-slash/", "many/"], "top level prefixes")
    keys, prefixes, _ = listed(operation, Prefix="dirs/", Delimiter="/", PaginationConfig={"PageSize": 1})
    same(keys, ["dirs/a", "dirs/a!"], "keys under dirs/")
    same(prefixes, ["dirs/a b/", "dirs/a+b/", "dirs/a/", "dirs/b/", "dirs/ä/"], "prefixes under dirs/")

keys = [item["Key"] for item in S3.list_objects_v2(Bucket=BUCKET, StartAfter="many/1000", Prefix="many/")["Contents"]]
same(keys, [f"many/{number}" for number in range(1001, 1010)], "start-after")
same(S3.list_objects_v2(Bucket=BUCKET, Prefix="none/")["KeyCount"], 0, "an empty page")
print("listing ok")
