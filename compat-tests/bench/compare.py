#!/usr/bin/env python3
"""compare.py [--seconds S] [--rounds R] [--only nodio|peer] [--fsync on|off] [--degraded] [--out FILE]

Nodio (a coordinator, a gateway and six donors, code 4/6) and Garage (three nodes, three copies) in turn on this machine, each fresh,
with the same load and the same fsync setting; medians and their ratio as a table. With --degraded instead: how fast Nodio reads before and after
two of its six donors are killed. Everything it starts is ended, everything it writes
is removed. One JSON line a phase goes to FILE.

Needs release builds of nodio and nodio-node (BIN, as for cluster.sh) and garage (GARAGE, as for peer.sh).
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent.parent / "target"))
BIN = pathlib.Path(os.environ.get("BIN", TARGET / "release"))
SERVERS = {"nodio": HERE / "cluster.sh", "peer": HERE / "peer.sh"}
KIB, MIB = 1024, 1024 * 1024

# (size, concurrency, phases); how much of large objects is there before they are read, as in `nodio bench`
SUITE = [
    (4 * KIB, 16, "put,get,head,list,delete"),
    (MIB, 8, "put,get,range"),
    (64 * MIB, 4, "put,get,range"),
]


def run(*words, **options):
    return subprocess.run([str(word) for word in words], check=True, text=True, capture_output=True, **options).stdout


def environment(printed):
    return dict(re.findall(r"(\w+)=(\S+)", printed))


def processes(folder):
    """Name and process id of each server."""
    lines = (folder / "pids").read_text().split("\n")
    return dict(line.split() for line in lines if line)


def bench(env, size, concurrency, phases, seconds, pids):
    """Yields each phase when it has ended."""
    words = [BIN / "nodio", "bench", "--json", "--endpoint", env["S3_ENDPOINT"], "--region", env["AWS_REGION"]]
    words += ["--size", f"{size}B", "-c", concurrency, "--phases", phases, "--seconds", seconds, "--cpu-of", ",".join(pids)]
    with subprocess.Popen([str(word) for word in words], env={**os.environ, **env}, stdout=subprocess.PIPE, text=True) as running:
        for line in running.stdout:
            yield json.loads(line)


def measure(server, fsync, seconds):
    """One fresh server through the whole suite: its phases, and the peak memory of each of its processes in MiB."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"nodio-compare-{server}-"))
    script = SERVERS[server]
    try:
        env = environment(run(script, "up", folder, *([] if fsync else ["--no-fsync"])))
        pids = processes(folder)
        phases = []
        for size, concurrency, names in SUITE:
            for phase in bench(env, size, concurrency, names, seconds, pids.values()):
                phases.append({"server": server, "fsync": fsync, **phase})
                print(f"  {server} {phase['phase']} {size}: {shown(phase)}", file=sys.stderr)
        rss = dict(re.findall(r"(\S+) +(\d+) MiB", run(script, "rss", folder)))
        return phases, rss
    finally:
        subprocess.run([script, "down", folder], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def degraded(seconds):
    """Reads of one fresh Nodio while all donors live, then after two are killed: a row a size."""
    rows = ["| work | six donors | four left | ratio |", "|---|---|---|---|"]
    for size, concurrency, _ in SUITE[1:]:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="nodio-compare-degraded-"))
        try:
            env = environment(run(SERVERS["nodio"], "up", folder))
            pids = processes(folder)
            alive = [pid for name, pid in pids.items() if name not in ("donor5", "donor6")]
            speeds = []
            for phase in bench(env, size, concurrency, "get,get", seconds, alive):
                if phase["phase"] != "get":
                    continue
                if not speeds:
                    for name in ("donor5", "donor6"):
                        os.kill(int(pids[name]), signal.SIGKILL)
                speeds.append(phase["mb_per_s"])
                print(f"  get {size}: {shown(phase)}", file=sys.stderr)
            rows.append(f"| {size // MIB} MiB get, c={concurrency} | {speeds[0]:,.0f} MB/s | {speeds[1]:,.0f} MB/s | {speeds[1] / speeds[0]:.2f} |")
        finally:
            subprocess.run([SERVERS["nodio"], "down", folder], check=False, capture_output=True)
            shutil.rmtree(folder, ignore_errors=True)
    return "\n".join(rows)


def figure(phase):
    """What a phase is judged by: bytes where they are what counts, else requests."""
    bulk = phase["phase"] in ("put", "get") and phase["size_bytes"] >= MIB
    return (phase["mb_per_s"], "MB/s") if bulk else (phase["ops_per_s"], "/s")


def shown(phase):
    value, unit = figure(phase)
    return f"{value:,.0f} {unit}, {phase['errors']} errors"


def table(phases, fsync):
    """Medians of both servers and the ratio, a row a phase, in the suite's order. An error makes a figure worthless."""
    rows = []
    for size, concurrency, names in SUITE:
        for name in names.split(","):
            cells, medians = [], {}
            for server in SERVERS:
                of = [p for p in phases if (p["server"], p["fsync"], p["size_bytes"], p["phase"]) == (server, fsync, size, name)]
                if not of:
                    cells.append("")
                    continue
                unit = figure(of[0])[1]
                medians[server] = statistics.median(figure(p)[0] for p in of)
                errors = sum(p["errors"] for p in of)
                each = ", ".join(f"{figure(p)[0]:,.0f}" for p in of)
                cells.append(f"{medians[server]:,.0f} {unit} ({each})" + (f" {errors} ERRORS" if errors else ""))
            ratio = f"{medians['nodio'] / medians['peer']:.2f}" if len(medians) == 2 else ""
            label = f"{size // KIB} KiB" if size < MIB else f"{size // MIB} MiB"
            rows.append(f"| {label} {name}, c={concurrency} | {' | '.join(cells)} | {ratio} |")
    head = [f"fsync {'on' if fsync else 'off'}", "", "| work | Nodio | Garage | ratio |", "|---|---|---|---|"]
    return "\n".join(head + rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=6, help="length of a phase")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", choices=SERVERS)
    parser.add_argument("--fsync", choices=["on", "off"])
    parser.add_argument("--degraded", action="store_true")
    parser.add_argument("--out", type=pathlib.Path, help="file for one JSON line a phase")
    args = parser.parse_args()
    if args.degraded:
        print(degraded(args.seconds))
        return
    phases = []
    for fsync in [True, False]:
        if args.fsync not in (None, "on" if fsync else "off"):
            continue
        for _ in range(args.rounds):
            for server in SERVERS:
                if args.only in (None, server):
                    of, rss = measure(server, fsync, args.seconds)
                    phases += of
                    print(f"  peak memory, MiB: {rss}", file=sys.stderr)
        print(table(phases, fsync), end="\n\n", flush=True)
    if args.out:
        args.out.write_text("".join(json.dumps(phase) + "\n" for phase in phases))


if __name__ == "__main__":
    main()
