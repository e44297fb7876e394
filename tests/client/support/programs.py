"""A real server and the program `sightline`, for tests written in Python.

Environment: SIGHTLINE_SERVER and SIGHTLINE_CLI, the two programs. Every server has a data directory of its own and
listens on free ports of the loopback interface.
"""

import json
import os
import pathlib
import random
import struct
import subprocess
import time
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[3]
SERVER = os.environ["SIGHTLINE_SERVER"]
CLI = os.environ["SIGHTLINE_CLI"]


class Server:
    def __init__(self, folder, model="dtop_seeded"):
        folder = pathlib.Path(folder)
        ports = folder / "ports.json"
        self.log = folder / "server.log"
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [SERVER, "--data_dir", str(folder / "data"), "--model_root", str(ROOT / "tests/data/models"), "--models", model,
                 "--allow_untrained", "--warm_up=none",
                 "--port_file", str(ports), "--listen", "127.0.0.1:0", "--http_listen", "127.0.0.1:0",
                 "--admin_listen", "127.0.0.1:0"], stderr=log)
        deadline = time.monotonic() + 100
        try:
            while not ports.exists() or not ports.read_text().strip():
                self._check(deadline)
            numbers = json.loads(ports.read_text())
            self.address = f"127.0.0.1:{numbers['grpc']}"
            while subprocess.run([CLI, "ready", f"127.0.0.1:{numbers['http']}"], timeout=60,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
                self._check(deadline)
        except BaseException:
            self.stop()
            raise

    def _check(self, deadline):
        if self.process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the server did not start: " + self.log.read_text()[-800:])
        time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def environment(address, **more):
    """The test's own, with the server's address and without what colours or completes."""
    kept = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "SIGHTLINE_API_KEY")}
    return {**kept, "SIGHTLINE_ADDRESS": address, "TERM": "xterm", **more}


def picture(seed, side=64):
    """A PNG of coloured blocks, another one for every seed."""
    chance = random.Random(seed)
    blocks = [[bytes(chance.randrange(256) for _ in range(3)) for _ in range(8)] for _ in range(8)]
    rows = b"".join(b"\0" + b"".join(blocks[y * 8 // side][x * 8 // side] for x in range(side)) for y in range(side))

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
