"""The requests that carry images: search, explain, embed and index, from what callers give to what the API takes."""

from __future__ import annotations

import dataclasses
from typing import Any, Iterable, List, Mapping, Optional, Tuple

from . import _images
from ._call import assign, enum, request
from ._convert import set_attributes
from ._schema import Message, message
from .errors import invalid
from .options import Crop, Expansion, Explain, Item, Part, Rerank
from .types import Box, Descriptor, Embedding, Tokens

_FRACTIONS = "fraction"


def crop_box(crop: Any, field: str = "crop") -> Message:
    """One crop as the API has it."""
    if isinstance(crop, (Crop, Box)):
        edges: Tuple[Any, ...] = (crop.x0, crop.y0, crop.x1, crop.y1)
        unit = crop.unit
    else:
        try:
            edges = tuple(crop)
        except TypeError:
            edges = ()
        if len(edges) != 4 or any(isinstance(edge, (str, bytes)) or not hasattr(edge, "__float__") for edge in edges):
            raise invalid("CROP_INVALID", f"{field} is {crop!r}. Give four numbers: (x0, y0, x1, y1).", field=field)
        edges = tuple(map(float, edges))
        unit = _FRACTIONS if all(edge <= 1 for edge in edges) else "pixel"
    box = message("CropBox")
    assign(box, dict(zip(("x0", "y0", "x1", "y1"), map(float, edges))), f"{field}.")
    box.unit = enum(box, "unit", unit)
    return box


def _crops(crop: Any, field: str) -> List[Message]:
    """One crop, or several."""
    if crop is None:
        return []
    several = not isinstance(crop, (Crop, Box)) and isinstance(crop, Iterable) and any(
        isinstance(one, (Crop, Box, tuple, list)) for one in crop)
    return [crop_box(one, field) for one in crop] if several else [crop_box(crop, field)]


def descriptor(source: Any, field: str) -> Message:
    """A descriptor, also of an Embedding."""
    vector = source.global_descriptor if isinstance(source, Embedding) else source
    if not isinstance(vector, Descriptor):
        raise invalid("DESCRIPTOR_INVALID",
                      f"{field} is of type {type(source).__name__}. Give a Descriptor(values, embedding_space), or "
                      "what embed returned.",
                      field=field)
    made = message("EmbeddingVector")
    assign(made, {
        "values": [float(value) for value in vector.values],
        "embedding_space": vector.embedding_space
    }, f"{field}.")
    return made


def tokens_message(tokens: Any, field: str = "tokens") -> Message:
    """Patch tokens as the API has them."""
    if not isinstance(tokens, Tokens):
        raise invalid("TOKENS_INVALID",
                      f"{field} is of type {type(tokens).__name__}. Give the Tokens that embed returned.",
                      field=field)
    made = message("PatchTokens")
    given = dataclasses.asdict(tokens)
    given["precision"] = enum(made, "precision", given["precision"])
    assign(made, given, f"{field}.")
    return made


def _query_part(part: Part, limit: int, field: str) -> Message:
    given = [name for name in ("image", "id", "descriptor") if getattr(part, name) is not None]
    if len(given) != 1:
        raise invalid("QUERY_INVALID",
                      f"{field} has {' and '.join(given) or 'nothing to look for'}. Give one of image, id and "
                      "descriptor.",
                      field=field)
    made = message("QueryPart")
    if part.image is not None:
        made.image = _images.encode(part.image, limit, f"{field}.image")
    elif part.id is not None:
        assign(made, {"id": part.id}, f"{field}.")
    else:
        made.global_descriptor.CopyFrom(descriptor(part.descriptor, f"{field}.descriptor"))
        if isinstance(part.descriptor, Embedding) and part.descriptor.tokens is not None:
            made.tokens.CopyFrom(tokens_message(part.descriptor.tokens))
    assign(made, {"crops": _crops(part.crop, f"{field}.crop"), "weight": part.weight}, f"{field}.")
    return made


def iterable_of(values: Any, field: str, wanted: str) -> Iterable[Any]:
    """What is to be several, in words where it is not."""
    try:
        several: Iterable[Any] = iter(values)
        return several
    except TypeError:
        raise invalid("FIELD_INVALID",
                      f"{field} is of type {type(values).__name__}, and not a list. Give [{wanted}, ...].",
                      field=field) from None


def query(single: Part, parts: Optional[Iterable[Part]], limit: int) -> Message:
    """What to look for: one part, or several with weights."""
    made = message("Query")
    if parts is None:
        made.parts.append(_query_part(single, limit, "query"))
        return made
    if single != Part() or single.image is not None or single.descriptor is not None:
        raise invalid("QUERY_INVALID",
                      "the query has parts and an image, id, descriptor or crop beside them. Put all into the "
                      "parts.",
                      field="parts")
    for number, part in enumerate(iterable_of(parts, "parts", "sightline.Part(...)")):
        field = f"parts[{number}]"
        if not isinstance(part, Part):
            raise invalid("QUERY_INVALID",
                          f"{field} is of type {type(part).__name__}. Give sightline.Part(...).",
                          field=field)
        made.parts.append(_query_part(part, limit, field))
    return made


