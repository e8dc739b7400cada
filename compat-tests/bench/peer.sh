#!/usr/bin/env bash
# peer.sh up DIR [--no-fsync] | rss DIR | cpu DIR | down DIR: three Garage nodes with three copies on loopback, to measure Nodio against.
# GARAGE: the program (default: garage on PATH; `cargo install garage --version 2.5.0`). Prints the environment to use.
set -eu
verb=$1 dir=$2
case $verb in rss | cpu | down) exec "$(dirname "$0")/cluster.sh" "$@" ;; esac
[ "$verb" = up ] || { sed -n 2,3p "$0"; exit 2; }
garage=${GARAGE:-garage} fsync=true
[ "${3:-}" = --no-fsync ] && fsync=false
secret=$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')
base=$((20000 + RANDOM % 10000))

mkdir -p "$dir"
for i in 1 2 3; do
  mkdir -p "$dir/node$i"
  cat >"$dir/node$i.toml" <<T
metadata_dir = "$dir/node$i/meta"
data_dir = "$dir/node$i/data"
db_engine = "lmdb"
replication_factor = 3
metadata_fsync = $fsync
data_fsync = $fsync
rpc_bind_addr = "127.0.0.1:$((base + i))"
rpc_public_addr = "127.0.0.1:$((base + i))"
rpc_secret = "$secret"
[s3_api]
s3_region = "garage"
api_bind_addr = "127.0.0.1:$((base + 10 + i))"
T
  RUST_LOG=garage=warn "$garage" -c "$dir/node$i.toml" server >"$dir/node$i.log" 2>&1 &
  echo "garage$i $!" >>"$dir/pids"
done

of() { local node=$1; shift; "$garage" -c "$dir/node$node.toml" "$@" 2>/dev/null; }
# Until it answers: a node needs a moment to open its files.
patiently() { for _ in $(seq 100); do "$@" >/dev/null && return 0; sleep 0.1; done; echo "no answer: $*" >&2; exit 1; }
for i in 1 2 3; do patiently of "$i" node id -q; done
for i in 2 3; do patiently of 1 node connect "$(of "$i" node id -q)"; done
for i in 1 2 3; do patiently of 1 layout assign -z "zone$i" -c 20G "$(of "$i" node id -q | cut -d@ -f1)"; done
patiently of 1 layout apply --version 1
patiently of 1 key import --yes -n bench GK0123456789abcdef01234567 "$secret"
patiently of 1 key allow --create-bucket GK0123456789abcdef01234567
echo "export AWS_ACCESS_KEY_ID=GK0123456789abcdef01234567 AWS_SECRET_ACCESS_KEY=$secret S3_ENDPOINT=http://127.0.0.1:$((base + 11)) AWS_REGION=garage"
