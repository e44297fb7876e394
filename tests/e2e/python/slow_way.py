"""SlowWay: a TCP listener on loopback that passes bytes on to a server, whose answers come late.

Threading: threads of its own, which end with it. Failure: what socket raises.

    with SlowWay(server.address, seconds=1.5) as address: ...
"""

import contextlib
import socket
import threading
import time


class SlowWay:
    def __init__(self, address, seconds):
        host, _, port = address.rpartition(":")
        self._target = (host, int(port))
        self._seconds = seconds
        self._sockets = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return "127.0.0.1:%d" % self._listener.getsockname()[1]

    def __exit__(self, *_):
        # shutdown wakes whoever waits, which close does not.
        for each in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                self._sockets += [caller, server]
                threading.Thread(target=self._pass, args=(caller, server, 0), daemon=True).start()
                threading.Thread(target=self._pass, args=(server, caller, self._seconds), daemon=True).start()

    @staticmethod
    def _pass(source, target, seconds):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                time.sleep(seconds)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
