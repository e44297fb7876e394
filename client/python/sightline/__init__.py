"""Sightline: a visual search service for instances. This package is its client.

    import sightline

    with sightline.Client("127.0.0.1:50051") as client:
        client.create_collection("shop")
        client.index("shoe.jpg", collection="shop", id="shoe", attributes={"colour": "red"})
        answer = client.search("photo.jpg", collection="shop", explain=True)
        for result in answer:
            print(result.rank, result.id, result.score, len(result.patches))

AsyncClient is the same for asyncio. What methods take beside plain values is in sightline.options, what they return in
sightline.types and sightline.records, what they raise in sightline.errors.
"""

from ._operation import AsyncOperation, Operation
from ._version import VERSION
from .aio import AsyncClient
from .client import Client
from .errors import (AbortedError, AlreadyExistsError, CancelledError, DataLossError, DeadlineExceededError,
                     FailedPreconditionError, InternalError, InvalidArgumentError, NotFoundError, OutOfRangeError,
                     PermissionDeniedError, ResourceExhaustedError, SightlineError, UnauthenticatedError,
                     UnavailableError, UnimplementedError, UnknownError)
from .options import Crop, Expansion, Explain, Item, Part, Rerank, Tls
from .records import Collection, Duplicates, Model, OperationState, ServerInfo, Snapshot
from .types import (Box, Correspondence, Descriptor, Embedding, Evidence, Explanation, HeatMap, ImageRecord,
                    IndexResponse, Outcome, Result, SearchOutcome, SearchResponse, StageTime, Tokens)

__version__ = VERSION

__all__ = [
    "AbortedError", "AlreadyExistsError", "AsyncClient", "AsyncOperation", "Box", "CancelledError", "Client",
    "Collection", "Correspondence", "Crop", "DataLossError", "DeadlineExceededError", "Descriptor", "Duplicates",
    "Embedding", "Evidence", "Expansion", "Explain", "Explanation", "FailedPreconditionError", "HeatMap", "ImageRecord",
    "IndexResponse", "InternalError", "InvalidArgumentError", "Item", "Model", "NotFoundError", "Operation",
    "OperationState", "OutOfRangeError", "Outcome", "Part", "PermissionDeniedError", "Rerank", "ResourceExhaustedError",
    "Result", "SearchOutcome", "SearchResponse", "ServerInfo", "SightlineError", "Snapshot", "StageTime", "Tls",
    "Tokens", "UnauthenticatedError", "UnavailableError", "UnimplementedError", "UnknownError"
]
