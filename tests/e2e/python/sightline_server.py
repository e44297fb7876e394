"""The real sightline-server as a child process, and stubs of its API, for black-box tests in Python.

Environment: SIGHTLINE_SERVER (the binary), SIGHTLINE_PROTO (the folder of the protos), PROTOC.
"""

import contextlib
import ctypes
import importlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import grpc
from google.protobuf import symbol_database

_START_SECONDS = 120
_END_SECONDS = 60


def _die_with_parent():
    """Runs in the child: a test that is killed takes its server with it."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


class Server:
    """A server on free ports with a data folder of its own; a context manager."""

    def __init__(self, *flags, folder=None, environment=None):
        self._temporary = None if folder else tempfile.TemporaryDirectory(prefix="sightline.")
        self.folder = pathlib.Path(folder or self._temporary.name)
        ports = self.folder / "ports.json"
        ports.unlink(missing_ok=True)
        self._log = open(self.folder / "server.log", "ab")
        self.process = subprocess.Popen(
            [
                os.environ["SIGHTLINE_SERVER"], "--listen=127.0.0.1:0", "--http_listen=127.0.0.1:0",
                "--admin_listen=127.0.0.1:0", f"--port_file={ports}", f"--data_dir={self.folder / 'data'}", *flags
            ],
            stdout=self._log,
            stderr=self._log,
            env={**os.environ, **(environment or {})},
            preexec_fn=_die_with_parent)
        deadline = time.monotonic() + _START_SECONDS
        while not ports.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server does not get ready:\n{self.log()}")
            time.sleep(0.01)
        self.ports = json.loads(ports.read_text())
        self.address = f"127.0.0.1:{self.ports['grpc']}"

    def log(self):
        return (self.folder / "server.log").read_text(errors="replace")[-4000:]

    def terminate(self):
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(_END_SECONDS)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._log.close()
        if self._temporary:
            self._temporary.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def load_protos(folder):
    """Compiles the protos with protoc into `folder` and imports them. Returns the message class of a full name."""
    root = pathlib.Path(os.environ["SIGHTLINE_PROTO"])
    ours = [str(path.relative_to(root)) for path in sorted(root.rglob("*.proto"))]
    subprocess.run([os.environ.get("PROTOC", "protoc"), "-I", root, f"--python_out={folder}", *ours], check=True)
    # Our own google.rpc and grpc.health must not hide the installed packages: they join them.
    import google
    for package in (google, grpc):
        package.__path__.append(os.path.join(folder, package.__name__))
    sys.path.insert(0, str(folder))
    for name in ours:
        importlib.import_module(name[:-len(".proto")].replace("/", ".") + "_pb2")
    return symbol_database.Default().GetSymbol


def stub(channel, get_symbol, service):
    """An object with a callable per method of `service`, such as "sightline.v1.SearchService"."""
    pool = symbol_database.Default().pool
    methods = {}
    for method in pool.FindServiceByName(service).methods:
        request, response = (get_symbol(t.full_name) for t in (method.input_type, method.output_type))
        kind = f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
        methods[method.name] = getattr(channel, kind)(
            f"/{service}/{method.name}",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString)
    return type("Stub", (), {name: staticmethod(call) for name, call in methods.items()})


@contextlib.contextmanager
def channel_to(address):
    """A channel that ignores proxies and takes messages of any size."""
    options = [("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(address, options) as channel:
        yield channel
