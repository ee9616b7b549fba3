"""Pictures one after another as an animated GIF, which slide programs play without a plug-in.

Made for flat diagrams with heat maps and small text: one palette for all frames and no dithering, so that
what stands still does not shimmer, and of each frame only what differs from the one before. Pillow decodes
and compresses; its own writer of animations is not used: it holds all frames at once, makes one frame of two
equal ones and cannot be stopped.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.uint32]  # (height, width), red + 256 green + 65536 blue
Indices = NDArray[np.uint8]  # (height, width), places in the palette

MAX_FRAMES = 400
MAX_PIXELS = 1920 * 1080
MAX_SIDE = 4096

_COLOURS = 255  # the last place of 256 means "as before"
_AS_BEFORE = 255
_EXACT = 64  # of the commonest colours, when there are too many for all to be exact
_MANY = 1 << 15
_SAMPLE = 24  # frames that the palette is made from
_PNG = b"\x89PNG\r\n\x1a\n"
# What Pillow raises for broken files; SyntaxError is its own, for a broken chunk.
_DAMAGE = (
    *(OSError, ValueError, SyntaxError, LookupError, EOFError, TypeError, struct.error, zlib.error),
    *(Image.DecompressionBombError, Image.DecompressionBombWarning),
)


class StoppedError(Exception):
    """Nobody wants the animation any more."""


def split(body: bytes | bytearray) -> list[memoryview]:
    """Take frames apart: each is a 4-byte little-endian length and as many bytes of a PNG.

    Raises:
        ValueError: for no frame, more than `MAX_FRAMES`, or a length that does not fit the body.
    """
    view, at = memoryview(body), 0
    frames: list[memoryview] = []
    while at < len(view):
        if len(frames) == MAX_FRAMES:
            raise ValueError(f"There are more than {MAX_FRAMES} frames; allowed: 1 to {MAX_FRAMES} frames.")
        length = int.from_bytes(view[at : at + 4], "little")
        rest = len(view) - at - 4
        if not 0 < length <= rest:
            raise ValueError(
                f"Length of frame {len(frames) + 1} is {length} bytes; allowed: 1 to the {max(rest, 0)} "
                "bytes left in the body."
            )
        frames.append(view[at + 4 : at + 4 + length])
        at += 4 + length
    if not frames:
        raise ValueError(f"There are 0 frames; allowed: 1 to {MAX_FRAMES} frames.")
    return frames


def gif(
    pngs: Sequence[bytes | memoryview], delay: int, last: int, stop: Callable[[], bool] = lambda: False
) -> bytes:
    """Encode PNG files of one size as a GIF that repeats for ever.

    Args:
        pngs: 1 to `MAX_FRAMES` files; what is transparent in them becomes white.
        delay: milliseconds that a frame stays, rounded to 10 ms.
        last: the same for the last frame.
        stop: asked before every frame.

    Raises:
        ValueError: in a sentence, for a damaged file, frames of different sizes or too large ones.
        StoppedError: when `stop` says so.
    """
    width, height = size = _common_size(pngs)
    palette = _palette(_decoded(pngs[place], place + 1, size) for place in _sample(len(pngs), stop))
    table = np.full(1 << 24, _AS_BEFORE, dtype=np.uint8)  # of every colour met so far, its place
    out = io.BytesIO()
    out.write(b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF7, 0, 0))
    out.write(_channels(palette).astype(np.uint8).tobytes().ljust(3 * 256, b"\0"))
    out.write(b"!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00")  # repeat without end
    before = None
    for number, png in enumerate(pngs, 1):
        if stop():
            raise StoppedError
        indices = _indices(_decoded(png, number, size), palette, table)
        out.write(_frame(indices, before, last if number == len(pngs) else delay))
        before = indices
    out.write(b";")
    return out.getvalue()


def _common_size(pngs: Sequence[bytes | memoryview]) -> tuple[int, int]:
    """Width and height in pixels that all frames say they have; nothing is decoded."""
    first = _size(pngs[0], 1)
    for number, png in enumerate(pngs, 1):
        width, height = size = _size(png, number)
        if not 0 < width * height <= MAX_PIXELS or max(size) > MAX_SIDE:
            raise ValueError(
                f"Frame {number} is {width} x {height} pixels; allowed: an area of 1 to {MAX_PIXELS} pixels "
                f"(1920 x 1080), no side above {MAX_SIDE}."
            )
        if size != first:
            raise ValueError(
                f"Frame {number} is {width} x {height} pixels; allowed: {first[0]} x {first[1]}, as frame 1."
            )
    return first


def _size(png: bytes | memoryview, number: int) -> tuple[int, int]:
    if bytes(png[:8]) != _PNG or bytes(png[12:16]) != b"IHDR" or len(png) < 24:
        raise ValueError(f"Frame {number} is no PNG; allowed: PNG files.")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def _decoded(png: bytes | memoryview, number: int, size: tuple[int, int]) -> Picture:
    """A frame's colours (height, width).

    Raises:
        ValueError: if the file is damaged or is larger than its first header says.
    """
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            if image.size != size:  # a second header; Pillow has decoded nothing yet
                raise ValueError("two headers")
            rgba = image.convert("RGBA")
    except _DAMAGE as error:
        raise ValueError(
            f"Frame {number} is a damaged PNG; allowed: PNG files that can be decoded."
        ) from error
    if np.asarray(rgba)[..., 3].min() < 255:
        rgba = Image.alpha_composite(Image.new("RGBA", size, "white"), rgba)
    packed: Picture = np.asarray(rgba).view("<u4")[..., 0] & np.uint32(0xFFFFFF)
    return packed


def _sample(frames: int, stop: Callable[[], bool]) -> Iterator[int]:
    """Places of up to `_SAMPLE` frames, the first and the last among them."""
    for place in np.unique(np.linspace(0, frames - 1, min(frames, _SAMPLE)).round().astype(int)):
        if stop():
            raise StoppedError
        yield int(place)


def _palette(pictures: Iterator[Picture]) -> Picture:
    """At most `_COLOURS` colours (n,): all that occur, or the commonest and a choice of the others."""
    counts = np.zeros(1 << 24, dtype=np.int32)
    before = None
    for picture in pictures:
        # What stands still counts once, or a thin line that moves would have no colour of its own.
        fresh = picture if before is None else picture[picture != before]
        colours, times = np.unique(fresh, return_counts=True)
        counts[colours] += times.astype(np.int32)
        before = picture
    colours = np.flatnonzero(counts).astype(np.uint32)
    if len(colours) <= _COLOURS:
        return colours
    order = np.argsort(-counts[colours], kind="stable")
    common, others = colours[order[:_EXACT]], colours[order[_EXACT:]]
    return np.unique(np.concatenate([common, _median_cut(others, counts[others])]))


def _median_cut(colours: Picture, counts: NDArray[Any]) -> Picture:
    """Choose `_COLOURS` - `_EXACT` colours that stand for (n,) given ones.

    Weights are roots: areas are large, and the blends at the edges of text few, yet these are what is read.
    """
    if len(colours) > _MANY:  # a photograph: the cut would take seconds, and hold Python's lock
        colours, group = np.unique(colours & 0xF8F8F8 | 0x040404, return_inverse=True)
        counts = np.bincount(group, weights=counts)
    weights = np.ceil(np.sqrt(np.minimum(counts, 10_000))).astype(int)
    row = np.repeat(_channels(colours).astype(np.uint8), weights, axis=0)[None]
    chosen = Image.fromarray(row).quantize(_COLOURS - _EXACT, method=Image.Quantize.MEDIANCUT).getpalette()
    red, green, blue = np.array(chosen, dtype=np.uint32).reshape(-1, 3).T
    picked: Picture = red + (green << 8) + (blue << 16)
    return picked


def _channels(colours: Picture) -> NDArray[np.float32]:
    """Red, green and blue (n, 3) from 0 to 255."""
    return np.stack([colours & 255, colours >> 8 & 255, colours >> 16], axis=-1).astype(np.float32)


def _indices(picture: Picture, palette: Picture, table: Indices) -> Indices:
    """The place of each pixel's nearest colour; ``table`` learns the colours that it did not know."""
    indices = table[picture]
    new = np.unique(picture[indices == _AS_BEFORE])
    if len(new):
        entries = _channels(palette)
        squares = (entries**2).sum(axis=1)  # whole numbers below 2**24: exact
        for start in range(0, len(new), 8192):
            some = new[start : start + 8192]
            table[some] = (squares - 2 * _channels(some) @ entries.T).argmin(axis=1)
        indices = table[picture]
    return indices


def _frame(indices: Indices, before: Indices | None, duration: int) -> bytes:
    """One frame of the file: the smallest rectangle that changes, ``duration`` in milliseconds."""
    top, left, patch = 0, 0, indices
    if before is not None:
        same = indices == before
        rows, columns = np.flatnonzero(~same.all(axis=1)), np.flatnonzero(~same.all(axis=0))
        # A frame equal to the one before is one pixel "as before": it must still take its time.
        top, bottom, left, right = (rows[0], rows[-1], columns[0], columns[-1]) if len(rows) else (0, 0, 0, 0)
        patch = np.where(same, np.uint8(_AS_BEFORE), indices)[top : bottom + 1, left : right + 1]
    height, width = patch.shape
    flags = 0b100 if before is None else 0b101  # leave it where it is; the last place is transparent
    control = struct.pack("<BHB", flags, (duration + 5) // 10, _AS_BEFORE)
    place = struct.pack("<HHHHB", left, top, width, height, 0)
    data = Image.fromarray(patch).tobytes("gif", "L", 8, 0)  # 8 bits a pixel, not interlaced
    return b"!\xf9\x04" + control + b"\0," + place + b"\x08" + data + b"\0"
