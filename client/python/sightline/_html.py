"""What a notebook shows of results and evidence: HTML without scripts, with pictures as data URLs. Every text that
comes from the server is escaped.
"""

from __future__ import annotations

import base64
import html
import io
import math
from typing import TYPE_CHECKING, Iterable, List, Optional, Tuple

from ._picture import Picture, picture

if TYPE_CHECKING:
    from .types import Box, Evidence, HeatMap, Result, SearchResponse

_TILE = 144  # pixels of a result's picture
_SIDE = 320  # of one of the two pictures of an explanation
_GAP = 40  # between them
_LARGE_BYTES = 200_000  # beyond these a picture is made smaller, where PIL is there
_FAINT = 0.3  # of the range of a heat-map: what is not above that is not coloured
_MOST_CELLS = 65_536  # of a heat-map; a grid of tokens has at most a few thousand
_FONT = "font:12px/1.4 system-ui,sans-serif"
_WARNING = '<p style="margin:4px 0;color:#b00">{}</p>'


def response(answer: SearchResponse) -> str:
    """The results as a grid, with where the time went below."""
    notes = [f"{len(answer)} of {answer.stats.matching:,} images ({_text(answer.stats.index)})"]
    notes += [f"{_text(stage)} {milliseconds:.1f} ms" for stage, milliseconds in answer.timings.items()]
    warning = "".join(_WARNING.format(_text(reason)) for reason in answer.degraded_reasons)
    if answer.stats.model is not None and answer.stats.model.untrained:
        warning += _WARNING.format("The model is untrained: this shows that it works, not how well.")
    tiles = "".join(map(_tile, answer.results)) or "<p>Nothing was found.</p>"
    return (f'<div style="{_FONT}">{warning}<div style="display:flex;flex-wrap:wrap;gap:10px">{tiles}</div>'
            f'<p style="margin:6px 0 0;opacity:.7">{" · ".join(notes)}</p></div>')


def result(one: Result) -> str:
    """One result, with its evidence."""
    shown = evidence(one.evidence) if one.evidence is not None else ""
    return f'<div style="{_FONT}"><div style="display:flex">{_tile(one)}</div>{shown}</div>'


