"""Call: one unary RPC, ready to be made: what the synchronous and the asynchronous client have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Generic, Iterable, Mapping, TypeVar

from ._schema import METHODS, Message, is_repeated
from .errors import SightlineError, invalid

T = TypeVar("T")


@dataclass(frozen=True)
class Call(Generic[T]):
    """`kind` chooses the deadline: "call", "image" or "load"."""

    method: str
    request: Message
    finish: Callable[[Message], T]
    kind: str = "call"


@dataclass(frozen=True)
class Pages(Generic[T]):
    """A listing: `method` is called with each page's token, and `finish` makes values of one page."""

    method: str
    request: Message
    finish: Callable[[Message], Iterable[T]]

    def page(self, token: str) -> Call[Any]:
        """The call for one page: gives its values and the next page's token, empty at the end."""
        self.request.page_token = token
        return Call(self.method, self.request, lambda reply: (list(self.finish(reply)), reply.next_page_token))


def request(method: str, **fields: Any) -> Message:
    """A request of `method` with these fields; None leaves a field out."""
    made = METHODS[method].request()
    assign(made, fields)
    return made


def assign(target: Message, fields: Mapping[str, Any], path: str = "") -> None:
    """Sets fields; what does not fit is refused in words, not in protobuf's."""
    for name, value in fields.items():
        if value is None:
            continue
        try:
            field = target.DESCRIPTOR.fields_by_name[name]
            if is_repeated(field):
                getattr(target, name).extend(value)
            elif field.message_type is not None:
                getattr(target, name).CopyFrom(value)
            elif field.type == field.TYPE_BOOL and not isinstance(value, bool):
                raise TypeError("True or False is wanted")
            elif field.cpp_type in (field.CPPTYPE_INT32, field.CPPTYPE_INT64) and isinstance(value, bool):
                raise TypeError("a number is wanted")
            else:
                setattr(target, name, value)
        except (TypeError, ValueError) as error:
            if isinstance(error, SightlineError):
                raise
            shown = repr(value)
            shown = shown if len(shown) <= 80 else shown[:77] + "..."
            raise invalid("FIELD_INVALID", f"{path}{name} is {shown}, which does not fit ({_words(error)}). Give "
                          f"{_wanted(target, name)}.",
                          field=path + name,
                          actual=shown) from None


def _words(error: Exception) -> str:
    return str(error).rstrip(".").split("\n")[0]


def _wanted(target: Message, name: str) -> str:
    """What a field takes, in words."""
    field = target.DESCRIPTOR.fields_by_name[name]
    kinds = {
        field.CPPTYPE_INT32: "a whole number of 32 bits",
        field.CPPTYPE_INT64: "a whole number of 64 bits",
        field.CPPTYPE_DOUBLE: "a number",
        field.CPPTYPE_FLOAT: "numbers",
        field.CPPTYPE_BOOL: "True or False",
        field.CPPTYPE_ENUM: "one of its names",
        field.CPPTYPE_STRING: "bytes" if field.type == field.TYPE_BYTES else "text (str) without lone surrogates",
    }
    return kinds.get(field.cpp_type, "what the API takes there")


def enum(target: Message, name: str, value: Any) -> int:
    """The number of an enum's value by its short name: "hnsw" for INDEX_KIND_HNSW."""
    kind = target.DESCRIPTOR.fields_by_name[name].enum_type
    prefix = kind.values[0].name[:-len("UNSPECIFIED")]
    names = {entry.name[len(prefix):].lower(): entry.number for entry in kind.values}
    names.pop("unspecified", None)
    if not isinstance(value, str) or value.lower() not in names:
        raise invalid("FIELD_INVALID",
                      f"{name} is {value!r}. Use one of {', '.join(sorted(names))}.",
                      field=name,
                      actual=value)
    number: int = names[value.lower()]
    return number


def make_stub(channel: Any, method: str) -> Callable[..., Any]:
    """gRPC's callable of a method, on a channel of either kind."""
    m = METHODS[method]
    kind = f"{'stream' if m.client_streaming else 'unary'}_{'stream' if m.server_streaming else 'unary'}"
    stub: Callable[..., Any] = getattr(channel, kind)(m.path,
                                                      request_serializer=m.request.SerializeToString,
                                                      response_deserializer=m.response.FromString)
    return stub
