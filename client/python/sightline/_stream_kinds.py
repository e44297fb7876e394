"""What one stream carries: writes of images, or searches. How its messages are made of what callers give, and outcomes
of what the server answers; when they are sent is StreamState's matter.
"""

from __future__ import annotations

import os
import uuid
from typing import Any, Callable, Generic, Optional, TypeVar

from . import _calls, _connection, _requests
from ._call import assign
from ._convert import convert
from ._schema import Message, message
from .errors import SightlineError, invalid
from .options import Item, Part
from .types import IndexResponse, Outcome, SearchOutcome

O = TypeVar("O")  # noqa: E741  (an outcome)
T = TypeVar("T")


class StreamKind(Generic[O]):
    """A message carries `request`, which has a request_id; its reply the same id, and `status` or `response`."""

    method: str
    #: Whether a message that was too late is sent again.
    deadline_is_for_now = True

    def encode(self, source: Any) -> Message:
        """The message. May read an image's file, and touches nothing of this object, so any thread may do it."""
        raise NotImplementedError

    def outcome(self, source: Any, sent: Optional[Message], response: Optional[Message],
                error: Optional[SightlineError], attempts: int) -> O:
        """How it ended; `sent` is None for what never was a message."""
        raise NotImplementedError


class IndexWrites(StreamKind[Outcome]):
    method = "IndexService/IndexStream"

    def __init__(self, settings: _connection.Settings, collection: str, model: str) -> None:
        self._limit = settings.max_image_bytes
        self._collection, self._model = collection, model

    def encode(self, source: Any) -> Message:
        item = item_of(source)
        request_id = item.request_id or uuid.uuid4().hex
        if not isinstance(request_id, str):
            raise invalid("FIELD_INVALID", f"request_id is {request_id!r}. Give text.", field="request_id")
        made = _requests.index_request(item, self._collection, request_id, self._model, self._limit)
        return message("IndexStreamRequest", request=made)

    def outcome(self, source: Any, sent: Optional[Message], response: Optional[Message],
                error: Optional[SightlineError], attempts: int) -> Outcome:
        if sent is None:
            item = source if isinstance(source, Item) else Item()
            return Outcome(source, item.id if isinstance(item.id, str) else "", str(item.request_id), None, error, 0)
        stored = None if response is None else convert(response, IndexResponse)
        shown = sent.request.item.id or (stored.id if stored else "")
        return Outcome(source, shown, sent.request.request_id, stored, error, attempts)


class Searches(StreamKind[SearchOutcome]):
    method = "SearchService/SearchStream"

    def __init__(self, settings: _connection.Settings, timeout: Optional[float], **options: Any) -> None:
        self._limit = settings.max_image_bytes
        self._options = options
        self._timeout: Optional[float] = None if timeout is None else _connection.checked_timeout(timeout)
        # A caller who says how long a search may take does not want it later.
        self.deadline_is_for_now = timeout is None

    def encode(self, source: Any) -> Message:
        single, parts = Part(), None
        if isinstance(source, Part):
            single = source
        elif isinstance(source, (list, tuple)):
            parts = source
        else:
            single = Part(source)
        made = _requests.search_request(single, parts, self._limit, request_id=uuid.uuid4().hex, **self._options)
        sent = message("SearchStreamRequest", request=made)
        if self._timeout is not None:
            whole = int(self._timeout)
            assign(sent.timeout, {"seconds": whole, "nanos": int((self._timeout - whole) * 1e9)})
        return sent

    def outcome(self, source: Any, sent: Optional[Message], response: Optional[Message],
                error: Optional[SightlineError], attempts: int) -> SearchOutcome:
        if sent is None or response is None:
            return SearchOutcome(source, "" if sent is None else sent.request.request_id, None, error, attempts)
        answer = _calls.search_response(response, sent.request)
        return SearchOutcome(source, sent.request.request_id, answer, error, attempts)


def iterator_of(source: Any, make: Callable[[Any], T]) -> T:
    """`make` of what should be an iterable, in words where it is none."""
    # A path would be taken letter by letter.
    if not isinstance(source, (str, bytes, bytearray, os.PathLike)):
        try:
            return make(source)
        except TypeError:
            pass
    raise invalid("ITEM_INVALID",
                  f"a stream takes an iterable, and this is of type {type(source).__name__}. Give a list, or a "
                  "generator.",
                  field="items")


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
