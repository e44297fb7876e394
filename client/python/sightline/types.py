"""What the server answers about images, as values. Fields have the names and the meaning of the API's
(proto/sightline/v1); None stands for what the server did not send. Times are aware datetimes, durations seconds.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, Optional, Sequence, Tuple, Union, overload

from .errors import SightlineError

#: A value of an attribute.
AttributeValue = Union[str, int, float, bool, Sequence[str]]
Attributes = Dict[str, AttributeValue]
Time = Optional[datetime.datetime]


@dataclass(frozen=True)
class Descriptor:
    """A global descriptor and the embedding space it lives in."""

    values: Sequence[float] = field(repr=False)
    embedding_space: str


@dataclass(frozen=True)
class Tokens:
    """Patch tokens: a height x width grid of local features, as the API's PatchTokens writes them."""

    height: int
    width: int
    dim: int
    values: bytes = field(repr=False)
    scales: Tuple[float, ...] = field(repr=False)
    importance: Tuple[float, ...] = field(repr=False)
    centre: Tuple[float, ...] = field(repr=False)
    token_space: str
    precision: str


@dataclass(frozen=True)
class Box:
    """A rectangle in fractions of the whole image, or in pixels."""

    x0: float
    y0: float
    x1: float
    y1: float
    unit: str


@dataclass(frozen=True)
class ModelUse:
    """The model that embedded an image. `untrained`: its results show that the service works, not how well it finds."""

    model: str
    embedding_space: str
    untrained: bool
    numeric: str


@dataclass(frozen=True)
class StageTime:
    """Time spent in one stage of a request."""

    stage: str
    milliseconds: float
    batch_size: int


def _timings(stages: Sequence[StageTime]) -> Dict[str, float]:
    total: Dict[str, float] = {}
    for stage in stages:
        total[stage.stage] = total.get(stage.stage, 0.0) + stage.milliseconds
    return total


@dataclass(frozen=True)
class Embedding:
    """The descriptor of an image. Search and index take it where they take a descriptor."""

    global_descriptor: Descriptor
    tokens: Optional[Tokens]
    model: Optional[ModelUse]
    width: int
    height: int
    stages: Tuple[StageTime, ...] = field(repr=False)

    @property
    def timings(self) -> Dict[str, float]:
        """Milliseconds by stage."""
        return _timings(self.stages)


@dataclass(frozen=True)
class Correspondence:
    """Two patches that match: where they are, the transported mass, and the cosine of their tokens."""

    query_box: Box
    result_box: Box
    mass: float
    cosine: float


@dataclass(frozen=True)
class HeatMap:
    """One value per patch, row-major, over `region` (fractions of the whole image)."""

    height: int
    width: int
    values: Tuple[float, ...] = field(repr=False)
    region: Optional[Box]


@dataclass(frozen=True)
class Evidence:
    """Why two images match. A notebook shows both with their correspondences."""

    correspondences: Tuple[Correspondence, ...]
    query_heat_map: Optional[HeatMap] = field(repr=False)
    result_heat_map: Optional[HeatMap] = field(repr=False)
    score: float
    structural_score: float
    weight: float
    rerank_score: float
    mass: float
    confidence: Optional[float]
    query_part: int
    query_crop: int
    #: The two pictures to draw on, encoded, where this side has them: what was sent, or the collection's preview.
    query_image: bytes = field(default=b"", repr=False, compare=False)
    result_image: bytes = field(default=b"", repr=False, compare=False)

    @property
    def patches(self) -> Tuple[Correspondence, ...]:
        """The correspondences, strongest first."""
        return self.correspondences

    def _repr_html_(self) -> str:
        from . import _html
        return _html.evidence(self)


@dataclass(frozen=True)
class Explanation:
    """The answer of `explain`."""

    evidence: Evidence
    model: Optional[ModelUse]
    stages: Tuple[StageTime, ...] = field(repr=False)

    @property
    def timings(self) -> Dict[str, float]:
        """Milliseconds by stage."""
        return _timings(self.stages)

    def _repr_html_(self) -> str:
        return self.evidence._repr_html_()


