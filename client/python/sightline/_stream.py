"""Stream: one Client.index_stream or search_stream at work.

Threads: the caller's takes from the source and yields outcomes; gRPC's own sends what is in a queue; one of ours reads
the replies. The state is touched by the caller's alone.
"""

from __future__ import annotations

import queue
import threading
from typing import Any, Generic, Iterable, Iterator, List, Optional, Tuple

import grpc

from ._caller import Caller
from ._schema import Message
from ._stream_kinds import O, StreamKind, iterator_of
from ._stream_state import StreamState
from .errors import SightlineError

_END_SECONDS = 5.0  # for a stream that is over to say so


class _Connection:
    """One call of the RPC. Its events, ("reply", message) and ("end", error), come out of `events`."""
    def __init__(self, caller: Caller, method: str, events: queue.SimpleQueue[Tuple[Any, str, Any]]) -> None:
        self._caller = caller
        self._events = events
        self._requests: queue.SimpleQueue[Optional[Message]] = queue.SimpleQueue()
        # No deadline: the whole may take hours. That replies come is watched.
        self._call = caller._stub(method)(iter(self._requests.get, None), metadata=caller._settings.metadata)
        self._reader = threading.Thread(target=self._read, name="sightline-stream", daemon=True)
        self._reader.start()

    def send(self, request: Message) -> None:
        self._requests.put(request)

    def _read(self) -> None:
        error: Optional[SightlineError] = None
        try:
            for reply in self._call:
                self._events.put((self, "reply", reply))
        except grpc.RpcError as failure:
            error = self._caller._error(failure, None)
        self._requests.put(None)  # frees gRPC's thread, which waits for the next one to send
        self._events.put((self, "end", error))

    def finish(self) -> None:
        """Says that nothing more comes, and waits for the server's goodbye."""
        self._requests.put(None)
        self._reader.join(_END_SECONDS)
        self.cancel()

    def cancel(self) -> None:
        """Ends it at once."""
        self._call.cancel()
        self._reader.join(_END_SECONDS)


class Stream(Generic[O]):
    def __init__(self, caller: Caller, kind: StreamKind[O], source: Iterable[Any], max_in_flight: int,
                 max_in_flight_bytes: int, patience: float, reply_timeout: float) -> None:
        self._caller = caller
        self._method = kind.method
        self._source = iterator_of(source, iter)
        self._state = StreamState(caller._settings, kind, max_in_flight, max_in_flight_bytes, patience, reply_timeout)
        self._events: queue.SimpleQueue[Tuple[Any, str, Any]] = queue.SimpleQueue()
        self._connection: Optional[_Connection] = None

    def run(self) -> Iterator[O]:
        """The outcomes as they come."""
        state = self._state
        try:
            while not state.finished:
                if state.has_room:
                    yield from self._take()
                if self._connection is None and state.has_messages and state.wait(False) == 0:
                    self._connection = _Connection(self._caller, self._method, self._events)
                    state.opened()
                if self._connection is not None:
                    for request in state.due():
                        self._connection.send(request)
                yield from self._handle_events()
            if self._connection is not None:
                self._connection.finish()
                self._connection = None
            if state.fatal is not None:
                raise state.fatal
        finally:
            if self._connection is not None:
                self._connection.cancel()

    def _take(self) -> List[O]:
        """Takes one item; its outcome, where it cannot be sent."""
        try:
            source = next(self._source)
        except StopIteration:
            self._state.source_ended = True
            return []
        except Exception as error:  # the source's own: raised once what is on its way has ended
            self._state.source_ended, self._state.fatal = True, error
            return []
        try:
            refused = self._state.take(source, self._state.encode(source))
        except SightlineError as error:
            refused = self._state.refuse(source, error)
        return [refused] if refused else []

    def _handle_events(self) -> Iterator[O]:
        """Waits for an event only where there is nothing else to do."""
        state = self._state
        seconds = 0.0 if state.has_room else state.wait(self._connection is not None)
        while True:
            try:
                connection, kind, value = self._events.get(timeout=seconds) if seconds else self._events.get_nowait()
            except queue.Empty:
                break
            seconds = 0.0
            if connection is not self._connection:
                continue  # of one that was given up
            if kind == "reply":
                outcome = state.reply(value)
                if outcome is not None:
                    yield outcome
            else:
                self._connection = None
                yield from state.broken(value)
        if self._connection is not None and state.silent:
            self._connection.cancel()
            self._connection = None
            yield from state.broken(state.silence())
