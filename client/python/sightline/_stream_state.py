"""StreamState: what is on its way in an index_stream, without the connection: one for both clients.

The life of a write: taken from the source -> waiting -> in flight -> answered, or waiting for its next attempt. A
connection that breaks puts all that is in flight back into waiting. Not thread-safe; times are those of
time.monotonic().
"""

from __future__ import annotations

import os
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional

from . import _connection, _requests
from ._convert import convert
from ._schema import Message, message
from .errors import SightlineError, UnavailableError, from_status, invalid
from .options import Item
from .types import IndexResponse, Outcome

# Connections that broke while an item was on its way, each after an answer to another: the item may be what fells the
# server. A server that answers nobody says nothing about an item.
_MAX_FALLS = 8
_ENVELOPE_BYTES = 1024


@dataclass
class _Write:
    source: Any  # as it came out of the iterable
    request: Message
    id: str
    bytes: int
    attempts: int = 0
    refusals: int = 0  # in a row, for now
    refused_since: float = 0.0  # of the first of them
    falls: int = 0  # of _MAX_FALLS
    replies_seen: int = -1  # of the stream, at the last fall
    in_flight: bool = False
    due: float = 0.0  # of the next attempt, while not in flight
    error: Optional[SightlineError] = field(default=None)  # of the last attempt


