"""StreamState: what is on its way in a stream, without the connection: one for both clients.

The life of a message: taken from the source -> waiting -> in flight -> answered, or waiting for its next attempt. A
connection that breaks puts all that is in flight back into waiting. Not thread-safe; times are those of
time.monotonic().
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Dict, Generic, List, Optional

from . import _connection
from ._schema import Message
from ._stream_kinds import O, StreamKind
from .errors import DeadlineExceededError, SightlineError, UnavailableError, from_status, invalid

# Connections that broke while an item was on its way, each after an answer to another: the item may be what fells the
# server. A server that answers nobody says nothing about an item.
_MAX_FALLS = 8
_ENVELOPE_BYTES = 1024


@dataclass
class _Sent:
    source: Any  # as it came out of the iterable
    message: Message
    bytes: int
    attempts: int = 0
    refusals: int = 0  # in a row, for now
    refused_since: float = 0.0  # of the first of them
    falls: int = 0  # of _MAX_FALLS
    replies_seen: int = -1  # of the stream, at the last fall
    in_flight: bool = False
    due: float = 0.0  # of the next attempt, while not in flight
    error: Optional[SightlineError] = field(default=None)  # of the last attempt


class StreamState(Generic[O]):
    def __init__(self, settings: _connection.Settings, kind: StreamKind[O], max_in_flight: int,
                 max_in_flight_bytes: int, patience: float, reply_timeout: float) -> None:
        for name, value in (("max_in_flight", max_in_flight), ("max_in_flight_bytes", max_in_flight_bytes)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise invalid("FIELD_INVALID", f"{name} is {value!r}. Give a whole number, at least 1.", field=name)
        for name, seconds in (("patience", patience), ("reply_timeout", reply_timeout)):
            if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds >= 0:
                raise invalid("FIELD_INVALID", f"{name} is {seconds!r}. Give seconds.", field=name)
        self._settings = settings
        self._kind = kind
        self._most, self._max_bytes = max_in_flight, max_in_flight_bytes
        self._patience, self._reply_timeout = patience, reply_timeout
        self._sent: Dict[str, _Sent] = {}  # by request_id
        self._bytes = 0
        self._in_flight = 0
        self._broken_in_a_row = 0  # connections that ended without one reply
        self._replied = False  # on this connection
        self._replies = 0
        self._heard = time.monotonic()  # of the last reply, or when the first message went into an idle stream
        self._away_since: Optional[float] = None
        self.source_ended = False
        self.reconnect_at = 0.0
        #: Ends the stream, once everything taken has its outcome.
        self.fatal: Optional[BaseException] = None

    # Taking from the source.

    @property
    def has_room(self) -> bool:
        """Whether another may be taken."""
        if self.source_ended or self.fatal is not None:
            return False
        return not self._sent or (len(self._sent) < self._most and self._bytes < self._max_bytes)

    @property
    def finished(self) -> bool:
        """True when everything that will be taken has its outcome."""
        return not self._sent and (self.source_ended or self.fatal is not None)

    @property
    def has_messages(self) -> bool:
        """Whether there is something to send, or to wait for."""
        return bool(self._sent)

    def encode(self, source: Any) -> Message:
        """The source as a message. Touches nothing of this object, so any thread may do it."""
        made = self._kind.encode(source)
        size, limit = made.ByteSize(), self._settings.max_message_bytes
        # One message beyond the limit would break the stream for all.
        if size + _ENVELOPE_BYTES > limit:
            raise invalid("MESSAGE_TOO_LARGE",
                          f"the request is {size:,} bytes; the limit is {limit:,}. Send a smaller image.",
                          actual=size,
                          limit=limit)
        return made

    def take(self, source: Any, made: Message) -> Optional[O]:
        """Takes a message in; an outcome where it cannot be sent."""
        request_id = made.request.request_id
        if request_id in self._sent:
            return self.refuse(
                source,
                invalid("DUPLICATE_REQUEST_ID", f"request_id {request_id!r} is on its way already. "
                        "Give every write of a stream its own.",
                        request_id=request_id))
        size = made.ByteSize()
        self._sent[request_id] = _Sent(source, made, size)
        self._bytes += size
        return None

    def refuse(self, source: Any, error: SightlineError) -> O:
        """The outcome of what was never sent."""
        return self._kind.outcome(source, None, None, error, 0)

    # Sending.

    def opened(self) -> None:
        """A connection was begun."""
        self._replied = False

    def due(self) -> List[Message]:
        """What is to be sent now; it is in flight from here on."""
        now = time.monotonic()
        # What was there when the server fell comes last, so that others are answered before.
        ready = sorted((sent for sent in self._sent.values() if not sent.in_flight and sent.due <= now),
                       key=lambda sent: (sent.falls, sent.attempts))
        if self._cautious:
            ready = [] if self._in_flight else ready[:1]
        for sent in ready:
            sent.in_flight = True
            sent.attempts += 1
        if ready and self._in_flight == 0:
            self._heard = now
        self._in_flight += len(ready)
        return [sent.message for sent in ready]

    @property
    def _cautious(self) -> bool:
        """True after two connections in a row that ended without a reply: a single message then goes ahead, so that the
        one that may fell the server does not keep all others from their answers."""
        return self._broken_in_a_row >= 2

    def wait(self, connected: bool) -> float:
        """Seconds until something is to be done without an event."""
        now = time.monotonic()
        if not connected:
            return max(0.0, self.reconnect_at - now)
        held_back = self._cautious and self._in_flight > 0
        times = [sent.due for sent in self._sent.values() if not sent.in_flight and not held_back]
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

    def reply(self, reply: Message) -> Optional[O]:
        """A reply came; an outcome where it ends a sent."""
        self._replied = True
        self._replies += 1
        self._heard = time.monotonic()
        self._broken_in_a_row = 0
        self._away_since = None
        sent = self._sent.get(reply.request_id)
        if sent is None or not sent.in_flight:
            return None
        sent.in_flight = False
        self._in_flight -= 1
        error = from_status(reply.status)
        if error is None:
            return self._end(reply.request_id, reply.response, None)
        now = time.monotonic()
        if sent.refusals == 0:
            sent.refused_since = now
        sent.refusals += 1
        # Not a number of attempts: a server that starts refuses for as long as it loads its models.
        if not self._is_for_now(error) or now - sent.refused_since >= self._patience:
            return self._end(reply.request_id, None, error)
        sent.error = error
        sent.due = now + _connection.backoff(sent.refusals, error)
        return None

    def broken(self, error: Optional[SightlineError]) -> List[O]:
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
            return [self._end(request_id, None, error) for request_id in list(self._sent)]
        self.reconnect_at = now + _connection.backoff(max(1, self._broken_in_a_row), error)
        ended = []
        for request_id, sent in list(self._sent.items()):
            if not sent.in_flight:
                continue
            sent.in_flight, sent.error, sent.due = False, error, self.reconnect_at
            if self._replies > sent.replies_seen:
                sent.falls, sent.replies_seen = sent.falls + 1, self._replies
            if sent.falls >= _MAX_FALLS:
                ended.append(self._end(request_id, None, error))
        return ended

    def _is_for_now(self, error: SightlineError) -> bool:
        """When the server's own deadline has passed, or is too near, too much was before the message, and it may be in
        time later."""
        late = isinstance(error, DeadlineExceededError) and self._kind.deadline_is_for_now
        return late or _connection.is_retryable(error)

    def _end(self, request_id: str, response: Optional[Message], error: Optional[SightlineError]) -> O:
        sent = self._sent.pop(request_id)
        self._bytes -= sent.bytes
        return self._kind.outcome(sent.source, sent.message, response, error, sent.attempts)
