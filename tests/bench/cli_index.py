#!/usr/bin/env python3
"""How busy `sightline index` keeps the server's model: 1,000 photos of a folder, with the programs of a build.

    tests/bench/cli_index.py [--bin build/release/bin] [--model dtop_tiny] [--photos 1000] [--size 640] [--runs 3]
                             [--folder DIR] [-- flags of `sightline index`]

Prints one JSON line for each run: images per second, and the share of the time of indexing during which the model
worked (sightline_model_seconds_total). Every run has a server and a data directory of its own; a model's warm-up
counts to the server's start. Without --folder the photos are made by `sightline-train scenes`.
"""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]


def start_server(bin_folder, work, model, flags):
    ports = work / "ports.json"
    server = subprocess.Popen(
        [str(bin_folder / "sightline-server"), "--data_dir", str(work / "data"), "--model_root", str(ROOT / "model/zoo"),
         "--models", model, "--port_file", str(ports), "--listen", "127.0.0.1:0", "--http_listen", "127.0.0.1:0",
         "--admin_listen", "127.0.0.1:0", *flags],
        stderr=open(work / "server.log", "w"))
    deadline = time.monotonic() + 120
    while not ports.exists():
        if server.poll() is not None or time.monotonic() > deadline:
            sys.exit("the server did not start: " + (work / "server.log").read_text()[-500:])
        time.sleep(0.05)
    return server, json.loads(ports.read_text())


def metric(port, name):
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name + " "))


def measure(options, photos, work):
    server, ports = start_server(options.bin, work, options.model, options.server_flag)
    address = f"127.0.0.1:{ports['grpc']}"
    try:
        sightline = str(options.bin / "sightline")
        subprocess.run([sightline, "ready", f"127.0.0.1:{ports['http']}"], timeout=120, check=True)
        subprocess.run([sightline, "collections", "create", "bench", "--address", address], timeout=60, check=True,
                       stdout=subprocess.DEVNULL)
        before = metric(ports["admin"], "sightline_model_seconds_total")
        begin = time.monotonic()
        run = subprocess.run([sightline, "index", str(photos), "--collection", "bench", "--json", "--address", address,
                              *options.flags], timeout=1800, stdout=subprocess.PIPE, text=True)
        wall = time.monotonic() - begin
        worked = metric(ports["admin"], "sightline_model_seconds_total") - before
    finally:
        server.terminate()
        server.wait(timeout=60)
    events = [json.loads(line) for line in run.stdout.splitlines()]
    for event in events:
        if event["event"] == "failed":
            print(event["path"], event["error"]["message"], file=sys.stderr)
    summary = events[-1]
    return {"indexed": summary["indexed"], "failed": summary["failed"], "wall_seconds": round(wall, 2),
            "images_per_second": round(summary["indexed"] / wall, 1), "model_seconds": round(worked, 2),
            "model_busy": round(worked / wall, 3), "load_average": round(os.getloadavg()[0], 1)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--model", default="dtop_tiny")
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--size", type=int, default=640, help="side of a made photo, pixels")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=pathlib.Path, help="photos of your own")
    parser.add_argument("--server_flag", action="append", default=[], help="for sightline-server, as --flag=value")
    parser.add_argument("flags", nargs="*", help="for `sightline index`")
    options = parser.parse_args()
    # Asked to end, it takes its server with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="sightline-cli-index-") as temporary:
        work = pathlib.Path(temporary)
        photos = options.folder
        if photos is None:
            # Of six views five are for the index.
            subprocess.run([str(options.bin / "sightline-train"), "scenes", "--out", str(work / "scenes"), "--instances",
                            str(-(-options.photos // 5)), "--views", "6", "--size", str(options.size)], check=True,
                           stdout=subprocess.DEVNULL, timeout=1800)
            photos = work / "scenes/index"
        for number in range(options.runs):
            run_folder = work / f"run{number}"
            run_folder.mkdir()
            print(json.dumps(measure(options, photos, run_folder)), flush=True)


if __name__ == "__main__":
    main()
