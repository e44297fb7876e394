"""What a caller may ask for beside plain values: crops, weighted parts, re-ranking, evidence, TLS.

All are values without behaviour. Fields have the names of the API's, and None means the server's default.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Sequence, Tuple, Union

from .types import AttributeValue, Descriptor, Embedding, Tokens

#: An image: a path, encoded bytes (JPEG, PNG, WebP), an open binary file, a PIL image, or an array of uint8 of height x
#: width, height x width x 3 (RGB) or x 4 (RGBA).
ImageSource = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, Any]


@dataclass(frozen=True)
class Crop:
    """A box in an image, after its EXIF orientation is applied. The origin is the top left corner.

    Where a crop is taken a plain tuple (x0, y0, x1, y1) does as well: fractions when none is above 1, else pixels.
    """

    x0: float
    y0: float
    x1: float
    y1: float
    unit: str = "fraction"  # or "pixel"


CropSource = Union[Crop, Tuple[float, float, float, float], Sequence[float]]


@dataclass(frozen=True)
class Part:
    """One part of a query: an image, an id or a descriptor, with a weight. A negative weight pushes away."""

    image: Optional[ImageSource] = field(default=None, repr=False)
    id: Optional[str] = None
    descriptor: Optional[Union[Descriptor, Embedding]] = field(default=None, repr=False)
    crop: Union[None, CropSource, Sequence[CropSource]] = None
    weight: Optional[float] = None


@dataclass(frozen=True)
class Rerank:
    """How the best results are re-ranked by their patches. The API's RerankOptions has the limits."""

    method: str = "optimal_transport"  # or "off"
    shortlist: int = 0
    mass: Optional[float] = None
    epsilon: Optional[float] = None
    marginals: Optional[str] = None  # "uniform", "cross_correlation", "inverse", "minus", "softmax", "importance"
    temperature: Optional[float] = None
    weight: Optional[float] = None
    query_cells: int = 0
    result_cells: int = 0


@dataclass(frozen=True)
class Expansion:
    """How a search is refined by its own best results."""

    method: str = "average"  # "alpha_weighted", "super_global", "k_reciprocal"
    neighbours: int = 0
    alpha: Optional[float] = None


@dataclass(frozen=True)
class Explain:
    """How much evidence to return; 0 means 10."""

    correspondences: int = 0
    heat_maps: bool = True
    results: int = 0


@dataclass(frozen=True)
class Item:
    """One image to index: its bytes, or a descriptor computed elsewhere, and what is stored with it."""

    image: Optional[ImageSource] = field(default=None, repr=False)
    id: str = ""  # empty: the server makes one
    attributes: Optional[Mapping[str, AttributeValue]] = None
    crop: Optional[CropSource] = None
    source_uri: str = ""
    descriptor: Optional[Union[Descriptor, Embedding]] = field(default=None, repr=False)
    tokens: Optional[Tokens] = field(default=None, repr=False)
    request_id: str = ""  # empty: a random one
    note: Any = field(default=None, compare=False)  # the caller's own; comes back with the outcome


@dataclass(frozen=True)
class Tls:
    """A connection with TLS. Each is a path, or the bytes of a PEM file."""

    ca: Union[None, str, "os.PathLike[str]", bytes] = None  # who signs servers' certificates; None: those gRPC trusts
    certificate: Union[None, str, "os.PathLike[str]", bytes] = field(default=None, repr=False)  # of this client
    key: Union[None, str, "os.PathLike[str]", bytes] = field(default=None, repr=False)  # of `certificate`