class StreamState:
    def __init__(self, settings: _connection.Settings, collection: str, max_in_flight: int, max_in_flight_bytes: int,
                 model: str, patience: float, reply_timeout: float) -> None:
        for name, value in (("max_in_flight", max_in_flight), ("max_in_flight_bytes", max_in_flight_bytes)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise invalid("FIELD_INVALID", f"{name} is {value!r}. Give a whole number, at least 1.", field=name)
        for name, seconds in (("patience", patience), ("reply_timeout", reply_timeout)):
            if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds >= 0:
                raise invalid("FIELD_INVALID", f"{name} is {seconds!r}. Give seconds.", field=name)
        self._settings = settings
        self._collection = collection
        self._max_writes, self._max_bytes = max_in_flight, max_in_flight_bytes
        self._model = model
        self._patience, self._reply_timeout = patience, reply_timeout
        self._writes: Dict[str, _Write] = {}
        self._bytes = 0
        self._in_flight = 0
        self._broken_in_a_row = 0  # connections that ended without one reply
        self._replied = False  # on this connection
        self._replies = 0
        self._heard = time.monotonic()  # of the last reply, or when the first write went into an idle stream
        self._away_since: Optional[float] = None
        self.source_ended = False
        self.reconnect_at = 0.0
        #: Ends the stream, once everything taken has its outcome.
        self.fatal: Optional[BaseException] = None

    # Taking from the source.

    @property
    def has_room(self) -> bool:
        """Whether another write may be taken."""
        if self.source_ended or self.fatal is not None:
            return False
        return not self._writes or (len(self._writes) < self._max_writes and self._bytes < self._max_bytes)

    @property
    def finished(self) -> bool:
        """True when everything that will be taken has its outcome."""
        return not self._writes and (self.source_ended or self.fatal is not None)

    @property
    def has_writes(self) -> bool:
        """Whether there is something to send, or to wait for."""
        return bool(self._writes)

    def encode(self, source: Any) -> Message:
        """The write as a message. Reads the image's file; touches nothing of this object, so any thread may do it."""
        item = item_of(source)
        request_id = item.request_id or uuid.uuid4().hex
        if not isinstance(request_id, str):
            raise invalid("FIELD_INVALID", f"request_id is {request_id!r}. Give text.", field="request_id")
        made = _requests.index_request(item, self._collection, request_id, self._model, self._settings.max_image_bytes)
        size, limit = made.ByteSize(), self._settings.max_message_bytes
        # One message beyond the limit would break the stream for all.
        if size + _ENVELOPE_BYTES > limit:
            raise invalid("MESSAGE_TOO_LARGE",
                          f"the write is {size:,} bytes; the limit is {limit:,}. Send a smaller image.",
                          actual=size,
                          limit=limit)
        return made

    def take(self, source: Any, made: Message) -> Optional[Outcome]:
        """A new write; an outcome where it cannot be one."""
        if made.request_id in self._writes:
            return self.refuse(
                source,
                invalid("DUPLICATE_REQUEST_ID", f"request_id {made.request_id!r} is on its way already. "
                        "Give every write of a stream its own.",
                        request_id=made.request_id))
        size = made.ByteSize()
        self._writes[made.request_id] = _Write(source, message("IndexStreamRequest", request=made), made.item.id, size)
        self._bytes += size
        return None

    @staticmethod
    def refuse(source: Any, error: SightlineError) -> Outcome:
        """The outcome of an item that was never sent."""
        item = source if isinstance(source, Item) else Item()
        return Outcome(source, item.id if isinstance(item.id, str) else "", str(item.request_id), None, error, 0)

    # Sending.

    def opened(self) -> None:
        """A connection was begun."""
        self._replied = False

    def due(self) -> List[Message]:
        """What is to be sent now; it is in flight from here on."""
        now = time.monotonic()
        # What was there when the server fell comes last, so that others are answered before.
        ready = sorted((write for write in self._writes.values() if not write.in_flight and write.due <= now),
                       key=lambda write: (write.falls, write.attempts))
        if self._cautious:
            ready = [] if self._in_flight else ready[:1]
        for write in ready:
            write.in_flight = True
            write.attempts += 1
        if ready and self._in_flight == 0:
            self._heard = now
        self._in_flight += len(ready)
        return [write.request for write in ready]

    @property
    def _cautious(self) -> bool:
        """True after two connections in a row that ended without a reply: a single write then goes ahead, so that the
        one that may fell the server does not keep all others from their answers."""
        return self._broken_in_a_row >= 2

    def wait(self, connected: bool) -> float:
        """Seconds until something is to be done without an event."""
        now = time.monotonic()
        if not connected:
            return max(0.0, self.reconnect_at - now)
        held_back = self._cautious and self._in_flight > 0
        times = [write.due for write in self._writes.values() if not write.in_flight and not held_back]
        if self._in_flight:
            times.append(self._heard + self._reply_timeout)
        return max(0.0, min(times, default=now + 1.0) - now)

    @property
    def silent(self) -> bool:
        """True when the server has not answered for too long."""
        return self._in_flight > 0 and time.monotonic() - self._heard > self._reply_timeout

    def silence(self) -> SightlineError:
        """What is then said."""
        return UnavailableError(
            f"no reply from {self._settings.address} for {self._reply_timeout:g} s. Check the server's load, or "
            "allow more time (reply_timeout=).",
            reason="REPLY_TIMEOUT")

    # Events.

    def reply(self, reply: Message) -> Optional[Outcome]:
        """A reply came; an outcome where it ends a write."""
        self._replied = True
        self._replies += 1
        self._heard = time.monotonic()
        self._broken_in_a_row = 0
        self._away_since = None
        write = self._writes.get(reply.request_id)
        if write is None or not write.in_flight:
            return None
        write.in_flight = False
        self._in_flight -= 1
        error = from_status(reply.status)
        if error is None:
            return self._end(reply.request_id, convert(reply.response, IndexResponse), None)
        now = time.monotonic()
        if write.refusals == 0:
            write.refused_since = now
        write.refusals += 1
        # Not a number of attempts: a server that starts refuses for as long as it loads its models.
        if not _connection.is_retryable(error) or now - write.refused_since >= self._patience:
            return self._end(reply.request_id, None, error)
        write.error = error
        write.due = now + _connection.backoff(write.refusals, error)
        return None

    def broken(self, error: Optional[SightlineError]) -> List[Outcome]:
        """The connection ended; None: with OK. Returns what has its outcome by that."""
        self._in_flight = 0
        if error is None and self.finished:
            return []
        # A server that ends the stream early, with whatever kind of goodbye, can be asked again.
        error = error or UnavailableError(
            f"the server at {self._settings.address} ended the stream early. Try again when it has "
            "restarted.",
            reason="STREAM_ENDED")
        now = time.monotonic()
        if not self._replied:
            self._broken_in_a_row += 1
        self._away_since = now if self._away_since is None else self._away_since
        if not _connection.is_retryable(error) or now - self._away_since >= self._patience:
            self.fatal = error
            return [self._end(request_id, None, error) for request_id in list(self._writes)]
        self.reconnect_at = now + _connection.backoff(max(1, self._broken_in_a_row), error)
        ended = []
        for request_id, write in list(self._writes.items()):
            if not write.in_flight:
                continue
            write.in_flight, write.error, write.due = False, error, self.reconnect_at
            if self._replies > write.replies_seen:
                write.falls, write.replies_seen = write.falls + 1, self._replies
            if write.falls >= _MAX_FALLS:
                ended.append(self._end(request_id, None, error))
        return ended

    def _end(self, request_id: str, response: Optional[IndexResponse], error: Optional[SightlineError]) -> Outcome:
        write = self._writes.pop(request_id)
        self._bytes -= write.bytes
        shown = write.id or (response.id if response else "")
        return Outcome(write.source, shown, request_id, response, error, write.attempts)


def item_of(source: Any) -> Item:
    """What an iterable may give: an Item, an image (a path's id is the path), or a pair (id, image)."""
    if isinstance(source, Item):
        return source
    if isinstance(source, tuple):
        if len(source) != 2:
            raise invalid("ITEM_INVALID",
                          f"the item is a tuple of {len(source)}. Give an Item, an image, or a pair (id, image).",
                          field="item")
        return Item(source[1], id=source[0])
    if isinstance(source, (str, os.PathLike)):
        return Item(source, id=os.fspath(source))
    return Item(source)