def evidence(why: Evidence) -> str:
    """The two pictures side by side with a line for every correspondence: width is its mass, colour its cosine."""
    left, right = _frame(why.query_image), _frame(why.result_image)
    width, height = left[0] + _GAP + right[0], max(left[1], right[1])
    right_at = left[0] + _GAP
    marks: List[str] = []
    most = max((pair.mass for pair in why.correspondences if _finite(pair.mass)), default=0.0)
    # The strongest are drawn last, on top.
    for pair in reversed(why.correspondences):
        first, second = _place(pair.query_box, left, 0), _place(pair.result_box, right, right_at)
        if first is None or second is None or not _finite(pair.mass, pair.cosine):
            continue
        share = pair.mass / most if most > 0 else 0.0
        colour = f"hsl({120 * min(1.0, max(0.0, pair.cosine)):.0f} 90% 45%)"
        title = f"<title>mass {pair.mass:.4f}, cosine {pair.cosine:.3f}</title>"
        boxes = "".join(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}"/>' for x, y, w, h in (first, second))
        (x0, y0), (x1, y1) = ((x + w / 2, y + h / 2) for x, y, w, h in (first, second))
        marks.append(
            f'<g fill="none" stroke="{colour}" stroke-opacity=".85">{title}'
            f'<g stroke-width="1">{boxes}</g>'
            f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke-width="{1 + 5 * share:.2f}"/></g>')
    heat = _heat(why.query_heat_map, left, 0) + _heat(why.result_heat_map, right, right_at)
    pictures = _image(why.query_image, left, 0, "query") + _image(why.result_image, right, right_at, "result")
    confidence = "" if why.confidence is None else f" · confidence {why.confidence:.3f}"
    return (
        f'<div style="{_FONT}"><div style="position:relative;width:{width}px;height:{height}px">{pictures}'
        f'<svg role="img" aria-label="correspondences" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" '
        f'style="position:absolute;left:0;top:0">{heat}{"".join(marks)}</svg></div>'
        f'<p style="margin:6px 0 0;opacity:.7">cosine {why.score:.4f} + {why.weight:g} × structural '
        f'{why.structural_score:.4f} = {why.rerank_score:.4f} · mass {why.mass:.3f}{confidence} · '
        f'{len(why.correspondences)} pairs of patches</p></div>'
    )


def _text(text: str) -> str:
    """Escaped, and kept apart from its surroundings: an id may be written from right to left."""
    return f"<bdi>{html.escape(text)}</bdi>"


def _finite(*numbers: float) -> bool:
    return all(map(math.isfinite, numbers))


def _data_url(data: bytes, kind: Picture, side: int) -> str:
    """The picture, smaller where it is large and PIL is at hand: a notebook keeps all it shows."""
    mime = kind.mime
    if len(data) > _LARGE_BYTES:
        try:
            from PIL import Image, ImageOps
            with Image.open(io.BytesIO(data)) as image:
                small = ImageOps.exif_transpose(image) or image
                small.thumbnail((2 * side, 2 * side))
                out = io.BytesIO()
                small.convert("RGB").save(out, "JPEG", quality=85)
            data, mime = out.getvalue(), "image/jpeg"
        except Exception:  # PIL is not there, or cannot read what the server could: the picture goes as it is
            pass
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def _tile(one: Result) -> str:
    kind = picture(one.preview)
    box = f"width:{_TILE}px;height:{_TILE}px;object-fit:contain;background:#8882"
    if kind is not None:
        shown = f'<img alt="{html.escape(one.id)}" src="{_data_url(one.preview, kind, _TILE)}" style="{box}">'
    else:
        shown = f'<div style="{box};display:flex;align-items:center;justify-content:center;opacity:.6">no preview</div>'
    lines = [f"<b>{one.rank}</b> {_text(one.id)}"]
    scores = [f"score {one.score:.4f}"]
    if one.confidence is not None:
        scores.insert(0, f"confidence {one.confidence:.3f}")
    if one.rank_before_rerank not in (0, one.rank):
        scores.append(f"was {one.rank_before_rerank}")
    lines.append(" · ".join(scores))
    lines += [f"{_text(key)}: {_text(str(value))}" for key, value in list(one.attributes.items())[:4]]
    caption = "".join(
        f'<div style="overflow:hidden;text-overflow:ellipsis;white-space:nowrap">{line}</div>' for line in lines)
    return (f'<figure title="{html.escape(one.id)}" style="margin:0;width:{_TILE}px">{shown}'
            f'<figcaption>{caption}</figcaption></figure>')


def _frame(data: bytes) -> Tuple[int, int]:
    """Width and height that a picture is shown in; a square where there is none."""
    kind = picture(data)
    if kind is None:
        return _SIDE, _SIDE
    scale = _SIDE / max(kind.width, kind.height)
    return max(1, round(kind.width * scale)), max(1, round(kind.height * scale))


def _image(data: bytes, size: Tuple[int, int], left: int, name: str) -> str:
    place = f"position:absolute;left:{left}px;top:0;width:{size[0]}px;height:{size[1]}px;margin:0;max-width:none"
    kind = picture(data)
    if kind is None:
        return f'<div style="{place};background:#8882">no picture of the {name}</div>'
    return f'<img alt="{name}" src="{_data_url(data, kind, _SIDE)}" style="{place}">'


def _place(box: Optional[Box], size: Tuple[int, int], left: int) -> Optional[Tuple[float, float, float, float]]:
    """A box in fractions of the picture as x, y, width and height on the page."""
    if box is None or not _finite(box.x0, box.y0, box.x1, box.y1):
        return None
    x0, y0, x1, y1 = (min(1.0, max(0.0, edge)) for edge in (box.x0, box.y0, box.x1, box.y1))
    return left + x0 * size[0], y0 * size[1], max(0.0, x1 - x0) * size[0], max(0.0, y1 - y0) * size[1]


def _heat(heat: Optional[HeatMap], size: Tuple[int, int], left: int) -> str:
    """The heat-map as squares; nothing where the numbers cannot be one."""
    if heat is None or not _is_grid(heat.height, heat.width, heat.values):
        return ""
    region = _place(heat.region, size, left) if heat.region is not None else (float(left), 0.0, float(size[0]),
                                                                              float(size[1]))
    # Mass that lies everywhere alike says nothing: colour is what is above the least.
    least, most = min(heat.values), max(heat.values)
    if region is None or most <= least:
        return ""
    x, y, width, height = region[0], region[1], region[2] / heat.width, region[3] / heat.height
    cells = []
    for place, value in enumerate(heat.values):
        strength = (value - least) / (most - least) - _FAINT
        if strength > 0:
            row, column = divmod(place, heat.width)
            cells.append(f'<rect x="{x + column * width:.1f}" y="{y + row * height:.1f}" width="{width:.1f}" '
                         f'height="{height:.1f}" fill-opacity="{0.6 * strength:.2f}"/>')
    return f'<g fill="#f80">{"".join(cells)}</g>'


def _is_grid(height: int, width: int, values: Iterable[float]) -> bool:
    numbers = tuple(values)
    return height > 0 and width > 0 and height * width == len(numbers) <= _MOST_CELLS and _finite(*numbers)
