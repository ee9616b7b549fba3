"""Pictures one after another as an animated GIF, which slide programs play without a plug-in.

Made for flat diagrams with heat maps and small text: one palette for all frames and no dithering, so that
what stands still does not shimmer. Pillow does the work; of frames that are equal it makes one that stays
longer, and it holds all of them, a byte a pixel, until the last is there.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence

from PIL import Image

MAX_FRAMES = 400
MAX_PIXELS = 1920 * 1080
MAX_SIDE = 4096

_SAMPLE = 12  # frames that the palette is made from
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
        ValueError: in a sentence, for a damaged file, frames of different sizes or too large ones, and for
            a picture that stands still for longer than a GIF can say.
        StoppedError: when `stop` says so.
    """
    size = _common_size(pngs)

    def decoded(places: Sequence[int]) -> Iterator[Image.Image]:
        for place in places:
            if stop():
                raise StoppedError
            yield _decoded(pngs[place], place + 1, size)

    palette = _palette([*decoded(_spread(len(pngs)))])
    frames = (f.quantize(palette=palette, dither=Image.Dither.NONE) for f in decoded(range(len(pngs))))
    durations = [(ms + 5) // 10 * 10 for ms in [delay] * (len(pngs) - 1) + [last]]
    out = io.BytesIO()
    try:
        next(frames).save(
            out,
            "GIF",
            save_all=True,
            append_images=frames,
            palette=palette.palette,
            duration=durations,
            loop=0,
            disposal=1,
            optimize=False,
        )
    except struct.error as error:
        raise ValueError("A picture stands still for longer than 655 s; allowed: less.") from error
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


def _decoded(png: bytes | memoryview, number: int, size: tuple[int, int]) -> Image.Image:
    """A frame in RGB, over white.

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
    white = Image.new("RGB", size, "white")  # a new one: no text of the file's is taken for an option
    white.paste(rgba, mask=rgba)
    return white


def _spread(frames: int) -> list[int]:
    """Places of up to `_SAMPLE` frames, the first and the last among them."""
    return [*dict.fromkeys(round(k * (frames - 1) / (_SAMPLE - 1)) for k in range(_SAMPLE))]


def _palette(pictures: Sequence[Image.Image]) -> Image.Image:
    """An image with the palette of all, which heeds lone colours too: a thin line's, a text's edges."""
    width, height = pictures[0].size
    joined = Image.new("RGB", (width, height * len(pictures)))
    for k, picture in enumerate(pictures):
        joined.paste(picture, (0, k * height))
    return joined.quantize(method=Image.Quantize.MAXCOVERAGE)
