"""A downloaded snapshot as a file: its head, and whether it is whole. The layout is specified in index/FORMAT.md,
"Snapshots".
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import struct
from typing import Any, BinaryIO, Iterator, List, NamedTuple, Optional, Tuple

from .errors import DataLossError, FailedPreconditionError, InternalError, SightlineError, invalid

PIECE_BYTES = 1 << 20
_STREAM_MAGIC, _STREAM_VERSION = b"SLSTREAM", 1
_MANIFEST_MAGIC, _MANIFEST_FORMAT = b"SLSNAP\r\n", 1
_MAX_MANIFEST_BYTES = 16 << 20
_CHECKSUM_BYTES, _DIGEST_BYTES = 4, 32


class Head(NamedTuple):
    """What the begin of the file tells."""

    sha256: str  # of the manifest
    begin: int  # of the parts
    parts: List[Tuple[str, int, str]]  # name, size, SHA-256

    @property
    def size(self) -> int:
        """Of the whole file."""
        return self.begin + sum(size for _, size, _ in self.parts)


def _damaged(path: pathlib.Path, problem: str) -> DataLossError:
    return DataLossError(f"{path} is not a whole snapshot: {problem}. Download it again.",
                         reason="SNAPSHOT_DAMAGED",
                         metadata={"path": str(path)})


def _newer(path: pathlib.Path, version: int) -> FailedPreconditionError:
    return FailedPreconditionError(
        f"{path} has snapshot format {version}, which this version does not know. Use a newer one.",
        reason="FORMAT_UNKNOWN",
        metadata={
            "path": str(path),
            "actual": str(version)
        })


def path_of(path: Any) -> pathlib.Path:
    """What a caller gave as a path."""
    try:
        return pathlib.Path(path)
    except TypeError:
        raise invalid("FIELD_INVALID", f"path is of type {type(path).__name__}. Give text or a pathlib.Path.",
                      field="path") from None


def open_snapshot(path: pathlib.Path) -> BinaryIO:
    """The file, to read; in words where that cannot be."""
    try:
        return path.open("rb")
    except (OSError, ValueError) as error:  # a NUL within the path
        words = error.strerror if isinstance(error, OSError) else str(error)
        raise invalid("FILE_UNREADABLE",
                      f"cannot read {str(path)!r} ({words}). Check the path and its mode.",
                      path=path) from None


def read_head(path: pathlib.Path) -> Head:
    """Reads the manifest in front; DataLossError where it is none."""
    with open_snapshot(path) as file:
        header = file.read(16)
        if len(header) < 16 or not header.startswith(_STREAM_MAGIC):
            raise _damaged(path, "it does not begin as a snapshot")
        version, size = struct.unpack("<II", header[8:])
        if version != _STREAM_VERSION:
            raise _newer(path, version)
        if size > _MAX_MANIFEST_BYTES:
            raise _damaged(path, "its manifest is too large")
        manifest = file.read(size)
    if len(manifest) < size:
        raise _damaged(path, "it ends within its manifest")
    return Head(hashlib.sha256(manifest).hexdigest(), 16 + size, list(_parts(path, manifest)))


def _parts(path: pathlib.Path, manifest: bytes) -> Iterator[Tuple[str, int, str]]:
    place = 0

    def take(size: int) -> bytes:
        nonlocal place
        if size > len(manifest) - place:
            raise _damaged(path, "its manifest does not add up")
        place += size
        return manifest[place - size:place]

    if take(len(_MANIFEST_MAGIC)) != _MANIFEST_MAGIC:
        raise _damaged(path, "its manifest is not one")
    if take(1)[0] != _MANIFEST_FORMAT:
        raise _newer(path, manifest[place - 1])
    take(int.from_bytes(take(4), "little"))  # the collection's name
    take(8 + 8 + 8)  # sequence, images, time
    for _ in range(int.from_bytes(take(4), "little")):
        name = take(int.from_bytes(take(4), "little")).decode(errors="replace")
        size = int.from_bytes(take(8), "little")
        yield name, size, take(_DIGEST_BYTES).hex()
    if len(manifest) - place != _CHECKSUM_BYTES:
        raise _damaged(path, "its manifest does not add up")


def verify(path: pathlib.Path) -> Head:
    """Checks size and every part's SHA-256."""
    head = read_head(path)
    actual = path.stat().st_size
    if actual != head.size:
        raise _damaged(path, f"it has {actual:,} bytes; its manifest adds up to {head.size:,}")
    with open_snapshot(path) as file:
        file.seek(head.begin)
        for name, size, sha256 in head.parts:
            digest = hashlib.sha256()
            while size > 0:
                piece = file.read(min(size, PIECE_BYTES))
                if not piece:
                    raise _damaged(path, "it could not be read to its end")
                digest.update(piece)
                size -= len(piece)
            if digest.hexdigest() != sha256:
                raise _damaged(path, f"part {name} does not have the SHA-256 of the manifest")
    return head


class Download:
    """A snapshot that grows as PATH.part beside the file that it becomes. A context manager; failure: InternalError for
    a disk that refuses, DataLossError for what is not the snapshot, which is then removed: going on from it would end
    the same way."""
    def __init__(self, path: Any, sha256: Optional[str]) -> None:
        """`sha256`: what the server lists of the snapshot; None where it lists none."""
        self._target = path_of(path)
        self._part = path_of(f"{self._target}.part")
        self._sha256 = sha256
        self._file: Optional[BinaryIO] = None
        #: Where to go on.
        self.offset = 0

    def __enter__(self) -> Download:
        try:
            self._file = self._part.open("ab")
            if self._sha256 is not None and not self._is_begun():
                self._file.truncate(0)
            self.offset = self._file.seek(0, os.SEEK_END)
        except (OSError, ValueError) as error:  # a NUL within the path
            self.__exit__()
            raise self._unwritable(error) from None
        return self

    def __exit__(self, *_: Any) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            file.close()
            if self._part.exists() and self._part.stat().st_size == 0:
                self._part.unlink()  # nothing came

    def write(self, data: bytes) -> None:
        """The next piece."""
        assert self._file is not None
        try:
            self._file.write(data)
        except OSError as error:
            raise self._unwritable(error) from None

    def finish(self) -> None:
        """Checks the whole and gives it its name."""
        assert self._file is not None
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            try:
                head = verify(self._part)
                if self._sha256 is not None and head.sha256 != self._sha256:
                    raise _damaged(self._part, "it does not have the SHA-256 that the server lists")
            except DataLossError:
                self._part.unlink()
                raise
            self._part.replace(self._target)
        except OSError as error:
            raise self._unwritable(error) from None

    def _is_begun(self) -> bool:
        """Whether what is there is the begin of this snapshot."""
        try:
            return read_head(self._part).sha256 == self._sha256
        except SightlineError:
            return False

    def _unwritable(self, error: Exception) -> InternalError:
        words = getattr(error, "strerror", None) or error
        return InternalError(f"cannot write {str(self._part)!r} ({words}). Check the path, its mode and the disk.",
                             reason="FILE_ERROR",
                             metadata={"path": str(self._part)})