def rerank_options(rerank: Any) -> Optional[Message]:
    """None: the model's default. True and False: by optimal transport, and not at all."""
    if rerank is None:
        return None
    if isinstance(rerank, bool):
        rerank = Rerank() if rerank else Rerank(method="off")
    if isinstance(rerank, str):
        rerank = Rerank(method=rerank)
    if not isinstance(rerank, Rerank):
        raise invalid("FIELD_INVALID",
                      f"rerank is {rerank!r}. Give True, False, or sightline.Rerank(...).",
                      field="rerank")
    made = message("RerankOptions")
    given = {field.name: getattr(rerank, field.name) for field in dataclasses.fields(rerank)}
    for name in ("method", "marginals"):
        given[name] = None if given[name] is None else enum(made, name, given[name])
    assign(made, given, "rerank.")
    return made


def _expansion(expansion: Any) -> Optional[Message]:
    if expansion is None:
        return None
    if isinstance(expansion, str):
        expansion = Expansion(method=expansion)
    if not isinstance(expansion, Expansion):
        raise invalid("FIELD_INVALID",
                      f"expansion is {expansion!r}. Give a method's name, or sightline.Expansion(...).",
                      field="expansion")
    made = message("QueryExpansion")
    made.method = enum(made, "method", expansion.method)
    assign(made, {"neighbours": expansion.neighbours, "alpha": expansion.alpha}, "expansion.")
    return made


def explain_options(explain: Any) -> Optional[Message]:
    """None, False and 0: no evidence. True: that of the best ten. A number: of so many."""
    if explain is None or (isinstance(explain, int) and explain == 0):
        return None
    if explain is True:
        explain = Explain()
    elif isinstance(explain, int):
        explain = Explain(results=explain)
    if not isinstance(explain, Explain):
        raise invalid("FIELD_INVALID",
                      f"explain is {explain!r}. Give True, False, or sightline.Explain(...).",
                      field="explain")
    made = message("ExplainOptions", enabled=True)
    assign(made, {
        "correspondences": explain.correspondences,
        "heat_maps": explain.heat_maps,
        "results": explain.results
    }, "explain.")
    return made


def explain_image(source: Any, id: Any, crop: Any, limit: int, side: str) -> Message:
    """One of the two images of an explanation."""
    if (source is None) == (id is None):
        what = "has nothing to compare" if source is None else "is both an image and an id"
        raise invalid("QUERY_INVALID", f"{side} {what}. Give {side}= or {side}_id=.", field=side)
    made = message("ExplainImage")
    if source is not None:
        made.image = _images.encode(source, limit, side)
    else:
        assign(made, {"id": id}, f"{side}_")
    if crop is not None:
        made.crop.CopyFrom(crop_box(crop, f"{side}_crop"))
    return made


def index_item(item: Item, limit: int) -> Message:
    """One image to store."""
    if not isinstance(item, Item):
        raise invalid("ITEM_INVALID",
                      f"the item is of type {type(item).__name__}. Give sightline.Item(...).",
                      field="item")
    if (item.image is None) == (item.descriptor is None):
        what = "has neither image nor descriptor" if item.image is None else "has both image and descriptor"
        raise invalid("ITEM_INVALID", f"the item {what}. Give one of them.", field="item")
    made = message("ImageItem")
    tokens = item.tokens
    if item.image is not None:
        made.image = _images.encode(item.image, limit, "item.image")
    else:
        made.global_descriptor.CopyFrom(descriptor(item.descriptor, "item.descriptor"))
        if tokens is None and isinstance(item.descriptor, Embedding):
            tokens = item.descriptor.tokens
    if tokens is not None:
        made.tokens.CopyFrom(tokens_message(tokens, "item.tokens"))
    if item.crop is not None:
        made.crop.CopyFrom(crop_box(item.crop, "item.crop"))
    if item.attributes is not None:
        set_attributes(made.attributes, item.attributes)
    assign(made, {"id": item.id, "source_uri": item.source_uri}, "item.")
    return made


def index_request(item: Item, collection: str, request_id: str, model: str, limit: int) -> Message:
    """The write of one image."""
    made = request("IndexService/Index", collection=collection, request_id=request_id, model=model)
    made.item.CopyFrom(index_item(item, limit))
    return made


def search_request(single: Part, parts: Optional[Iterable[Part]], limit: int, *, rerank: Any, expansion: Any,
                   explain: Any, **fields: Any) -> Message:
    """The search; `fields` are those of the API's SearchRequest that take plain values."""
    made = request("SearchService/Search", **fields)
    made.query.CopyFrom(query(single, parts, limit))
    assign(made, {
        "rerank": rerank_options(rerank),
        "expansion": _expansion(expansion),
        "explain": explain_options(explain)
    })
    return made


def settings_message(settings: Mapping[str, Any]) -> Message:
    """Settings of a collection; enums by their short names."""
    made = message("CollectionSettings")
    for name, value in settings.items():
        field = made.DESCRIPTOR.fields_by_name.get(name)
        if field is None:
            known = ", ".join(sorted(made.DESCRIPTOR.fields_by_name))
            raise invalid("FIELD_INVALID", f"there is no setting {name!r}. The settings are {known}.", field=name)
        if value is not None:
            assign(made, {name: enum(made, name, value) if field.enum_type is not None else value}, "settings.")
    return made
