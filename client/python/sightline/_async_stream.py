"""AsyncStream: one AsyncClient.index_stream or search_stream at work. Everything runs on the caller's event loop, but
for the reading of image files, which a thread does.
"""

from __future__ import annotations

import asyncio
from typing import Any, AsyncIterable, AsyncIterator, Generic, Iterable, List, Optional, Set, Tuple, Union

import grpc
import grpc.aio

from ._async_caller import AsyncCaller
from ._schema import Message
from ._stream_kinds import O, StreamKind, iterator_of
from ._stream_state import StreamState
from .errors import SightlineError

_END_SECONDS = 5.0  # for a stream that is over to say so
_NO_MORE = object()
_Items = Union[Iterable[Any], AsyncIterable[Any]]


def _each(items: _Items) -> AsyncIterator[Any]:
    """Either kind of iterable as the asynchronous one."""
    if isinstance(items, AsyncIterable):
        return items.__aiter__()
    plain = iter(items)

    async def take() -> AsyncIterator[Any]:
        for item in plain:
            yield item

    return take()


class _Connection:
    """One call of the RPC. Its events, ("reply", message) and ("end", error), come out of `events`."""
    def __init__(self, caller: AsyncCaller, method: str, events: asyncio.Queue[Tuple[Any, str, Any]]) -> None:
        self._caller = caller
        self._events = events
        self._requests: asyncio.Queue[Optional[Message]] = asyncio.Queue()
        # No deadline: the whole may take hours. That replies come is watched.
        self._call = caller._stub(method)(metadata=caller._settings.metadata)
        self._tasks = [asyncio.ensure_future(self._write()), asyncio.ensure_future(self._read())]

    def send(self, request: Message) -> None:
        self._requests.put_nowait(request)

    async def _write(self) -> None:
        try:
            while True:
                request = await self._requests.get()
                if request is None:
                    await self._call.done_writing()
                    return
                await self._call.write(request)
        except (grpc.RpcError, asyncio.InvalidStateError):
            pass  # the reader says why

    async def _read(self) -> None:
        error: Optional[SightlineError] = None
        try:
            while True:
                reply = await self._call.read()
                if reply is grpc.aio.EOF:
                    break
                self._events.put_nowait((self, "reply", reply))
        except grpc.RpcError as failure:
            error = self._caller._error(failure, None)
        self._tasks[0].cancel()  # nothing is written any more
        self._events.put_nowait((self, "end", error))

    async def finish(self) -> None:
        """Says that nothing more comes, and waits for the server's goodbye."""
        self._requests.put_nowait(None)
        await asyncio.wait(self._tasks, timeout=_END_SECONDS)
        await self.cancel()

    async def cancel(self) -> None:
        """Ends it at once."""
        self._call.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class AsyncStream(Generic[O]):
    def __init__(self, caller: AsyncCaller, kind: StreamKind[O], source: _Items, max_in_flight: int,
                 max_in_flight_bytes: int, patience: float, reply_timeout: float) -> None:
        self._caller = caller
        self._method = kind.method
        self._source = iterator_of(source, _each)
        self._state = StreamState(caller._settings, kind, max_in_flight, max_in_flight_bytes, patience, reply_timeout)
        self._connection: Optional[_Connection] = None
        self._taking: Optional[asyncio.Future[Any]] = None
        self._pulled = False  # an item is out of the source and not in the state yet

    async def run(self) -> AsyncIterator[O]:
        """The outcomes as they come."""
        state = self._state
        events: asyncio.Queue[Tuple[Any, str, Any]] = asyncio.Queue()
        getting: Optional[asyncio.Future[Any]] = None
        try:
            while not state.finished or self._pulled:
                if state.has_room and self._taking is None:
                    self._taking = asyncio.ensure_future(self._take())
                if self._connection is None and state.has_messages and state.wait(False) == 0:
                    self._connection = _Connection(self._caller, self._method, events)
                    state.opened()
                if self._connection is not None:
                    for request in state.due():
                        self._connection.send(request)
                getting = getting or asyncio.ensure_future(events.get())
                # A source that is slow holds nothing up: its next item is one event among others.
                waiting: Set[Any] = {getting} | ({self._taking} if self._taking else set())
                await asyncio.wait(waiting, timeout=self._seconds(), return_when=asyncio.FIRST_COMPLETED)
                outcomes: List[O] = []
                if self._taking is not None and self._taking.done():
                    outcomes += self._taken(self._taking.result())
                    self._taking, self._pulled = None, False
                if getting.done():
                    outcomes += self._happened(*getting.result())
                    getting = None
                if self._connection is not None and state.silent:
                    given_up, self._connection = self._connection, None
                    await given_up.cancel()
                    outcomes += state.broken(state.silence())
                for outcome in outcomes:
                    yield outcome
            if self._connection is not None:
                over, self._connection = self._connection, None
                await over.finish()
            if state.fatal is not None:
                raise state.fatal
        finally:
            for task in (self._taking, getting):
                if task is not None:
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
            if self._connection is not None:
                await self._connection.cancel()

    def _seconds(self) -> float:
        """How long nothing has to be done without an event."""
        if self._connection is None and not self._state.has_messages:
            return 1.0
        return self._state.wait(self._connection is not None)

    async def _take(self) -> Tuple[Any, Union[Message, SightlineError, BaseException]]:
        """The next item, and its message or what is wrong with it; _NO_MORE at the end, with what the source raised."""
        try:
            source = await self._source.__anext__()
        except StopAsyncIteration:
            return _NO_MORE, None
        except Exception as error:  # the source's own: raised once what is on its way has ended
            return _NO_MORE, error
        self._pulled = True
        try:
            return source, await asyncio.get_running_loop().run_in_executor(None, self._state.encode, source)
        except SightlineError as error:
            return source, error

    def _taken(self, taken: Tuple[Any, Any]) -> List[O]:
        source, made = taken
        if source is _NO_MORE:
            self._state.source_ended = True
            self._state.fatal = self._state.fatal or made
            return []
        if self._state.fatal is not None and not isinstance(made, SightlineError):
            made = self._state.fatal  # the stream has ended meanwhile
        refused = self._state.refuse(source, made) if isinstance(made, SightlineError) else self._state.take(
            source, made)
        return [refused] if refused else []

    def _happened(self, connection: _Connection, kind: str, value: Any) -> List[O]:
        if connection is not self._connection:
            return []  # of one that was given up
        if kind == "reply":
            outcome = self._state.reply(value)
            return [outcome] if outcome else []
        self._connection = None
        return self._state.broken(value)
