"""What the server tells of collections, snapshots, models, long work and itself, as values. As in types: the API's
names, None for what was not sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional, Tuple

from .errors import SightlineError
from .types import AttributeValue, Time


@dataclass(frozen=True)
class RerankSettings:
    """How patches are compared, as the server says it."""

    method: str
    shortlist: int
    mass: Optional[float]
    epsilon: Optional[float]
    marginals: str
    temperature: Optional[float]
    weight: Optional[float]
    query_cells: int
    result_cells: int


@dataclass(frozen=True)
class ConfidenceModel:
    """What turns scores into the probability that two images show the same thing."""

    a: float
    b: float
    c: float
    pairs: int
    log_loss: float
    score_only_a: float
    score_only_c: float
    expected_error: float
    accuracy: float
    rerank: Optional[RerankSettings]
    fit_time: Time


@dataclass(frozen=True)
class LayerBytes:
    """Bytes by layer."""

    descriptors: int
    codes: int
    graph: int
    tokens: int
    attributes: int
    images: int
    log: int
    total: int


@dataclass(frozen=True)
class CollectionStats:
    """What a collection holds, and what it costs."""

    images: int
    deleted_images: int
    sequence: int
    memory: Optional[LayerBytes]
    disk: Optional[LayerBytes]
    index_choice: str
    segments: int
    tail_images: int
    graph_backlog: int
    card_images: int
    card_bytes: int
    card_scans: int


@dataclass(frozen=True)
class CollectionSettings:
    """What the caller decides about a collection."""

    keep_image: str
    index_kind: str
    descriptor_precision: str
    drop_tokens: bool
    hnsw_m: int
    hnsw_ef_construction: int
    ivf_lists: int
    description: str
    device: str


@dataclass(frozen=True)
class OtherSpace:
    """A space of a collection that searches do not use."""

    state: str
    model: str
    embedding_space: str
    descriptor_dim: int
    images: int
    drop_time: Time


@dataclass(frozen=True)
class Collection:
    """A named set of images, all embedded by one model."""

    name: str
    model: str
    embedding_space: str
    token_space: str
    descriptor_dim: int
    settings: Optional[CollectionSettings]
    create_time: Time
    aliases: Tuple[str, ...]
    stats: Optional[CollectionStats]
    read_only: bool
    read_only_reason: str
    other_space: Optional[OtherSpace]
    confidence: Optional[ConfidenceModel]

    @property
    def images(self) -> int:
        """Images that a search can find."""
        return self.stats.images if self.stats else 0


@dataclass(frozen=True)
class Snapshot:
    """A consistent copy of a collection."""

    name: str
    collection: str
    sequence: int
    images: int
    size_bytes: int
    sha256: str
    create_time: Time


@dataclass(frozen=True)
class DuplicatePair:
    """Two images that were found alike."""

    first_id: str
    second_id: str
    score: float
    structural_score: Optional[float]
    confidence: Optional[float]


@dataclass(frozen=True)
class DuplicateGroup:
    """Images that show the same thing."""

    ids: Tuple[str, ...]
    min_confidence: float
    pairs: Tuple[DuplicatePair, ...]


@dataclass(frozen=True)
class Duplicates:
    """The groups found, largest first, at most 10,000 of `total_groups`."""

    groups: Tuple[DuplicateGroup, ...]
    images: int
    verified_pairs: int
    total_groups: int


@dataclass(frozen=True)
class LeftOut:
    """An image that could not be embedded again, and why."""

    id: str
    reason: str


@dataclass(frozen=True)
class Reembedded:
    """What re-embedding produced."""

    collection: Collection
    embedded: int
    left_out: int
    left_out_images: Tuple[LeftOut, ...]


@dataclass(frozen=True)
class ValueCount:
    """One value of an attribute, and how many images have it."""

    value: AttributeValue
    count: int


@dataclass(frozen=True)
class Model:
    """A model the server has loaded or can load."""

    name: str
    architecture: str
    state: str
    error: str
    embedding_space: str
    token_space: str
    descriptor_dim: int
    token_dim: int
    max_token_cells: int
    parameters: int
    scales: Tuple[float, ...]
    image_size: int
    untrained: bool
    numeric: str
    provenance: str
    load_time: Time
    load_milliseconds: float
    warm_up_milliseconds: float
    warm_sizes: int
    sizes: int
    rerank: Optional[RerankSettings]


@dataclass(frozen=True)
class Limits:
    """The limits in force."""

    max_message_bytes: int
    max_image_bytes: int
    max_pixels: int
    max_image_side: int
    max_top_k: int
    max_result_window: int
    max_attributes: int
    max_attribute_bytes: int
    max_id_bytes: int
    max_delete_ids: int
    max_in_flight: int
    max_queue: int
    max_batch: int
    max_batch_delay: Optional[float]
    default_deadline: Optional[float]
    drain_grace: Optional[float]
    max_stream_in_flight: int
    request_id_retention: Optional[float]
    max_descriptor_dim: int
    memory_budget_bytes: int
    search_parallelism: int
    build_threads: int
    max_models: int
    max_queue_delay: Optional[float]
    decode_memory_bytes: int
    decode_timeout: Optional[float]
    grpc_memory_bytes: int
    max_connections: int
    max_connections_per_address: int


@dataclass(frozen=True)
class IndexCard:
    """The card that a server's index works on; without a `device`, `why_none` tells why there is none."""

    device: str
    name: str
    inverted_lists: bool
    rerank: bool
    lost: bool
    why_none: str


@dataclass(frozen=True)
class ServerInfo:
    """What the server is."""

    version: str
    commit: str
    start_time: Time
    simd_level: str
    blas: str
    devices: Tuple[str, ...]
    limits: Optional[Limits]
    models: Tuple[Model, ...]
    default_model: str
    warnings: Tuple[str, ...]
    cpu_capability: str
    decode_isolation: str
    index_card: Optional[IndexCard]


@dataclass(frozen=True)
class OperationState:
    """Where a long work stands. `state`: "pending", "running", "succeeded", "failed" or "cancelled"."""

    name: str
    kind: str
    collection: str
    state: str
    done: int
    total: int
    create_time: Time
    end_time: Time
    estimated_end_time: Time
    error: Optional[SightlineError]
    result: Any

    @property
    def ended(self) -> bool:
        """True when nothing more will happen."""
        return self.state in ("succeeded", "failed", "cancelled")
