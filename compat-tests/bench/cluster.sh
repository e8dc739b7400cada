#!/usr/bin/env bash
# cluster.sh up DIR [NODIO-FLAGS] | rss DIR | cpu DIR | down DIR: every role as a process of its own on loopback, for measuring.
# A coordinator, six donors and a gateway with code 4/6; fsync is on unless --no-fsync is given, then it is off everywhere.
# BIN: folder of the release binaries (default: the workspace's target folder). Prints the environment to use.
set -eu
verb=$1 dir=$2
here=$(cd "$(dirname "$0")/../.." && pwd)
bin=${BIN:-${CARGO_TARGET_DIR:-$here/target}/release}

wait_for() { for _ in $(seq 200); do [ -s "$1" ] && return 0; sleep 0.05; done; echo "no $1" >&2; exit 1; }
spawn() { # NAME PROGRAM ARGS: in the background, its process id and log kept
  local name=$1; shift
  "$@" >"$dir/$name.log" 2>&1 &
  echo "$name $!" >>"$dir/pids"
}

case $verb in
up)
  shift 2
  mkdir -p "$dir"
  spawn coordinator "$bin/nodio" coordinator --data "$dir/coordinator" --listen 127.0.0.1:0 --domain node --heartbeat-ms 2000 "$@"
  wait_for "$dir/coordinator/listen.addr"
  invite() { "$bin/nodio" invite --data "$dir/coordinator" "$@"; }
  for i in 1 2 3 4 5 6; do
    spawn "donor$i" "$bin/nodio-node" --data "$dir/donor$i" --listen 127.0.0.1:0 --invite "$(invite)" --capacity 20GiB "$@"
  done
  spawn gateway "$bin/nodio" gateway --data "$dir/gateway" --listen 127.0.0.1:0 --link "$(invite --for gateway)" --code 4/6 "$@"
  wait_for "$dir/gateway/listen.addr"
  sleep 3
  "$bin/nodio" keys create --data "$dir/gateway" --user bench --access-key NOBENCH0000000000000 --secret-key bench-secret-bench-secret-bench-secret-0 >&2
  echo "export AWS_ACCESS_KEY_ID=NOBENCH0000000000000 AWS_SECRET_ACCESS_KEY=bench-secret-bench-secret-bench-secret-0 S3_ENDPOINT=http://$(cat "$dir/gateway/listen.addr") AWS_REGION=us-east-1"
  ;;
rss) # peak resident memory of each process, MiB
  while read -r name pid; do
    awk -v name="$name" '/VmHWM/ { printf "%-12s %6.0f MiB\n", name, $2 / 1024 }' "/proc/$pid/status" || true
  done <"$dir/pids"
  ;;
cpu) # processor seconds of each process so far
  while read -r name pid; do
    awk -v name="$name" -v hz="$(getconf CLK_TCK)" '{ printf "%-12s %8.2f s\n", name, ($14 + $15) / hz }' "/proc/$pid/stat" || true
  done <"$dir/pids"
  ;;
down)
  while read -r _ pid; do kill "$pid" 2>/dev/null || true; done <"$dir/pids"
  sleep 1
  rm -rf "$dir"
  ;;
*) sed -n 2,4p "$0"; exit 2 ;;
esac
