"""Caller: the connection of a synchronous client, and how calls are made over it."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Callable, Dict, Iterator, List, Optional, Type, TypeVar, Union

import grpc

from . import _connection
from ._call import Call, Pages, make_stub
from .errors import FailedPreconditionError, SightlineError, from_call
from .options import Tls

T = TypeVar("T")
S = TypeVar("S", bound="Caller")


class Caller:
    """What every method of Client stands on."""
    def __init__(self,
                 address: Optional[str] = None,
                 *,
                 api_key: Optional[str] = None,
                 tls: Union[None, bool, str, bytes, Tls] = None,
                 timeout: Optional[float] = None,
                 max_message_bytes: Optional[int] = None,
                 max_image_bytes: Optional[int] = None) -> None:
        """Does not wait for the server: the first call reports one that cannot be reached.

        address: host:port; else the environment variable SIGHTLINE_ADDRESS, else 127.0.0.1:50051.
        api_key: else SIGHTLINE_API_KEY.
        tls: the path of a PEM file with who signs the server's certificate, True for those gRPC trusts, or a Tls.
        timeout: seconds a call may take; else 10, where an image travels 60, to load a model 600. Every method takes
        its own.
        max_image_bytes: larger files are refused before they are read; else 16 MiB.
        """
        self._settings = _connection.settings(address, api_key, tls, timeout, max_message_bytes, max_image_bytes)
        credentials = self._settings.channel_credentials()
        options = self._settings.channel_options
        self._channel = (grpc.insecure_channel(self._settings.address, options)
                         if credentials is None else grpc.secure_channel(self._settings.address, credentials, options))
        self._stubs: Dict[str, Callable[..., Any]] = {}
        self._closed = False

    def close(self) -> None:
        """Ends the connection. A client that is closed makes no more calls."""
        self._closed = True
        self._channel.close()

    def __enter__(self: S) -> S:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._settings.address!r})"

    @property
    def address(self) -> str:
        """The server's."""
        return self._settings.address

    # How calls are made.

    def _stub(self, method: str) -> Callable[..., Any]:
        """gRPC's callable of a method, made once."""
        if self._closed:
            raise FailedPreconditionError("this client is closed. Make another.", reason="CLIENT_CLOSED")
        stub = self._stubs.get(method)
        if stub is None:
            stub = self._stubs[method] = make_stub(self._channel, method)
        return stub

    def _error(self, error: Any, timeout: Optional[float]) -> SightlineError:
        """gRPC's error in our words."""
        if self._closed:
            return FailedPreconditionError("this client was closed during the call. Make another.",
                                           reason="CLIENT_CLOSED")
        return from_call(error.code().value[0], error.details(), error.trailing_metadata(), self._settings.address,
                         timeout)

    def _run(self, call: Call[T], timeout: Optional[float]) -> T:
        seconds = self._settings.timeout_of(call.kind, timeout)
        end = time.monotonic() + seconds
        attempt = 1
        while True:
            stub = self._stub(call.method)
            try:
                reply = stub(call.request, timeout=max(0.0, end - time.monotonic()), metadata=self._settings.metadata)
            except grpc.RpcError as failure:
                error = self._error(failure, seconds)
                wait = _connection.wait_before_retry(error, attempt, end - time.monotonic())
                if wait is None:
                    raise error from None
                time.sleep(wait)
                attempt += 1
            else:
                return call.finish(reply)

    def _pages(self, pages: Pages[T], timeout: Optional[float]) -> Iterator[T]:
        values, token = self._run(pages.page(""), timeout)
        return self._rest(pages, values, token, timeout)

    def _rest(self, pages: Pages[T], values: List[T], token: str, timeout: Optional[float]) -> Iterator[T]:
        yield from values
        while token:
            values, token = self._run(pages.page(token), timeout)
            yield from values
