// The AWS SDK for JavaScript, with the checksums it makes and checks unless told otherwise.

import assert from "node:assert/strict";
import { createCipheriv, createHash } from "node:crypto";
import { createRequire } from "node:module";
import { Readable } from "node:stream";

// The packages lie where NODE_PATH says, which `import` doesn't look at.
const require = createRequire(import.meta.url);
const { S3, GetObjectCommand, PutObjectCommand, paginateListObjectsV2 } = require("@aws-sdk/client-s3");
const { Upload } = require("@aws-sdk/lib-storage");
const { getSignedUrl } = require("@aws-sdk/s3-request-presigner");

const MIB = 1 << 20;
const NAMES = ["plain.bin", "with a space.bin", "ünïcödé-日本-😀.bin", "plus+and&=#.bin", "percent%41%20%2F.bin"];
const SIZES = [0, 1, 4096, 70_000, 3_000_000];
const Bucket = process.argv[2];
const s3 = new S3({ endpoint: process.env.AWS_ENDPOINT_URL, forcePathStyle: true, maxAttempts: 1 });

/** The same bytes for the same seed. */
const data = (seed, size) => createCipheriv("aes-128-ctr", Buffer.alloc(16, seed), Buffer.alloc(16)).update(Buffer.alloc(size));
const digest = (bytes) => createHash("sha256").update(bytes).digest("hex");
const same = (got, want, what) => assert.equal(digest(got), digest(want), `${what}: ${got.length} bytes of ${want.length}, or others`);

/** `bytes` as a stream, in pieces that no boundary of the protocol falls on. */
function* pieces(bytes) {
  for (let at = 0; at < bytes.length; at += 50_021) yield bytes.subarray(at, at + 50_021);
}
const stream = (bytes) => Readable.from(pieces(bytes), { objectMode: false });

async function read(Key, more = {}) {
  const got = await s3.getObject({ Bucket, Key, ...more });
  return Buffer.from(await got.Body.transformToByteArray());
}

/** The call must fail with this name and status. */
const refused = (name, status, call) => assert.rejects(call, (error) => {
  assert.deepEqual([error.name, error.$metadata.httpStatusCode], [name, status]);
  return true;
});

async function objects() {
  const Metadata = { colour: "blue", "with-dash": "a, b; c +%41" };
  for (const [seed, size] of SIZES.entries()) {
    const body = data(seed, size);
    const Key = `objects/${NAMES[seed]}`;
    const put = await s3.putObject({ Bucket, Key, Body: body, Metadata, ContentType: "x/y" });
    const got = await s3.getObject({ Bucket, Key });
    same(await got.Body.transformToByteArray(), body, Key);
    assert.deepEqual([got.Metadata, got.ContentType, got.ETag], [Metadata, "x/y", put.ETag]);
    const head = await s3.headObject({ Bucket, Key, ChecksumMode: "ENABLED" });
    assert.deepEqual([head.ContentLength, head.ChecksumCRC32], [size, put.ChecksumCRC32]);
    assert.ok(put.ChecksumCRC32, "no checksum was made");
  }
}

/** A stream's checksum comes after it, in a trailer. */
async function streams() {
  for (const ChecksumAlgorithm of ["CRC32", "CRC32C", "SHA1", "SHA256"]) {
    const body = data(20, 3 * MIB + 17);
    const where = { Bucket, Key: `streams/${ChecksumAlgorithm}` };
    const put = await s3.putObject({ ...where, Body: stream(body), ContentLength: body.length, ChecksumAlgorithm });
    same(await read(where.Key, { ChecksumMode: "ENABLED" }), body, where.Key);
    const head = await s3.headObject({ ...where, ChecksumMode: "ENABLED" });
    assert.ok(put[`Checksum${ChecksumAlgorithm}`], ChecksumAlgorithm);
    assert.equal(head[`Checksum${ChecksumAlgorithm}`], put[`Checksum${ChecksumAlgorithm}`]);
  }
}

