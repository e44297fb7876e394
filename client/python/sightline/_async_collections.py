"""The methods of AsyncClient about collections, snapshots, long work, models and the server."""

from __future__ import annotations

import asyncio
import os
from typing import Any, Callable, Iterable, AsyncIterator, Optional, Tuple, Union

import grpc

from . import _calls, _connection, _snapshot_file, records
from ._call import Call, request
from ._async_caller import AsyncCaller
from ._convert import convert
from ._operation import AsyncOperation, Watch, result_of
from .errors import UnavailableError
from .options import Rerank


class AsyncCollectionMethods(AsyncCaller):
    """What AsyncClient is, beside searching and indexing."""

    # Collections.
    async def create_collection(self,
                                name: str,
                                *,
                                model: str = "",
                                embedding_space: str = "",
                                descriptor_dim: int = 0,
                                timeout: Optional[float] = None,
                                **settings: Any) -> records.Collection:
        """Creates a collection: for images, embedded by `model` (empty: the server's default), or for descriptors
        computed elsewhere, with embedding_space and descriptor_dim. Settings have the names of the API's
        CollectionSettings: keep_image="none", "preview" (what unset means) or "original", index_kind="hnsw",
        drop_tokens=True."""
        return await self._run(_calls.create_collection(name, model, embedding_space, descriptor_dim, settings),
                               timeout)

    async def get_collection(self, name: str, *, timeout: Optional[float] = None) -> records.Collection:
        """One collection with what it holds, by its name or an alias."""
        return await self._run(_calls.get_collection(name), timeout)

    def list_collections(self,
                         *,
                         page_size: int = 0,
                         timeout: Optional[float] = None) -> AsyncIterator[records.Collection]:
        """All collections by name."""
        return self._pages(_calls.list_collections(page_size), timeout)

    async def update_collection(self,
                                name: str,
                                *,
                                timeout: Optional[float] = None,
                                **settings: Any) -> records.Collection:
        """Changes settings that can be changed: keep_image, index_kind, drop_tokens, device,
        description."""
        return await self._run(_calls.update_collection(name, settings), timeout)

    async def delete_collection(self, name: str, *, timeout: Optional[float] = None) -> int:
        """Deletes a collection with all its images; returns how many went with it. There is no way back but a
        snapshot."""
        return await self._run(_calls.delete_collection(name), timeout)

    async def optimize_collection(self,
                                  name: str,
                                  *,
                                  augment_neighbours: int = 0,
                                  augment_alpha: Optional[float] = None,
                                  timeout: Optional[float] = None) -> AsyncOperation[records.Collection]:
        """Seals, merges and rebuilds the collection's index now."""
        return await self._operation(_calls.optimize_collection(name, augment_neighbours, augment_alpha), timeout)

    async def reembed_collection(self,
                                 name: str,
                                 *,
                                 model: str = "",
                                 keep_old_hours: int = 0,
                                 allow_partial: bool = False,
                                 rollback: bool = False,
                                 embedding_space: str = "",
                                 timeout: Optional[float] = None) -> AsyncOperation[records.Reembedded]:
        """Embeds every image again with another model, behind the searches; `rollback` goes back to the space
        before."""
        call = _calls.reembed_collection(name,
                                         model=model,
                                         keep_old_hours=keep_old_hours,
                                         allow_partial=allow_partial,
                                         rollback=rollback,
                                         embedding_space=embedding_space)
        return await self._operation(call, timeout)

    async def drop_other_space(self, name: str, *, timeout: Optional[float] = None) -> None:
        """Drops what an unfinished re-embedding has filled, or the space before the last one."""
        await self._run(_calls.drop_other_space(name), timeout)

    async def find_duplicates(self,
                              collection: str,
                              *,
                              min_confidence: Optional[float] = None,
                              min_score: Optional[float] = None,
                              min_structural_score: Optional[float] = None,
                              filter: str = "",
                              neighbours: int = 0,
                              timeout: Optional[float] = None) -> AsyncOperation[records.Duplicates]:
        """Finds groups of images that show the same thing, verified by their patches. Nothing is deleted."""
        call = _calls.find_duplicates(collection,
                                      min_confidence=min_confidence,
                                      min_score=min_score,
                                      min_structural_score=min_structural_score,
                                      filter=filter,
                                      neighbours=neighbours)
        return await self._operation(call, timeout)

    async def fit_confidence(self,
                             collection: str,
                             pairs: Optional[Iterable[Tuple[str, str, bool]]] = None,
                             *,
                             label_attribute: str = "",
                             rerank: Union[None, bool, str, Rerank] = None,
                             timeout: Optional[float] = None) -> AsyncOperation[records.ConfidenceModel]:
        """Fits the collection's confidence on labelled pairs (first_id, second_id, same), or by an attribute that names
        the object."""
        return await self._operation(_calls.fit_confidence(collection, pairs, label_attribute, rerank), timeout)

    def list_attribute_values(self,
                              collection: str,
                              key: str,
                              *,
                              filter: str = "",
                              page_size: int = 0,
                              timeout: Optional[float] = None) -> AsyncIterator[records.ValueCount]:
        """The values of one attribute with their counts, most frequent first."""
        return self._pages(_calls.list_attribute_values(collection, key, filter, page_size), timeout)

    async def set_alias(self, alias: str, collection: str, *, timeout: Optional[float] = None) -> records.Collection:
        """Lets a name stand for a collection; setting it again moves it."""
        return await self._run(_calls.set_alias(alias, collection), timeout)

    async def delete_alias(self, alias: str, *, timeout: Optional[float] = None) -> None:
        """Takes a name away; the collection stays."""
        await self._run(_calls.delete_alias(alias), timeout)

    # Snapshots.

    async def create_snapshot(self,
                              collection: str,
                              *,
                              timeout: Optional[float] = None) -> AsyncOperation[records.Snapshot]:
        """Takes a snapshot, consistent while writes go on."""
        return await self._operation(_calls.create_snapshot(collection), timeout)

    def list_snapshots(self,
                       collection: str = "",
                       *,
                       page_size: int = 0,
                       timeout: Optional[float] = None) -> AsyncIterator[records.Snapshot]:
        """The snapshots of a collection, or of all, newest first."""
        return self._pages(_calls.list_snapshots(collection, page_size), timeout)

    async def restore_snapshot(self,
                               snapshot: str,
                               collection: str,
                               *,
                               timeout: Optional[float] = None) -> AsyncOperation[records.Collection]:
        """Restores a snapshot into a new collection of this name."""
        return await self._operation(_calls.restore_snapshot(snapshot, collection), timeout)

    async def delete_snapshot(self, name: str, *, timeout: Optional[float] = None) -> None:
        """Deletes a snapshot."""
        await self._run(_calls.delete_snapshot(name), timeout)

    async def download_snapshot(self,
                                name: str,
                                path: Union[str, "os.PathLike[str]"],
                                *,
                                timeout: float = _connection.TRANSFER_TIMEOUT) -> None:
        """Writes a snapshot to a file and checks it. It grows as PATH.part, and a download that broke goes on from
        there."""
        sha256 = None
        async for one in self.list_snapshots():
            if one.name == name:
                sha256 = one.sha256
        method = "CollectionService/DownloadSnapshot"
        with _snapshot_file.Download(path, sha256) as download:
            call = self._stub(method)(request(method, name=name, offset=download.offset),
                                      timeout=_connection.checked_timeout(timeout),
                                      metadata=self._settings.metadata)
            try:
                async for piece in call:
                    download.write(piece.data)
            except grpc.RpcError as failure:
                raise self._error(failure, timeout) from None
            finally:
                call.cancel()
            await asyncio.get_running_loop().run_in_executor(None, download.finish)

    async def upload_snapshot(self,
                              path: Union[str, "os.PathLike[str]"],
                              *,
                              timeout: float = _connection.TRANSFER_TIMEOUT) -> records.Snapshot:
        """Gives the server a snapshot that was downloaded; it is checked whole before it is listed."""
        method = "CollectionService/UploadSnapshot"
        pieces = _calls.upload_pieces(_snapshot_file.path_of(path))
        try:
            reply = await self._stub(method)(pieces,
                                             timeout=_connection.checked_timeout(timeout),
                                             metadata=self._settings.metadata)
        except grpc.RpcError as failure:
            raise self._error(failure, timeout) from None
        return convert(reply.snapshot, records.Snapshot)

    # Long work.

    async def get_operation(self, name: str, *, timeout: Optional[float] = None) -> AsyncOperation[Any]:
        """One operation as it stands now."""
        return await self._operation(_calls.get_operation(name), timeout)

    def list_operations(self,
                        collection: str = "",
                        *,
                        page_size: int = 0,
                        timeout: Optional[float] = None) -> AsyncIterator[AsyncOperation[Any]]:
        """The operations of a collection, or all, newest first."""
        states = self._pages(_calls.list_operations(collection, page_size), timeout)
        return (AsyncOperation.of(state, self) async for state in states)

    async def cancel_operation(self, name: str, *, timeout: Optional[float] = None) -> AsyncOperation[Any]:
        """Asks an operation to stop. Returns at once; its state says when it has stopped."""
        return await self._operation(_calls.cancel_operation(name), timeout)

    async def wait_operation(self,
                             operation: Union[str, records.OperationState],
                             timeout: Optional[float] = None,
                             on_progress: Optional[Callable[[records.OperationState], Any]] = None) -> Any:
        """Waits for the end of an operation and returns what it produced; see Operation.wait."""
        watch = Watch(operation, timeout)
        while True:
            try:
                state = await self.get_operation(watch.name)
            except UnavailableError as error:
                watch.away(error)
            else:
                if on_progress is not None:
                    on_progress(state)
                if watch.over(state):
                    return result_of(state)
            await asyncio.sleep(watch.pause())

    # Models and the server.

    async def list_models(self, *, timeout: Optional[float] = None) -> Tuple[records.Model, ...]:
        """The models loaded, and those in the model root that could be."""
        return await self._run(_calls.list_models(), timeout)

    async def get_model(self, name: str, *, timeout: Optional[float] = None) -> records.Model:
        """One model."""
        return await self._run(_calls.get_model(name), timeout)

    async def load_model(self, name: str, *, timeout: Optional[float] = None) -> records.Model:
        """Loads a model from the model root, or loads it again; returns when it is ready."""
        return await self._run(_calls.load_model(name), timeout)

    async def unload_model(self, name: str, *, timeout: Optional[float] = None) -> Tuple[str, ...]:
        """Unloads a model; returns the collections that take no images any more."""
        return await self._run(_calls.unload_model(name), timeout)

    async def server_info(self, *, timeout: Optional[float] = None) -> records.ServerInfo:
        """Version, hardware, every limit in force, models and warnings."""
        return await self._run(_calls.server_info(), timeout)

    async def _operation(self, call: Call[records.OperationState], timeout: Optional[float]) -> AsyncOperation[Any]:
        return AsyncOperation.of(await self._run(call, timeout), self)
