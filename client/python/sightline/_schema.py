"""The API's messages, made when the package is imported from the descriptors in api.binpb, which the build compiles
from proto/. No generated code: that would tie the package to one version of protobuf, and this runs on all since 4.21.

The messages live in a pool of their own, so that other packages of the process may bring their own
google/rpc/status.proto.
"""

from __future__ import annotations

import pathlib
from typing import Any, Dict, NamedTuple, Set

from google.protobuf import (any_pb2, descriptor_pb2, descriptor_pool, duration_pb2, field_mask_pb2, message_factory,
                             timestamp_pb2)

# A protobuf message; its class is only known at run time.
Message = Any

_PACKAGE = "sightline.v1"
_FILE = pathlib.Path(__file__).with_name("api.binpb")
# Only of interest to an HTTP gateway, and not a part of this package.
_ANNOTATIONS = "google/api/"


class Method(NamedTuple):
    """One RPC."""

    path: str  # as gRPC sends it: "/sightline.v1.SearchService/Search"
    request: Any  # the message's class
    response: Any
    client_streaming: bool
    server_streaming: bool


def _read_files() -> Dict[str, Any]:
    """The API's files by name, without what only the gateway needs."""
    try:
        data = _FILE.read_bytes()
    except FileNotFoundError:
        raise ImportError(
            f"the package sightline is not built: {_FILE} is missing. Install it (pip install client/python), or put "
            "python/ of a build folder on PYTHONPATH.") from None
    files = {}
    for file in descriptor_pb2.FileDescriptorSet.FromString(data).file:
        if file.name.startswith(_ANNOTATIONS):
            continue
        kept = [name for name in file.dependency if not name.startswith(_ANNOTATIONS)]
        del file.dependency[:]
        file.dependency.extend(kept)
        del file.public_dependency[:]
        files[file.name] = file
    return files


class _Schema:
    """The messages and methods of the files."""
    def __init__(self, files: Dict[str, Any]) -> None:
        self._pool = descriptor_pool.DescriptorPool()
        self._classes: Dict[str, Any] = {}
        # GetPrototype is what GetMessageClass was called before protobuf 4.22.
        self._make: Any = getattr(message_factory, "GetMessageClass", None)
        if self._make is None:
            self._make = message_factory.MessageFactory(self._pool).GetPrototype
        for module in (any_pb2, duration_pb2, field_mask_pb2, timestamp_pb2):
            self._pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
        added: Set[str] = set()
        for name in files:
            self._add(name, files, added)
        self.methods = {
            f"{service.name}/{method.name}": self._method(f"/{file.package}.{service.name}/{method.name}", method)
            for file in files.values() for service in file.service for method in service.method
        }

    def _add(self, name: str, files: Dict[str, Any], added: Set[str]) -> None:
        """Adds a file's messages, after those it imports."""
        if name in added or name not in files:  # protobuf's own are there
            return
        added.add(name)
        for dependency in files[name].dependency:
            self._add(dependency, files, added)
        messages = descriptor_pb2.FileDescriptorProto()
        messages.CopyFrom(files[name])
        del messages.service[:]  # whose options are the annotations
        self._pool.AddSerializedFile(messages.SerializeToString())

    def _method(self, path: str, method: Any) -> Method:
        request, response = self.full(method.input_type[1:]), self.full(method.output_type[1:])
        return Method(path, request, response, method.client_streaming, method.server_streaming)

    def full(self, name: str) -> Any:
        found = self._classes.get(name)
        if found is None:
            found = self._classes[name] = self._make(self._pool.FindMessageTypeByName(name))
        return found


_SCHEMA = _Schema(_read_files())

# By service and method: "SearchService/Search".
METHODS: Dict[str, Method] = _SCHEMA.methods


def message(name: str, /, **fields: Any) -> Message:
    """A new message of the API: message("CropBox", x0=0.1)."""
    return _SCHEMA.full(f"{_PACKAGE}.{name}")(**fields)


def message_class(full_name: str) -> Any:
    """The class of a message by its full name; KeyError where the API has none of that name."""
    return _SCHEMA.full(full_name)


def is_repeated(field: Any) -> bool:
    """Whether a field holds several values. The property came with protobuf 6.31, and `label` goes."""
    repeated = getattr(field, "is_repeated", None)
    return bool(field.label == field.LABEL_REPEATED if repeated is None else repeated)
