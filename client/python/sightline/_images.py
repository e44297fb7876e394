"""From what people have of an image to encoded bytes. Neither numpy nor PIL is imported: what they made is recognised
by what it can do.
"""

from __future__ import annotations

import io
import os
import pathlib
import struct
import zlib
from typing import Any, Tuple

from .errors import SightlineError, invalid

_PNG_COLOUR = {1: 0, 3: 2, 4: 6}  # channels -> PNG's colour type
# Of speed and size: PNG is only the envelope here, and the server unpacks it at once.
_COMPRESSION = 1
# Larger pictures travel as JPEG, where PIL is there to make it: a photo of 12 megapixels as PNG is beyond the limit of
# an image's bytes, and takes a second to pack.
_LOSSLESS_PIXELS = 2_000_000
_JPEG_QUALITY = 95


def encode(source: Any, limit: int, field: str = "image") -> bytes:
    """The image encoded, of at most `limit` bytes. A file larger than that is refused before it is read."""
    if isinstance(source, (str, os.PathLike)):
        return _read(pathlib.Path(source), limit, field)
    if isinstance(source, (bytes, bytearray)) or (isinstance(source, memoryview) and source.ndim == 1):
        data = bytes(source)
    elif hasattr(source, "getbands") and hasattr(source, "tobytes"):
        data = _from_pil(source, field)
    elif hasattr(source, "__array_interface__") or isinstance(source, memoryview):
        data = _from_array(source, field)
    elif hasattr(source, "read"):
        data = _read_open(source, limit, field)
        if not isinstance(data, bytes):
            raise invalid("IMAGE_TYPE",
                          f"{field} is a file that gives {type(data).__name__}. Open it in binary mode (\"rb\").",
                          field=field)
    else:
        raise invalid(
            "IMAGE_TYPE",
            f"{field} is of type {type(source).__name__}. Give a path, encoded bytes, a binary file, a PIL image "
            "or an array of uint8.",
            field=field)
    _check_size(len(data), limit, field, "it is")
    return data


def _check_size(size: int, limit: int, field: str, what: str) -> None:
    if size > limit:
        raise invalid("IMAGE_TOO_LARGE",
                      f"{field}: {what} {size:,} bytes; the limit is {limit:,}. Resize the image.",
                      field=field,
                      actual=size,
                      limit=limit)
    if size == 0:
        raise invalid("IMAGE_EMPTY", f"{field}: {what} 0 bytes. Give a JPEG, PNG or WebP image.", field=field)


def _read(path: pathlib.Path, limit: int, field: str) -> bytes:
    try:
        _check_size(path.stat().st_size, limit, field, f"{path} has")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, SightlineError):
            raise  # the size
        words = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise invalid("FILE_UNREADABLE",
                      f"{field}: cannot read {str(path)!r} ({words}). Check the path and its mode.",
                      field=field,
                      path=path) from None


def _read_open(file: Any, limit: int, field: str) -> Any:
    """What is left of an open file, or a little more than the limit."""
    try:
        return file.read(limit + 1)
    except Exception as error:  # whatever it is, reading it is its own code
        raise invalid("FILE_UNREADABLE", f"{field} is a file that cannot be read ({error}). Open it anew.",
                      field=field) from None


def _from_pil(image: Any, field: str) -> bytes:
    """A PIL image the way it looks: turned as its EXIF data says."""
    from PIL import ImageOps
    try:
        upright = ImageOps.exif_transpose(image) or image
        if upright.mode == "F" or upright.mode.startswith("I"):
            # PIL would cut values at 255, and most of such a picture be white.
            raise invalid("IMAGE_TYPE",
                          f"{field} is a PIL image of mode {upright.mode}, whose pixels have more than 8 bits. Scale "
                          "them to 0 to 255 and convert it to L or RGB.",
                          field=field,
                          actual=upright.mode)
        if upright.mode not in ("L", "RGB", "RGBA"):
            see_through = "transparency" in upright.info or upright.mode in ("LA", "PA")
            upright = upright.convert("RGBA" if see_through else "RGB")
        pixels = upright.tobytes()
    except SightlineError:
        raise
    except Exception as error:  # PIL reads a file when its pixels are wanted; each format fails in its own way
        raise invalid("IMAGE_UNREADABLE",
                      f"{field} is a PIL image whose pixels cannot be read ({error}). Open it again.",
                      field=field) from None
    return _pack(pixels, upright.width, upright.height, len(upright.getbands()))


def _from_array(array: Any, field: str) -> bytes:
    try:
        view = memoryview(array)
    except (TypeError, ValueError, BufferError):
        raise invalid("IMAGE_TYPE",
                      f"{field} is an array that does not give its memory. Give a numpy array of uint8.",
                      field=field) from None
    shape: Tuple[int, ...] = tuple(view.shape or ())
    if view.format != "B":
        raise invalid("IMAGE_TYPE",
                      f"{field} is an array of {getattr(array, 'dtype', view.format)}; images are uint8. Convert it: "
                      "(array * 255).astype(\"uint8\") where it holds 0 to 1.",
                      field=field,
                      actual=view.format)
    channels = shape[2] if len(shape) == 3 else 1
    if len(shape) not in (2, 3) or channels not in _PNG_COLOUR or 0 in shape:
        raise invalid("IMAGE_SHAPE",
                      f"{field} is an array of shape {shape}. Give height x width, height x width x 3 (RGB) or x 4 "
                      "(RGBA).",
                      field=field,
                      actual=shape)
    return _pack(view.tobytes(), shape[1], shape[0], channels)


def _pack(pixels: bytes, width: int, height: int, channels: int) -> bytes:
    """Pixels of one byte a channel as a file."""
    if width * height > _LOSSLESS_PIXELS and channels != 4:
        try:
            from PIL import Image
        except ImportError:
            return _png(pixels, width, height, channels)
        out = io.BytesIO()
        image = Image.frombytes("L" if channels == 1 else "RGB", (width, height), pixels)
        image.save(out, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
        return out.getvalue()
    return _png(pixels, width, height, channels)


def _png(pixels: bytes, width: int, height: int, channels: int) -> bytes:
    """As PNG, without loss."""
    row = width * channels
    # Each row begins with the kind of its filter, here none.
    rows = b"".join(b"\0" + pixels[start:start + row] for start in range(0, height * row, row))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, _PNG_COLOUR[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, _COMPRESSION)) + chunk(
        b"IEND", b"")