@dataclass(frozen=True)
class Result:
    """One image found."""

    id: str
    rank: int
    score: float
    structural_score: Optional[float]
    rerank_score: Optional[float]
    rank_before_rerank: int
    confidence: Optional[float]
    attributes: Attributes
    source_uri: str
    preview: bytes = field(repr=False)
    evidence: Optional[Evidence] = field(repr=False)

    @property
    def patches(self) -> Tuple[Correspondence, ...]:
        """The pairs of patches that match, if evidence was asked for and is to be had."""
        return self.evidence.correspondences if self.evidence else ()

    def _repr_html_(self) -> str:
        from . import _html
        return _html.result(self)


@dataclass(frozen=True)
class SearchStats:
    """About one search."""

    stages: Tuple[StageTime, ...] = field(repr=False)
    embedding_space: str
    model: Optional[ModelUse]
    images: int
    compared: int
    index: str
    rerank_requested: int
    rerank_completed: int
    degraded: bool
    degraded_reasons: Tuple[str, ...]
    matching: int


@dataclass(frozen=True)
class SearchResponse:
    """The images found, best first: a sequence of results. A notebook shows it as a grid."""

    results: Tuple[Result, ...]
    stats: SearchStats
    request_id: str

    def __iter__(self) -> Iterator[Result]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    @overload
    def __getitem__(self, place: int) -> Result:
        ...

    @overload
    def __getitem__(self, place: slice) -> Tuple[Result, ...]:
        ...

    def __getitem__(self, place: Union[int, slice]) -> Union[Result, Tuple[Result, ...]]:
        return self.results[place]

    @property
    def timings(self) -> Dict[str, float]:
        """Milliseconds by stage: decode, queue, embed, search, rerank, ..., total."""
        return _timings(self.stats.stages)

    @property
    def degraded(self) -> bool:
        """True when the answer is less than what was asked for; `degraded_reasons` says why."""
        return self.stats.degraded

    @property
    def degraded_reasons(self) -> Tuple[str, ...]:
        """Why, a sentence each."""
        return self.stats.degraded_reasons

    def _repr_html_(self) -> str:
        from . import _html
        return _html.response(self)


@dataclass(frozen=True)
class IndexResponse:
    """The write is durable. `replayed`: its request_id had been written before, and nothing was written now."""

    id: str
    revision: int
    replayed: bool
    model: Optional[ModelUse]
    stages: Tuple[StageTime, ...] = field(repr=False)

    @property
    def timings(self) -> Dict[str, float]:
        """Milliseconds by stage."""
        return _timings(self.stages)


@dataclass(frozen=True)
class Outcome:
    """How one write of index_stream ended, after all its attempts: `response`, or `error`."""

    item: Any = field(repr=False)  # as it came out of the iterable
    id: str
    request_id: str
    response: Optional[IndexResponse]
    error: Optional[SightlineError]
    attempts: int

    @property
    def ok(self) -> bool:
        """True when the image is stored."""
        return self.error is None


@dataclass(frozen=True)
class SearchOutcome:
    """How one search of search_stream ended, after all its attempts: `response`, or `error`."""

    query: Any = field(repr=False)  # as it came out of the iterable
    request_id: str
    response: Optional[SearchResponse]
    error: Optional[SightlineError]
    attempts: int

    @property
    def ok(self) -> bool:
        """True when there is an answer."""
        return self.error is None


@dataclass(frozen=True)
class ImageRecord:
    """One image of a collection."""

    id: str
    attributes: Attributes
    source_uri: str
    revision: int
    create_time: Time
    update_time: Time
    width: int
    height: int
    sha256: str
    image: bytes = field(repr=False)
    image_mime_type: str
    global_descriptor: Optional[Descriptor] = field(repr=False)
    tokens: Optional[Tokens] = field(repr=False)
    crop: Optional[Box]


@dataclass(frozen=True)
class DeleteResponse:
    """What was deleted, durably."""

    deleted: int
    not_found: int