async function multipart() {
  const body = data(30, 17 * MIB + 3);
  const params = { Bucket, Key: "parts +%ü", Body: stream(body), Metadata: { kind: "parts" } };
  const done = await new Upload({ client: s3, params, partSize: 5 * MIB, queueSize: 3 }).done();
  assert.match(done.ETag, /-4"$/);
  assert.ok(done.ChecksumCRC32, "no checksum of the whole");
  same(await read(params.Key), body, params.Key);
  same(await read(params.Key, { Range: `bytes=${5 * MIB - 3}-${5 * MIB + 6}` }), body.subarray(5 * MIB - 3, 5 * MIB + 7), "a range");
  same(await read(params.Key, { Range: "bytes=-9" }), body.subarray(-9), "the last bytes");
  same(await read(params.Key, { PartNumber: 4 }), body.subarray(15 * MIB), "the last part");
  const CopySource = encodeURI(`${Bucket}/${params.Key}`).replaceAll("+", "%2B");
  await s3.copyObject({ Bucket, Key: "copy", CopySource });
  same(await read("copy"), body, "a copy");
  assert.deepEqual((await s3.headObject({ Bucket, Key: "copy" })).Metadata, { kind: "parts" });
}

async function pages(more) {
  const all = [];
  for await (const page of paginateListObjectsV2({ client: s3, pageSize: 5 }, { Bucket, ...more })) all.push(page);
  return all;
}

async function listings() {
  const keys = Array.from({ length: 12 }, (_, at) => `list/${at % 3}/${at} +%`).sort();
  for (const Key of keys) await s3.putObject({ Bucket, Key, Body: "x" });
  const flat = await pages({ Prefix: "list/" });
  assert.deepEqual(flat.flatMap((page) => page.Contents).map((item) => item.Key), keys);
  assert.equal(flat.length, 3);
  const folders = await pages({ Prefix: "list/", Delimiter: "/" });
  assert.deepEqual(folders.flatMap((page) => page.CommonPrefixes).map((item) => item.Prefix), ["list/0/", "list/1/", "list/2/"]);
  const Objects = keys.slice(1).map((Key) => ({ Key }));
  const { Deleted, Errors } = await s3.deleteObjects({ Bucket, Delete: { Objects } });
  assert.deepEqual([Deleted.length, Errors], [11, undefined]);
  assert.deepEqual((await pages({ Prefix: "list/" })).flatMap((page) => page.Contents).map((item) => item.Key), keys.slice(0, 1));
}

async function conditionsAndTags() {
  const put = await s3.putObject({ Bucket, Key: "if", Body: "1", IfNoneMatch: "*" });
  await refused("PreconditionFailed", 412, s3.putObject({ Bucket, Key: "if", Body: "2", IfNoneMatch: "*" }));
  await refused("PreconditionFailed", 412, s3.putObject({ Bucket, Key: "if", Body: "2", IfMatch: '"00"' }));
  await s3.putObject({ Bucket, Key: "if", Body: "2", IfMatch: put.ETag });
  assert.equal((await read("if")).toString(), "2");
  const TagSet = [{ Key: "a +/", Value: "ü=@" }];
  await s3.putObjectTagging({ Bucket, Key: "if", Tagging: { TagSet } });
  assert.deepEqual((await s3.getObjectTagging({ Bucket, Key: "if" })).TagSet, TagSet);
}

async function presigned() {
  for (const [seed, name] of NAMES.entries()) {
    const where = { Bucket, Key: `presigned/${name}` };
    const body = data(40 + seed, SIZES[seed]);
    const to = await getSignedUrl(s3, new PutObjectCommand(where), { expiresIn: 60 });
    assert.match(to, /x-amz-checksum-crc32=AAAAAA/, "the SDK no longer takes the body for empty");
    const put = await fetch(to, { method: "PUT", body });
    assert.equal(put.status, 200, await put.text());
    const url = await getSignedUrl(s3, new GetObjectCommand(where), { expiresIn: 60 });
    const got = await fetch(url);
    same(Buffer.from(await got.arrayBuffer()), body, where.Key);
    assert.equal((await fetch(url, { method: "PUT", body })).status, 403);
  }
  // What is said of the object goes into the URL, and whoever uploads needn't repeat it.
  const told = { Bucket, Key: "presigned/told", Metadata: { colour: "dark red" }, ACL: "public-read" };
  const to = await getSignedUrl(s3, new PutObjectCommand(told), { expiresIn: 60 });
  assert.equal((await fetch(to, { method: "PUT", body: "x" })).status, 200);
  const got = await fetch(`${process.env.AWS_ENDPOINT_URL}/${Bucket}/${told.Key}`);
  assert.deepEqual([got.status, got.headers.get("x-amz-meta-colour"), await got.text()], [200, "dark red", "x"]);
}

async function errors() {
  await refused("NoSuchKey", 404, s3.getObject({ Bucket, Key: "never" }));
  await refused("NotFound", 404, s3.headObject({ Bucket, Key: "never" }));
  await refused("NoSuchBucket", 404, s3.listObjectsV2({ Bucket: `never-${Bucket}` }));
  await refused("BucketNotEmpty", 409, s3.deleteBucket({ Bucket }));
  await refused("InvalidRange", 416, s3.getObject({ Bucket, Key: "if", Range: "bytes=5-" }));
}

for (const test of [objects, streams, multipart, listings, conditionsAndTags, presigned, errors]) {
  await test();
  console.log(test.name, "ok");
}
