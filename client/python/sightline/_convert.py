"""From messages to the values of types and records, field by field by name; and attributes, both ways."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any, Callable, Dict, Mapping, Type, TypeVar

from . import records, types
from ._schema import Message, is_repeated, message, message_class
from .errors import from_status, invalid

T = TypeVar("T")

# The value a message becomes, by the message's name within the API; Result's messages have longer names there.
_VALUES: Dict[str, Any] = {
    "Collection": records.Collection,
    "CollectionSettings": records.CollectionSettings,
    "CollectionStats": records.CollectionStats,
    "ConfidenceModel": records.ConfidenceModel,
    "Correspondence": types.Correspondence,
    "CropBox": types.Box,
    "DeleteImagesResponse": types.DeleteResponse,
    "EmbedResponse": types.Embedding,
    "EmbeddingVector": types.Descriptor,
    "Evidence": types.Evidence,
    "ExplainResponse": types.Explanation,
    "FindDuplicatesResult": records.Duplicates,
    "FindDuplicatesResult.Group": records.DuplicateGroup,
    "FindDuplicatesResult.Pair": records.DuplicatePair,
    "GetServerInfoResponse": records.ServerInfo,
    "GetServerInfoResponse.IndexCard": records.IndexCard,
    "HeatMap": types.HeatMap,
    "ImageRecord": types.ImageRecord,
    "IndexResponse": types.IndexResponse,
    "LayerBytes": records.LayerBytes,
    "Limits": records.Limits,
    "ListAttributeValuesResponse.ValueCount": records.ValueCount,
    "Model": records.Model,
    "ModelUse": types.ModelUse,
    "Operation": records.OperationState,
    "OtherSpace": records.OtherSpace,
    "PatchTokens": types.Tokens,
    "ReembedCollectionResult": records.Reembedded,
    "ReembedCollectionResult.LeftOut": records.LeftOut,
    "RerankOptions": records.RerankSettings,
    "SearchResponse": types.SearchResponse,
    "SearchResult": types.Result,
    "SearchStats": types.SearchStats,
    "Snapshot": records.Snapshot,
    "StageTime": types.StageTime,
}
_API = "sightline.v1."
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def _time(value: Message) -> datetime.datetime:
    return _EPOCH + datetime.timedelta(seconds=value.seconds, microseconds=value.nanos // 1000)


def _any(value: Message) -> Any:
    kind = value.type_url.rpartition("/")[2]
    try:
        inner = message_class(kind)
    except KeyError:
        return None  # of a newer server
    return _message(inner.FromString(value.value))


def attribute(value: Message) -> types.AttributeValue:
    """One attribute as Python has it."""
    kind = value.WhichOneof("kind")
    if kind == "string_list":
        return tuple(value.string_list.values)
    return getattr(value, kind) if kind else ""


_SPECIAL: Dict[str, Callable[[Message], Any]] = {
    "google.protobuf.Timestamp": _time,
    "google.protobuf.Duration": lambda value: value.seconds + value.nanos / 1e9,
    "google.protobuf.Any": _any,
    "google.rpc.Status": from_status,
    _API + "AttributeValue": attribute,
}


def _message(value: Message) -> Any:
    name = value.DESCRIPTOR.full_name
    if name in _SPECIAL:
        return _SPECIAL[name](value)
    kind = _VALUES.get(name[len(_API):])
    return None if kind is None else _fields(value, kind)


def _enum(field: Any, number: int) -> str:
    """A value's name without the prefix of its kind: KEEP_IMAGE_PREVIEW is "preview"."""
    kind = field.enum_type
    first = kind.values[0].name
    prefix = first[:-len("UNSPECIFIED")] if first.endswith("UNSPECIFIED") else ""
    found = kind.values_by_number.get(number)
    return str(found.name[len(prefix):].lower() if found else number)


def _field(value: Message, field: Any) -> Any:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        entries = getattr(value, field.name)
        return {key: attribute(entries[key]) for key in sorted(entries)}
    if is_repeated(field):
        items = getattr(value, field.name)
        return tuple(_message(item) for item in items) if field.message_type is not None else tuple(items)
    if field.message_type is not None:
        return _message(getattr(value, field.name)) if value.HasField(field.name) else None
    if field.has_presence and field.containing_oneof is not None and not value.HasField(field.name):
        return None
    number_or_text = getattr(value, field.name)
    return _enum(field, number_or_text) if field.enum_type is not None else number_or_text


def _fields(value: Message, kind: Any) -> Any:
    fields = value.DESCRIPTOR.fields_by_name
    return kind(**{f.name: _field(value, fields[f.name]) for f in dataclasses.fields(kind) if f.name in fields})


def convert(value: Message, kind: Type[T]) -> T:
    """The message as a value of `kind`."""
    made: T = _fields(value, kind)
    return made


def set_attributes(target: Any, attributes: Mapping[str, Any]) -> None:
    """Writes attributes into a map field of the API."""
    if not isinstance(attributes, Mapping):
        raise invalid("ATTRIBUTES_INVALID",
                      f"attributes are of type {type(attributes).__name__}, and not a dict. Give them as "
                      "{\"key\": value}.",
                      field="attributes")
    for key, value in attributes.items():
        if not isinstance(key, str):
            raise invalid("ATTRIBUTES_INVALID",
                          f"the attribute key {key!r} is not text. Name attributes with str.",
                          field="attributes")
        target[key].CopyFrom(_attribute_message(key, value))


def _attribute_message(key: str, value: Any) -> Message:
    try:
        # numpy's True is no bool, and can be told as a number.
        if isinstance(value, bool) or getattr(getattr(value, "dtype", None), "kind", "") == "b":
            return message("AttributeValue", bool_value=bool(value))
        if isinstance(value, str):
            return message("AttributeValue", string_value=value)
        if hasattr(value, "__index__"):  # int and numpy's
            return message("AttributeValue", int64_value=value.__index__())
        if hasattr(value, "__float__"):
            return message("AttributeValue", double_value=float(value))
        if isinstance(value, (list, tuple, set, frozenset)) and all(isinstance(text, str) for text in value):
            texts = sorted(value) if isinstance(value, (set, frozenset)) else value
            return message("AttributeValue", string_list=message("StringList", values=texts))
    except (TypeError, ValueError) as error:
        raise invalid("ATTRIBUTE_INVALID",
                      f"the attribute {key!r} is {_short(value)}, which cannot be sent ({error}). Give it "
                      "another value.",
                      field=f"attributes.{key}") from None
    raise invalid("ATTRIBUTE_INVALID",
                  f"the attribute {key!r} is {_short(value)}, of type {type(value).__name__}. Use str, int, float, "
                  "bool or a list of str.",
                  field=f"attributes.{key}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
