"""AsyncCaller: the connection of an asynchronous client, and how calls are made over it."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Any, AsyncIterator, Callable, Dict, Optional, Type, TypeVar, Union

import grpc
import grpc.aio

from . import _connection
from ._call import Call, Pages, make_stub
from .errors import FailedPreconditionError, SightlineError, from_call
from .options import Tls

T = TypeVar("T")
S = TypeVar("S", bound="AsyncCaller")


class AsyncCaller:
    """What every method of AsyncClient stands on."""
    def __init__(self,
                 address: Optional[str] = None,
                 *,
                 api_key: Optional[str] = None,
                 tls: Union[None, bool, str, bytes, Tls] = None,
                 timeout: Optional[float] = None,
                 max_message_bytes: Optional[int] = None,
                 max_image_bytes: Optional[int] = None) -> None:
        """As Client: address, key and limits have the same meaning and the same defaults."""
        self._settings = _connection.settings(address, api_key, tls, timeout, max_message_bytes, max_image_bytes)
        self._credentials = self._settings.channel_credentials()
        self._channel: Any = None  # made by the first call: a channel belongs to the event loop that runs then
        self._stubs: Dict[str, Callable[..., Any]] = {}
        self._closed = False

    async def close(self) -> None:
        """Ends the connection. A client that is closed makes no more calls."""
        self._closed = True
        if self._channel is not None:
            await self._channel.close()

    async def __aenter__(self: S) -> S:
        return self

    async def __aexit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                        trace: Optional[TracebackType]) -> None:
        await self.close()

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
        if self._channel is None:
            address, options = self._settings.address, self._settings.channel_options
            self._channel = (grpc.aio.insecure_channel(address, options) if self._credentials is None else
                             grpc.aio.secure_channel(address, self._credentials, options))
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

    async def _run(self, call: Call[T], timeout: Optional[float]) -> T:
        seconds = self._settings.timeout_of(call.kind, timeout)
        end = time.monotonic() + seconds
        attempt = 1
        while True:
            stub = self._stub(call.method)
            try:
                reply = await stub(call.request,
                                   timeout=max(0.0, end - time.monotonic()),
                                   metadata=self._settings.metadata)
            except grpc.RpcError as failure:
                error = self._error(failure, seconds)
                wait = _connection.wait_before_retry(error, attempt, end - time.monotonic())
                if wait is None:
                    raise error from None
                await asyncio.sleep(wait)
                attempt += 1
            else:
                return call.finish(reply)

    async def _pages(self, pages: Pages[T], timeout: Optional[float]) -> AsyncIterator[T]:
        values, token = await self._run(pages.page(""), timeout)
        for value in values:
            yield value
        while token:
            values, token = await self._run(pages.page(token), timeout)
            for value in values:
                yield value
