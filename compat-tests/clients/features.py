"""What buckets and objects are told besides bytes: tags, locks, access, encryption, rules."""

import datetime
import hashlib
import json
import sys
import urllib.error
import urllib.request

from common import client, data, refused, same

BUCKET = sys.argv[1]
S3 = client()


def fetch(url):
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


# Tags.
S3.put_object(Bucket=BUCKET, Key="tagged", Body=b"x", Tagging="a=1&b=2")
same(S3.get_object(Bucket=BUCKET, Key="tagged")["TagCount"], 2, "tag count")
tags = [{"Key": "c", "Value": "3"}]
S3.put_object_tagging(Bucket=BUCKET, Key="tagged", Tagging={"TagSet": tags})
same(S3.get_object_tagging(Bucket=BUCKET, Key="tagged")["TagSet"], tags, "tags")
S3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": tags})
same(S3.get_bucket_tagging(Bucket=BUCKET)["TagSet"], tags, "tags of the bucket")
told = S3.get_object_attributes(Bucket=BUCKET, Key="tagged", ObjectAttributes=["ETag", "ObjectSize"])
same((told["ETag"], told["ObjectSize"]), (hashlib.md5(b"x").hexdigest(), 1), "attributes")

# Access.
url = f"{S3.meta.endpoint_url}/{BUCKET}/tagged"
same(fetch(url), 403, "a stranger's read")
S3.put_object_acl(Bucket=BUCKET, Key="tagged", ACL="public-read")
same(fetch(url), 200, "a public read")
S3.put_object_acl(Bucket=BUCKET, Key="tagged", ACL="private")
statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
S3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
same(fetch(url), 200, "a read that the policy allows")
same(S3.get_bucket_policy_status(Bucket=BUCKET)["PolicyStatus"]["IsPublic"], True, "policy status")
S3.delete_bucket_policy(Bucket=BUCKET)
same(fetch(url), 403, "a read after the policy is gone")

# A customer's key, and named ways to encrypt.
body, key = data(1, 3_000_000), bytes(range(32))
customer = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}
S3.put_object(Bucket=BUCKET, Key="mine", Body=body, **customer)
same(S3.get_object(Bucket=BUCKET, Key="mine", **customer)["Body"].read(), body, "with the key")
refused("InvalidRequest", S3.get_object, Bucket=BUCKET, Key="mine")
other = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": bytes(32)}
refused("InvalidArgument", S3.get_object, Bucket=BUCKET, Key="mine", **other)
source = {"CopySource": {"Bucket": BUCKET, "Key": "mine"}, "CopySourceSSECustomerAlgorithm": "AES256", "CopySourceSSECustomerKey": key}
S3.copy_object(Bucket=BUCKET, Key="open", **source)
same(S3.get_object(Bucket=BUCKET, Key="open")["Body"].read(), body, "a copy without the key")
same(S3.put_object(Bucket=BUCKET, Key="s3", Body=b"x", ServerSideEncryption="AES256")["ServerSideEncryption"], "AES256", "SSE-S3")

# Locks.
locked = BUCKET + "-locked"
S3.create_bucket(Bucket=locked, ObjectLockEnabledForBucket=True)
until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
put = S3.put_object(Bucket=locked, Key="kept", Body=b"x", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until)
version = {"Bucket": locked, "Key": "kept", "VersionId": put["VersionId"]}
refused("AccessDenied", S3.delete_object, **version)
S3.put_object_legal_hold(**version, LegalHold={"Status": "ON"})
refused("AccessDenied", S3.delete_object, **version, BypassGovernanceRetention=True)
S3.put_object_legal_hold(**version, LegalHold={"Status": "OFF"})
S3.delete_object(**version, BypassGovernanceRetention=True)
S3.delete_bucket(Bucket=locked)

# Rules.
rules = [{"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "old/"}, "Expiration": {"Days": 3}}]
S3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": rules})
same(S3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"], rules, "lifecycle rules")
same('rule-id="old"' in S3.put_object(Bucket=BUCKET, Key="old/x", Body=b"x")["Expiration"], True, "expiration")
cors = [{"AllowedMethods": ["GET"], "AllowedOrigins": ["https://example.org"]}]
S3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": cors})
same(S3.get_bucket_cors(Bucket=BUCKET)["CORSRules"], cors, "CORS rules")

# A form, as a browser sends it.
form = S3.generate_presigned_post(Bucket=BUCKET, Key="form/${filename}", ExpiresIn=60)
lines = [f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in form["fields"].items()]
lines.append('--b\r\nContent-Disposition: form-data; name="file"; filename="photo"\r\n\r\npixels\r\n--b--\r\n')
headers = {"content-type": "multipart/form-data; boundary=b"}
request = urllib.request.Request(form["url"], data="".join(lines).encode(), method="POST", headers=headers)
with urllib.request.urlopen(request, timeout=60) as answer:
    same(answer.status, 204, "a form")
same(S3.get_object(Bucket=BUCKET, Key="form/photo")["Body"].read(), b"pixels", "what the form stored")
