"""Where the server is and how it is spoken to: what both clients make their channel and their calls of."""

from __future__ import annotations

import os
import pathlib
import random
from dataclasses import dataclass, field
from typing import Any, List, Optional, Tuple, Union

import grpc

from .errors import AbortedError, ResourceExhaustedError, SightlineError, UnavailableError, invalid
from .options import Tls

_DEFAULT_ADDRESS = "127.0.0.1:50051"
# gRPC's other ways to name a server.
_OTHER_SCHEMES = ("unix:", "unix-abstract:", "dns:", "ipv4:", "ipv6:", "vsock:")
_LOOPBACK = ("127.", "localhost:", "[::1]", "unix:")
_MAX_MESSAGE_BYTES = 40 << 20
_MAX_IMAGE_BYTES = 16 << 20
_MAX_ATTEMPTS = 8
_FIRST_BACKOFF, _LONGEST_BACKOFF = 0.1, 5.0
# Seconds a call may take, where the caller does not say: loading a model reads and warms it up.
_TIMEOUTS = {"call": 10.0, "image": 60.0, "load": 600.0}
TRANSFER_TIMEOUT = 24 * 3600.0  # of a snapshot


@dataclass(frozen=True)
class Settings:
    """One client's."""

    address: str
    api_key: str = field(repr=False)
    tls: Optional[Tls]
    timeout: Optional[float]
    max_message_bytes: int
    max_image_bytes: int

    def timeout_of(self, kind: str, asked: Optional[float]) -> float:
        """Seconds a call may take."""
        for seconds in (asked, self.timeout):
            if seconds is not None:
                return checked_timeout(seconds)
        return _TIMEOUTS[kind]

    @property
    def metadata(self) -> Tuple[Tuple[str, str], ...]:
        """What every call carries beside its message."""
        return (("authorization", f"Bearer {self.api_key}"),) if self.api_key else ()

    @property
    def channel_options(self) -> List[Tuple[str, Union[int, str]]]:
        """What a channel is made with."""
        options: List[Tuple[str, Union[int, str]]] = [
            ("grpc.max_receive_message_length", self.max_message_bytes),
            ("grpc.max_send_message_length", self.max_message_bytes),
            ("grpc.primary_user_agent", "sightline-python"),
            # A server that restarts is found again within a second or two, not after gRPC's default of up to two
            # minutes.
            ("grpc.initial_reconnect_backoff_ms", 100),
            # How long one attempt may take: over a slow way, or to a server whose machine is busy, the first
            # answer takes seconds.
            ("grpc.min_reconnect_backoff_ms", 10_000),
            ("grpc.max_reconnect_backoff_ms", 2000),
            # Two clients of one process do not share a connection, and so not its backoff either.
            ("grpc.use_local_subchannel_pool", 1),
        ]
        if self.address.startswith(_LOOPBACK):
            # A proxy from the environment cannot reach this machine's own loopback.
            options.append(("grpc.enable_http_proxy", 0))
        return options

    def channel_credentials(self) -> Optional[Any]:
        """TLS, or None for a plain connection."""
        if self.tls is None:
            return None
        return grpc.ssl_channel_credentials(_pem(self.tls.ca, "tls.ca"), _pem(self.tls.key, "tls.key"),
                                            _pem(self.tls.certificate, "tls.certificate"))


