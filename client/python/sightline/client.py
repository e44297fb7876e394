"""Client: a Sightline server as a Python object.

Threading: all methods may be called from any thread, and at once. Failure: SightlineError with the server's sentences.
A call that the server refuses with a delay is repeated within its deadline; every call has one. The connection is made
with the first call, and made again when it breaks.

    with sightline.Client("127.0.0.1:50051") as client:
        for result in client.search("shoe.jpg", collection="shop", top_k=5):
            print(result.rank, result.id, result.score)
"""

from __future__ import annotations

from typing import Any, Iterable, Iterator, List, Mapping, Optional, Sequence, Union

from . import _calls, types
from ._collections import CollectionMethods
from ._stream import Stream
from ._stream_kinds import IndexWrites, Searches
from .errors import SightlineError
from .options import CropSource, Expansion, Explain, ImageSource, Item, Part, Rerank
from .types import AttributeValue


class Client(CollectionMethods):
    """A server, for synchronous code. AsyncClient has the same methods for asyncio."""

    # Searching.

    def search(self,
               image: Optional[ImageSource] = None,
               *,
               collection: str,
               id: Optional[str] = None,
               descriptor: Union[None, types.Descriptor, types.Embedding] = None,
               parts: Optional[Iterable[Part]] = None,
               crop: Union[None, CropSource, Sequence[CropSource]] = None,
               top_k: int = 10,
               offset: int = 0,
               filter: str = "",
               min_score: Optional[float] = None,
               min_confidence: Optional[float] = None,
               group_by: str = "",
               group_size: int = 0,
               rerank: Union[None, bool, str, Rerank] = None,
               expansion: Union[None, str, Expansion] = None,
               explain: Union[None, bool, int, Explain] = None,
               exact: bool = False,
               ef_search: Optional[int] = None,
               nprobe: Optional[int] = None,
               return_attributes: bool = True,
               return_preview: bool = True,
               request_id: str = "",
               timeout: Optional[float] = None) -> types.SearchResponse:
        """Finds the images of a collection that show what the query shows, best first.

        The query is an image, the id of one in the collection, a descriptor, or several of them as weighted parts.
        crop: look only at this box, (x0, y0, x1, y1) in pixels or in fractions, or at several. rerank: True, False, or
        how; None is the model's default. explain: True for the evidence of the best ten results.
        """
        call = _calls.search(Part(image, id, descriptor, crop),
                             parts,
                             self._settings.max_image_bytes,
                             collection=collection,
                             top_k=top_k,
                             offset=offset,
                             filter=filter,
                             min_score=min_score,
                             min_confidence=min_confidence,
                             group_by=group_by,
                             group_size=group_size,
                             rerank=rerank,
                             expansion=expansion,
                             explain=explain,
                             exact=exact,
                             ef_search=ef_search,
                             nprobe=nprobe,
                             return_attributes=return_attributes,
                             return_preview=return_preview,
                             request_id=request_id)
        return _calls.with_pictures(self._run(call, timeout), self._previews(collection, _calls.ids_to_show(call)))

    def search_stream(self,
                      queries: Iterable[Any],
                      *,
                      collection: str,
                      top_k: int = 10,
                      offset: int = 0,
                      filter: str = "",
                      min_score: Optional[float] = None,
                      min_confidence: Optional[float] = None,
                      group_by: str = "",
                      group_size: int = 0,
                      rerank: Union[None, bool, str, Rerank] = None,
                      expansion: Union[None, str, Expansion] = None,
                      explain: Union[None, bool, int, Explain] = None,
                      exact: bool = False,
                      ef_search: Optional[int] = None,
                      nprobe: Optional[int] = None,
                      return_attributes: bool = True,
                      return_preview: bool = True,
                      timeout: Optional[float] = None,
                      max_in_flight: int = 8,
                      max_in_flight_bytes: int = 64 << 20,
                      patience: float = 120.0,
                      reply_timeout: float = 60.0) -> Iterator[types.SearchOutcome]:
        """Makes many searches over one connection, and yields each one's outcome as it comes, in any order.

        queries: images, Parts (an id, a descriptor, a crop), or lists of weighted Parts. The other parameters are those
        of search, and the same for all; timeout is of each search. Taken and sent again as index_stream does it; a
        search that fails is an outcome, and the stream goes on.
        """
        kind = Searches(self._settings,
                        timeout,
                        collection=collection,
                        top_k=top_k,
                        offset=offset,
                        filter=filter,
                        min_score=min_score,
                        min_confidence=min_confidence,
                        group_by=group_by,
                        group_size=group_size,
                        rerank=rerank,
                        expansion=expansion,
                        explain=explain,
                        exact=exact,
                        ef_search=ef_search,
                        nprobe=nprobe,
                        return_attributes=return_attributes,
                        return_preview=return_preview)
        return Stream(self, kind, queries, max_in_flight, max_in_flight_bytes, patience, reply_timeout).run()

    def embed(self,
              image: ImageSource,
              *,
              model: str = "",
              crop: Optional[CropSource] = None,
              return_tokens: bool = False,
              timeout: Optional[float] = None) -> types.Embedding:
        """The descriptor of an image, and on request its patch tokens. An empty model is the server's default."""
        return self._run(_calls.embed(image, model, crop, return_tokens, self._settings.max_image_bytes), timeout)

    def explain(self,
                query: Optional[ImageSource] = None,
                result: Optional[ImageSource] = None,
                *,
                collection: str = "",
                query_id: Optional[str] = None,
                result_id: Optional[str] = None,
                query_crop: Optional[CropSource] = None,
                result_crop: Optional[CropSource] = None,
                correspondences: int = 0,
                heat_maps: bool = True,
                rerank: Union[None, bool, str, Rerank] = None,
                timeout: Optional[float] = None) -> types.Explanation:
        """Which patches of two images match. Each is an image, or the id of one in `collection`."""
        call = _calls.explain(collection, (query, query_id, query_crop), (result, result_id, result_crop),
                              correspondences, heat_maps, rerank, self._settings.max_image_bytes)
        return _calls.with_both_pictures(self._run(call, timeout), *self._previews(collection, [query_id, result_id]))

    # Writing and reading images.

    def index(self,
              image: Optional[ImageSource] = None,
              *,
              collection: str,
              id: str = "",
              attributes: Optional[Mapping[str, AttributeValue]] = None,
              crop: Optional[CropSource] = None,
              source_uri: str = "",
              descriptor: Union[None, types.Descriptor, types.Embedding] = None,
              tokens: Optional[types.Tokens] = None,
              request_id: str = "",
              model: str = "",
              timeout: Optional[float] = None) -> types.IndexResponse:
        """Writes one image. When it returns, the image is durable and every search that starts then finds it. Writing
        an id again replaces it; the same request_id twice within 24 hours writes once."""
        item = Item(image, id, attributes, crop, source_uri, descriptor, tokens)
        return self._run(_calls.index(item, collection, request_id, model, self._settings.max_image_bytes), timeout)

    def index_stream(self,
                     items: Iterable[Any],
                     *,
                     collection: str,
                     max_in_flight: int = 32,
                     max_in_flight_bytes: int = 64 << 20,
                     model: str = "",
                     patience: float = 120.0,
                     reply_timeout: float = 60.0) -> Iterator[types.Outcome]:
        """Writes many images over one connection, and yields each one's outcome as it comes, in any order.

        items: Items, images (a path's id is the path), or pairs (id, image). Taken on this thread, and only while fewer
        than max_in_flight of at most max_in_flight_bytes are on their way. What the server refuses for now, and what
        was on its way when the connection broke, is sent again with the same request_id, so that nothing is written
        twice. patience: seconds an item that is refused for now, or a server that is away, is tried again; when the
        server stays away, the outcomes of what was taken say so, and the error is raised. reply_timeout: seconds
        without any reply after which the connection is made anew. Leaving the loop early cancels what is on its way: it
        may be written or not.
        """
        kind = IndexWrites(self._settings, collection, model)
        return Stream(self, kind, items, max_in_flight, max_in_flight_bytes, patience, reply_timeout).run()

    def get_image(self,
                  id: str,
                  *,
                  collection: str,
                  view: str = "metadata",
                  timeout: Optional[float] = None) -> types.ImageRecord:
        """One image record. view: "metadata", "preview", "original" or "vectors"."""
        return self._run(_calls.get_image(collection, id, view), timeout)

    def list_images(self,
                    collection: str,
                    *,
                    filter: str = "",
                    view: str = "metadata",
                    page_size: int = 0,
                    timeout: Optional[float] = None) -> Iterator[types.ImageRecord]:
        """All image records in the order they were written; pages are fetched as the iterator reaches them."""
        return self._pages(_calls.list_images(collection, filter, view, page_size), timeout)

    def delete_images(self,
                      ids: Sequence[str] = (),
                      *,
                      collection: str,
                      filter: str = "",
                      timeout: Optional[float] = None) -> types.DeleteResponse:
        """Deletes images by ids or by filter. Ids that do not exist are counted and are no error."""
        return self._run(_calls.delete_images(collection, ids, filter), timeout)

    def update_attributes(self,
                          id: str,
                          set: Optional[Mapping[str, AttributeValue]] = None,
                          *,
                          collection: str,
                          remove: Sequence[str] = (),
                          replace: bool = False,
                          timeout: Optional[float] = None) -> types.ImageRecord:
        """Sets and removes attributes of one image; others stay, unless `replace` removes them first."""
        return self._run(_calls.update_attributes(collection, id, set, remove, replace), timeout)

    def _previews(self, collection: str, ids: Sequence[Optional[str]]) -> List[bytes]:
        """Pictures to draw evidence on, for images that are only known by their id; empty where there is none."""
        def picture(id: str) -> bytes:
            for view in ("preview", "original"):  # a collection keeps one of them, or none
                try:
                    return self.get_image(id, collection=collection, view=view).image
                except SightlineError:
                    pass  # the answer is there without it
            return b""

        return [picture(id) if id else b"" for id in ids]
