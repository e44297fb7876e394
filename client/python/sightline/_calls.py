"""Every unary RPC as a Call, for both clients. One function an RPC; their documentation is that of the clients'
methods."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any, Callable, Iterable, Iterator, Mapping, Optional, Sequence, Tuple

from . import _images, _requests, records, types
from ._call import Call, Pages, assign, enum, request
from ._convert import convert, set_attributes
from ._schema import Message, message
from ._snapshot_file import PIECE_BYTES, open_snapshot, read_head
from .errors import invalid
from .options import Explain, Item, Part


def _nothing(_: Message) -> None:
    return None


def _inner(field: str, kind: Any) -> Callable[[Message], Any]:
    return lambda reply: convert(getattr(reply, field), kind)


def search(single: Part, parts: Optional[Iterable[Part]], limit: int, **options: Any) -> Call[types.SearchResponse]:
    made = _requests.search_request(single, parts, limit, **options)
    images = any(part.image for part in made.query.parts)
    return Call("SearchService/Search", made, lambda reply: search_response(reply, made),
                "image" if images else "call")


def search_response(reply: Message, made: Message) -> types.SearchResponse:
    """The answer, with the pictures that were sent."""
    answer = convert(reply, types.SearchResponse)
    return with_pictures(answer, [part.image for part in made.query.parts])


def ids_to_show(call: Call[types.SearchResponse]) -> Sequence[Optional[str]]:
    """By part of the query: the id whose preview evidence is drawn on; nothing without evidence."""
    made = call.request
    return [part.id or None for part in made.query.parts] if made.explain.enabled else []


def with_pictures(answer: types.SearchResponse, images: Sequence[bytes]) -> types.SearchResponse:
    """Gives evidence the pictures it is drawn on: the result's preview, and `images` by part of the query where they
    are not empty."""
    def shown(result: types.Result) -> types.Result:
        evidence = result.evidence
        if evidence is None:
            return result
        query_image = images[evidence.query_part] if evidence.query_part < len(images) else b""
        return dataclasses.replace(result,
                                   evidence=dataclasses.replace(evidence,
                                                                query_image=query_image or evidence.query_image,
                                                                result_image=result.preview))

    return dataclasses.replace(answer, results=tuple(map(shown, answer.results)))


def explain(collection: str, query: Tuple[Any, Any, Any], result: Tuple[Any, Any, Any], correspondences: int,
            heat_maps: bool, rerank: Any, limit: int) -> Call[types.Explanation]:
    """`query` and `result`: image, id and crop."""
    first, second = (
        _requests.explain_image(*side, limit, name) for side, name in ((query, "query"), (result, "result")))
    made = request("SearchService/Explain",
                   collection=collection,
                   query=first,
                   result=second,
                   rerank=_requests.rerank_options(rerank),
                   options=_requests.explain_options(Explain(correspondences, heat_maps)))
    return Call("SearchService/Explain", made,
                lambda reply: with_both_pictures(convert(reply, types.Explanation), first.image, second.image), "image")


def with_both_pictures(answer: types.Explanation, query: bytes, result: bytes) -> types.Explanation:
    """Gives evidence the two pictures it is drawn on, where they are not empty."""
    evidence = answer.evidence
    evidence = dataclasses.replace(evidence,
                                   query_image=query or evidence.query_image,
                                   result_image=result or evidence.result_image)
    return dataclasses.replace(answer, evidence=evidence)


def embed(image: Any, model: str, crop: Any, return_tokens: bool, limit: int) -> Call[types.Embedding]:
    made = request("SearchService/Embed", model=model, return_tokens=return_tokens)
    made.image = _images.encode(image, limit)
    if crop is not None:
        made.crop.CopyFrom(_requests.crop_box(crop))
    return Call("SearchService/Embed", made, lambda reply: convert(reply, types.Embedding), "image")


def index(item: Item, collection: str, request_id: str, model: str, limit: int) -> Call[types.IndexResponse]:
    made = _requests.index_request(item, collection, request_id, model, limit)
    return Call("IndexService/Index", made, lambda reply: convert(reply, types.IndexResponse), "image")


def _view(target: Message, view: str) -> None:
    target.view = enum(target, "view", view)


def get_image(collection: str, id: str, view: str) -> Call[types.ImageRecord]:
    made = request("IndexService/GetImage", collection=collection, id=id)
    _view(made, view)
    return Call("IndexService/GetImage", made, _inner("image", types.ImageRecord))


def list_images(collection: str, filter: str, view: str, page_size: int) -> Pages[types.ImageRecord]:
    made = request("IndexService/ListImages", collection=collection, filter=filter, page_size=page_size)
    _view(made, view)
    return Pages("IndexService/ListImages", made, lambda reply:
                 (convert(image, types.ImageRecord) for image in reply.images))


def delete_images(collection: str, ids: Any, filter: str) -> Call[types.DeleteResponse]:
    if isinstance(ids, (str, bytes)):
        raise invalid("FIELD_INVALID", f"ids is {ids!r}, and not a list. Give [{ids!r}].", field="ids")
    made = request("IndexService/DeleteImages", collection=collection, ids=ids, filter=filter)
    return Call("IndexService/DeleteImages", made, lambda reply: convert(reply, types.DeleteResponse), "image")


def update_attributes(collection: str, id: str, set: Optional[Mapping[str, Any]], remove: Sequence[str],
                      replace: bool) -> Call[types.ImageRecord]:
    if isinstance(remove, (str, bytes)):
        raise invalid("FIELD_INVALID", f"remove is {remove!r}, and not a list. Give [{remove!r}].", field="remove")
    made = request("IndexService/UpdateAttributes", collection=collection, id=id, remove=remove, replace=replace)
    if set is not None:
        set_attributes(made.set, set)
    return Call("IndexService/UpdateAttributes", made, _inner("image", types.ImageRecord))


def create_collection(name: str, model: str, embedding_space: str, descriptor_dim: int,
                      settings: Mapping[str, Any]) -> Call[records.Collection]:
    made = request("CollectionService/CreateCollection",
                   name=name,
                   model=model,
                   embedding_space=embedding_space,
                   descriptor_dim=descriptor_dim)
    if settings:
        made.settings.CopyFrom(_requests.settings_message(settings))
    return Call("CollectionService/CreateCollection", made, _inner("collection", records.Collection))


def get_collection(name: str) -> Call[records.Collection]:
    return Call("CollectionService/GetCollection", request("CollectionService/GetCollection", name=name),
                _inner("collection", records.Collection))


def list_collections(page_size: int) -> Pages[records.Collection]:
    return Pages("CollectionService/ListCollections", request("CollectionService/ListCollections", page_size=page_size),
                 lambda reply: (convert(one, records.Collection) for one in reply.collections))


def update_collection(name: str, settings: Mapping[str, Any]) -> Call[records.Collection]:
    made = request("CollectionService/UpdateCollection", name=name)
    made.settings.CopyFrom(_requests.settings_message(settings))
    made.update_mask.paths.extend(settings)
    return Call("CollectionService/UpdateCollection", made, _inner("collection", records.Collection))


def delete_collection(name: str) -> Call[int]:
    return Call("CollectionService/DeleteCollection", request("CollectionService/DeleteCollection", name=name),
                lambda reply: int(reply.deleted_images), "image")


def set_alias(alias: str, collection: str) -> Call[records.Collection]:
    return Call("CollectionService/SetAlias", request("CollectionService/SetAlias", alias=alias, collection=collection),
                _inner("collection", records.Collection))


def delete_alias(alias: str) -> Call[None]:
    return Call("CollectionService/DeleteAlias", request("CollectionService/DeleteAlias", alias=alias), _nothing)


def drop_other_space(name: str) -> Call[None]:
    return Call("CollectionService/DropOtherSpace", request("CollectionService/DropOtherSpace", name=name), _nothing)


def list_attribute_values(collection: str, key: str, filter: str, page_size: int) -> Pages[records.ValueCount]:
    made = request("CollectionService/ListAttributeValues",
                   collection=collection,
                   key=key,
                   filter=filter,
                   page_size=page_size)
    return Pages("CollectionService/ListAttributeValues", made, lambda reply:
                 (convert(one, records.ValueCount) for one in reply.values))


# Long work: the reply is an operation.


def _work(method: str, made: Message) -> Call[records.OperationState]:
    return Call(method, made, _inner("operation", records.OperationState))


def optimize_collection(name: str, augment_neighbours: int,
                        augment_alpha: Optional[float]) -> Call[records.OperationState]:
    method = "CollectionService/OptimizeCollection"
    return _work(method, request(method, name=name, augment_neighbours=augment_neighbours, augment_alpha=augment_alpha))


def reembed_collection(name: str, **fields: Any) -> Call[records.OperationState]:
    method = "CollectionService/ReembedCollection"
    return _work(method, request(method, name=name, **fields))


def find_duplicates(collection: str, **fields: Any) -> Call[records.OperationState]:
    method = "CollectionService/FindDuplicates"
    return _work(method, request(method, collection=collection, **fields))


def fit_confidence(collection: str, pairs: Optional[Iterable[Tuple[str, str, bool]]], label_attribute: str,
                   rerank: Any) -> Call[records.OperationState]:
    method = "CollectionService/FitConfidence"
    made = request(method,
                   collection=collection,
                   label_attribute=label_attribute,
                   rerank=_requests.rerank_options(rerank))
    for number, pair in enumerate(_requests.iterable_of(pairs or (), "pairs", "(first_id, second_id, same)")):
        try:
            first, second, same = pair
        except (TypeError, ValueError):
            raise invalid("FIELD_INVALID",
                          f"pairs[{number}] is {pair!r}. Give (first_id, second_id, same).",
                          field=f"pairs[{number}]") from None
        one = message("FitConfidenceRequest.Pair")
        assign(one, {"first_id": first, "second_id": second, "same": same}, f"pairs[{number}].")
        made.pairs.append(one)
    return _work(method, made)


def create_snapshot(collection: str) -> Call[records.OperationState]:
    method = "CollectionService/CreateSnapshot"
    return _work(method, request(method, collection=collection))


def restore_snapshot(snapshot: str, collection: str) -> Call[records.OperationState]:
    method = "CollectionService/RestoreSnapshot"
    return _work(method, request(method, snapshot=snapshot, collection=collection))


def list_snapshots(collection: str, page_size: int) -> Pages[records.Snapshot]:
    return Pages("CollectionService/ListSnapshots",
                 request("CollectionService/ListSnapshots", collection=collection, page_size=page_size), lambda reply:
                 (convert(one, records.Snapshot) for one in reply.snapshots))


def delete_snapshot(name: str) -> Call[None]:
    return Call("CollectionService/DeleteSnapshot", request("CollectionService/DeleteSnapshot", name=name), _nothing,
                "image")


def get_operation(name: str) -> Call[records.OperationState]:
    method = "OperationService/GetOperation"
    return _work(method, request(method, name=name))


def cancel_operation(name: str) -> Call[records.OperationState]:
    method = "OperationService/CancelOperation"
    return _work(method, request(method, name=name))


def list_operations(collection: str, page_size: int) -> Pages[records.OperationState]:
    return Pages("OperationService/ListOperations",
                 request("OperationService/ListOperations", collection=collection, page_size=page_size), lambda reply:
                 (convert(one, records.OperationState) for one in reply.operations))


def list_models() -> Call[Tuple[records.Model, ...]]:
    return Call("ModelService/ListModels", request("ModelService/ListModels"),
                lambda reply: tuple(convert(model, records.Model) for model in reply.models))


def get_model(name: str) -> Call[records.Model]:
    return Call("ModelService/GetModel", request("ModelService/GetModel", name=name), _inner("model", records.Model))


def load_model(name: str) -> Call[records.Model]:
    return Call("ModelService/LoadModel", request("ModelService/LoadModel", name=name), _inner("model", records.Model),
                "load")


def unload_model(name: str) -> Call[Tuple[str, ...]]:
    return Call("ModelService/UnloadModel", request("ModelService/UnloadModel", name=name),
                lambda reply: tuple(reply.collections), "load")


def server_info() -> Call[records.ServerInfo]:
    return Call("ServerService/GetServerInfo", request("ServerService/GetServerInfo"),
                lambda reply: convert(reply, records.ServerInfo))


def upload_pieces(path: pathlib.Path) -> Iterator[Message]:
    """A downloaded snapshot as the messages of UploadSnapshot; refused here when it does not begin as one."""
    head = read_head(path)

    def pieces() -> Iterator[Message]:
        offset = 0
        with open_snapshot(path) as file:
            while True:
                data = file.read(PIECE_BYTES)
                if not data:
                    return
                yield message("UploadSnapshotRequest",
                              sha256=head.sha256 if offset == 0 else "",
                              offset=offset,
                              data=data)
                offset += len(data)

    return pieces()