def checked_timeout(seconds: Any) -> float:
    """A deadline that can be one."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds <= 1e9:
        raise invalid("TIMEOUT_INVALID",
                      f"timeout is {seconds!r}. Give seconds, more than 0.",
                      field="timeout",
                      actual=seconds)
    return float(seconds)


def settings(address: Optional[str], api_key: Optional[str], tls: Any, timeout: Optional[float],
             max_message_bytes: Optional[int], max_image_bytes: Optional[int]) -> Settings:
    """Checks what a client is made with; address and key are else those of the environment, as for the program
    `sightline`."""
    address = address or os.environ.get("SIGHTLINE_ADDRESS") or _DEFAULT_ADDRESS
    _check_address(address)
    key = os.environ.get("SIGHTLINE_API_KEY", "") if api_key is None else api_key
    # An editor or a shell ends a file with a line break.
    key = key.strip() if isinstance(key, str) else key
    if not isinstance(key, str) or not all("!" <= char <= "~" for char in key):
        raise invalid("KEY_INVALID",
                      "the API key holds a space, a line break or another character that no key has. Copy it as it "
                      "was printed.",
                      field="api_key")
    if timeout is not None:
        checked_timeout(timeout)
    return Settings(address, key, _tls(tls), timeout,
                    _bytes("max_message_bytes", max_message_bytes, _MAX_MESSAGE_BYTES),
                    _bytes("max_image_bytes", max_image_bytes, _MAX_IMAGE_BYTES))


def _bytes(name: str, given: Optional[int], otherwise: int) -> int:
    """A limit that gRPC can take, too."""
    if given is None:
        return otherwise
    if isinstance(given, bool) or not isinstance(given, int) or not 0 < given < 1 << 31:
        raise invalid("FIELD_INVALID",
                      f"{name} is {given!r}. Give a whole number of bytes, 1 to {(1 << 31) - 1:,}.",
                      field=name,
                      actual=given)
    return given


def _check_address(address: Any) -> None:
    """gRPC takes anything, and fails much later with words that nobody can use."""
    def refuse(problem: str) -> None:
        raise invalid("INVALID_ADDRESS",
                      f"the address {address!r} {problem}. Write it as host:port, such as {_DEFAULT_ADDRESS}.",
                      field="address",
                      actual=address)

    if not isinstance(address, str):
        return refuse("is not text")
    if address.startswith(_OTHER_SCHEMES):
        return None
    host, colon, port = address.rpartition(":")
    if "://" in address:
        refuse("is a URL")
    if not colon:
        refuse("has no port")
    if not host:
        refuse("has no host")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        refuse("is IPv6 without brackets, which are needed before a port: [::1]:50051")
    if any(char.isspace() or not char.isprintable() for char in host):
        refuse("has a space in its host")
    if not (port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= 65535):
        refuse("has no port of 1 to 65535")


def _tls(tls: Any) -> Optional[Tls]:
    if tls is None or tls is False:
        return None
    if tls is True:
        return Tls()
    if isinstance(tls, (str, os.PathLike, bytes)):
        return Tls(ca=tls)
    if not isinstance(tls, Tls):
        raise invalid(
            "TLS_INVALID",
            f"tls is of type {type(tls).__name__}. Give True, the path of a PEM file with the certificates of who "
            "signs servers', or sightline.Tls(...).",
            field="tls")
    if (tls.certificate is None) != (tls.key is None):
        raise invalid("TLS_PAIR_INCOMPLETE",
                      "a client certificate and its key belong together, and one is missing. Give both, or "
                      "none.",
                      field="tls")
    return tls


def _pem(source: Any, name: str) -> Optional[bytes]:
    if source is None or isinstance(source, bytes):
        data = source
    else:
        try:
            data = pathlib.Path(source).read_bytes()
        except (OSError, TypeError, ValueError) as error:  # no path at all, or one with a NUL
            words = getattr(error, "strerror", None) or error
            raise invalid("FILE_UNREADABLE",
                          f"{name}: cannot read {source!r} ({words}). Check the path and its mode.",
                          field=name,
                          path=source) from None
    # gRPC takes anything, and fails much later with no word about it.
    if data is not None and b"-----BEGIN " not in data:
        raise invalid("TLS_INVALID",
                      f"{name} is no PEM: it has no line that begins with -----BEGIN. Give the file as the authority "
                      "wrote it.",
                      field=name)
    return data


def is_retryable(error: SightlineError) -> bool:
    """True where the same call may succeed later: a full queue empties again, a message that is too large stays so."""
    if isinstance(error, (UnavailableError, AbortedError)):
        return True
    return isinstance(error, ResourceExhaustedError) and error.retry_after is not None


def backoff(attempt: int, error: SightlineError) -> float:
    """Seconds to wait after the failed attempt number `attempt` (from 1), never less than the server asks for. Spread,
    so that many clients do not come back at once."""
    own = min(_FIRST_BACKOFF * 2.0**min(attempt - 1, 30), _LONGEST_BACKOFF) * random.uniform(0.5, 1.0)
    return max(own, error.retry_after or 0.0)


def wait_before_retry(error: SightlineError, attempt: int, left: float) -> Optional[float]:
    """Seconds to wait before a unary call is made again; None where it should fail now. An error that names no delay is
    not repeated: the caller of a single call wants to know at once."""
    if error.retry_after is None or not is_retryable(error) or attempt >= _MAX_ATTEMPTS:
        return None
    wait = backoff(attempt, error)
    return wait if wait < left else None
