"""Presigned URLs, used without any SDK."""

import sys
import urllib.error
import urllib.request

from common import MIB, NAMES, client, data, digest, same

BUCKET = sys.argv[1]
S3 = client()


def fetch(url, method="GET", body=None, headers=None):
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


for seed, (name, size) in enumerate(zip(NAMES, (0, 1, 4096, MIB + 1, 9 * MIB, 100, 0))):
    key, body = f"presigned/{name}", data(seed, size)
    where = {"Bucket": BUCKET, "Key": key}
    put = S3.generate_presigned_url("put_object", Params=where, ExpiresIn=60)
    same(fetch(put, "PUT", body)[0], 200, f"PUT {key}")
    get = S3.generate_presigned_url("get_object", Params=where, ExpiresIn=60)
    status, got = fetch(get)
    same((status, digest(got)), (200, digest(body)), f"GET {key}")
    same(fetch(get, "PUT", b"not mine")[0], 403, f"a GET url used for PUT, {key}")
    head = S3.generate_presigned_url("head_object", Params=where, ExpiresIn=60)
    same(fetch(head, "HEAD")[0], 200, f"HEAD {key}")

url = S3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "presigned/plain.bin", "ResponseContentType": "a/b"})
assert url.rpartition("&")[2].startswith("X-Amz-Signature="), url
with urllib.request.urlopen(url, timeout=60) as answer:
    same(answer.headers["content-type"], "a/b", "response-content-type")
forged = url[:-1] + ("0" if url[-1] != "0" else "1")
status, text = fetch(forged)
same((status, b"SignatureDoesNotMatch" in text), (403, True), "a forged signature")
status, text = fetch(S3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "x"}, ExpiresIn=8 * 86_400))
same(status >= 400, True, "an URL for more than seven days")
print("presigned ok")
