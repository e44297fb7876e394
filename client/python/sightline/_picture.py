"""Kind and size of an encoded image, from its header: what a page needs to draw on it. Nothing is decoded."""

from __future__ import annotations

import struct
from typing import NamedTuple, Optional

# JPEG's markers: start of frame, but for the three of that range that are none.
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ORIENTATION = 0x0112
_TURNED = range(5, 9)  # orientations that swap width and height


class Picture(NamedTuple):
    """Width and height are those after the EXIF orientation is applied, as browsers show it."""

    mime: str
    width: int
    height: int


def picture(data: bytes) -> Optional[Picture]:
    """None for what is no JPEG, PNG or WebP, or is cut off within its header."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            found = Picture("image/png", *struct.unpack_from(">II", data, 16))
        elif data.startswith(b"\xff\xd8"):
            found = _jpeg(data)
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            found = _webp(data)
        else:
            return None
    except (struct.error, IndexError):
        return None
    return found if found.width > 0 and found.height > 0 else None


def _jpeg(data: bytes) -> Picture:
    place, turned = 2, False
    while True:
        marker = data[place + 1]
        if data[place] != 0xFF:
            raise IndexError
        if marker == 0xFF:  # fill
            place += 1
            continue
        size, = struct.unpack_from(">H", data, place + 2)
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", data, place + 5)
            return Picture("image/jpeg", *((height, width) if turned else (width, height)))
        if marker == 0xE1 and data[place + 4:place + 10] == b"Exif\0\0":
            turned = _orientation(data[place + 10:place + 2 + size]) in _TURNED
        place += 2 + size


def _orientation(tiff: bytes) -> int:
    order = "<" if tiff[:2] == b"II" else ">"
    start, = struct.unpack_from(order + "I", tiff, 4)
    count, = struct.unpack_from(order + "H", tiff, start)
    for number in range(count):
        tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, start + 2 + 12 * number)
        if tag == _ORIENTATION:
            return int(value)
    return 1


def _webp(data: bytes) -> Picture:
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (1 + int.from_bytes(data[at:at + 3], "little") for at in (24, 27))
    elif kind == b"VP8L":
        bits, = struct.unpack_from("<I", data, 21)
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    else:
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    return Picture("image/webp", width, height)
