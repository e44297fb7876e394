"""deploy/quickstart.sh --keep as somebody runs it on a machine where everything is built.

The server that it leaves running is no child of it, and ends with the test, however that ends.
"""

import ctypes
import json
import os
import pathlib
import select
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUN_SECONDS = 400
END_SECONDS = 60


def _end_with_parent():
    """Runs in the child. SIGTERM, so that the script ends the server that it may have started."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


class QuickStart:
    """A context manager. `ready`: when the script had said its last word, by time.monotonic()."""

    def __init__(self, folder):
        programs = pathlib.Path(os.environ["SIGHTLINE_SERVER"]).parent
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SIGHTLINE_")}
        script = subprocess.Popen([ROOT / "deploy/quickstart.sh", "--keep", "--free_ports", "--programs", programs, "--work", folder],
                                  env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  preexec_fn=_end_with_parent)
        try:
            self.output, _ = script.communicate(timeout=RUN_SECONDS)
        except subprocess.TimeoutExpired:
            script.terminate()
            output, _ = script.communicate()
            raise AssertionError(f"deploy/quickstart.sh did not end within {RUN_SECONDS} s:\n{output[-4000:]}") from None
        self.ready = time.monotonic()
        if script.returncode != 0:
            raise AssertionError(f"deploy/quickstart.sh ended with {script.returncode}:\n{self.output[-4000:]}")
        pid = int((folder / "server.pid").read_text())
        self._server = os.pidfd_open(pid)
        # Ends the server when the test closes the pipe, or dies and the system closes it.
        self._guard = subprocess.Popen(["bash", "-c", 'read -r; kill -TERM "$1"', "guard", str(pid)], stdin=subprocess.PIPE,
                                       start_new_session=True)
        self.home = f"http://127.0.0.1:{json.loads((folder / 'ports.json').read_text())['http']}/"
        self.queries = sorted((folder / "scenes/query").glob("*.jpg"))

    def close(self):
        self._guard.communicate()
        ended, _, _ = select.select([self._server], [], [], END_SECONDS)
        if not ended:
            signal.pidfd_send_signal(self._server, signal.SIGKILL)
        os.close(self._server)
        if not ended:
            raise AssertionError(f"the server of the quick start did not end within {END_SECONDS} s")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
