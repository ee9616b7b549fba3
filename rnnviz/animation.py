"""Pictures one after another as an animated GIF, which slide programs play without a plug-in.

Made for flat diagrams with heat maps and small text: one palette for all frames and no dithering, so that
what stands still does not shimmer. Pillow makes one longer frame of equal ones, and holds all until the end.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from PIL import Image

MAX_FRAMES = 400
MAX_PIXELS = 1920 * 1080
MAX_ALL = 400 * 1280 * 800  # pixels of all frames together: Pillow keeps a byte of each
MAX_SIDE = 4096

_SAMPLE = 12  # frames that the palette is made from
_PNG = b"\x89PNG\r\n\x1a\n"


class StoppedError(Exception):
    """Nobody wants the animation any more."""


def split(body: bytes | bytearray) -> list[memoryview]:
    """Take frames apart: each is a 4-byte little-endian length and as many bytes of a PNG.

    Raises:
        ValueError: for no frame, more than `MAX_FRAMES`, or a length that does not fit the body.
    """
    view = memoryview(body)
    frames: list[memoryview] = []
    while view:
        if len(frames) == MAX_FRAMES:
            raise ValueError(f"There are more than {MAX_FRAMES} frames; allowed: 1 to {MAX_FRAMES} frames.")
        length, view = int.from_bytes(view[:4], "little"), view[4:]
        if not 0 < length <= len(view):
            raise ValueError(
                f"Length of frame {len(frames) + 1} is {length} bytes; allowed: 1 to the {len(view)} bytes "
                "left in the body."
            )
        frames.append(view[:length])
        view = view[length:]
    if not frames:
        raise ValueError(f"There are 0 frames; allowed: 1 to {MAX_FRAMES} frames.")
    return frames


def gif(
    pngs: Sequence[bytes | memoryview], delay: int, last: int, stop: Callable[[], bool] = lambda: False
) -> bytes:
    """Encode PNG files of one size as a GIF that repeats for ever.

    Args:
        pngs: 1 to `MAX_FRAMES` files; what is transparent in them becomes white.
        delay, last: milliseconds that a frame, and the last one, stays; rounded to 10 ms.
        stop: asked before every frame.

    Raises:
        ValueError: in a sentence, for damaged files, different or too large sizes, and a long standstill.
        StoppedError: when `stop` says so.
    """
    width, height = _common_size(pngs)

    def decoded(places: Iterable[int]) -> Iterator[Image.Image]:
        for place in places:
            if stop():
                raise StoppedError
            yield _decoded(pngs[place], place + 1, (width, height))

    sample = sorted({round(k * (len(pngs) - 1) / (_SAMPLE - 1)) for k in range(_SAMPLE)})
    joined = Image.new("RGB", (width, height * len(sample)))
    for k, frame in enumerate(decoded(sample)):
        joined.paste(frame, (0, height * k))
    palette, shown = _palette(joined)

    def drawn() -> Iterator[Image.Image]:
        for frame in decoded(range(len(pngs))):
            indices = frame.quantize(palette=palette, dither=Image.Dither.NONE)
            indices.putpalette(shown)
            yield indices

    frames, out = drawn(), io.BytesIO()
    times = [(ms + 5) // 10 * 10 for ms in [*[delay] * (len(pngs) - 1), last]]
    options = {"palette": shown, "duration": times, "loop": 0, "disposal": 1, "optimize": True}
    try:
        next(frames).save(out, "GIF", save_all=True, append_images=frames, **options)
    except OverflowError as error:  # Pillow adds their times up, and 16 bits are too few
        raise ValueError("Equal frames last too long; allowed: 655 s without a change.") from error
    return out.getvalue()


def _palette(joined: Image.Image) -> tuple[Image.Image, bytes]:
    """A palette to find a colour's place in, and the colours to show there; the 256th is for "as before"."""
    counts: list[tuple[int, Any]] = joined.getcolors(1 << 16) or []
    # MAXCOVERAGE heeds a thin line's colour too, but takes a minute for a photograph.
    palette = joined.quantize(255, Image.Quantize.MAXCOVERAGE if counts else Image.Quantize.FASTOCTREE)
    shown = bytearray(palette.getpalette() or ()).ljust(3 * 256, b"\0")
    # Pillow finds places to within 3 of 255 only: each shows the commonest of its colours, as the ground.
    for _, colour in sorted(counts):
        pixel = Image.new("RGB", (1, 1), colour)
        place = pixel.quantize(palette=palette, dither=Image.Dither.NONE).tobytes()[0]
        shown[3 * place : 3 * place + 3] = pixel.tobytes()
    return palette, bytes(shown)


def _common_size(pngs: Sequence[bytes | memoryview]) -> tuple[int, int]:
    """Width and height in pixels that all frames say they have; nothing is decoded."""
    sizes: list[tuple[int, int]] = []
    for number, png in enumerate(pngs, 1):
        if bytes(png[:8]) != _PNG or bytes(png[12:16]) != b"IHDR" or len(png) < 24:
            raise ValueError(f"Frame {number} is no PNG; allowed: PNG files.")
        width, height = struct.unpack(">II", png[16:24])
        sizes.append((width, height))
        wrong = f"Frame {number} is {width} x {height} pixels; allowed:"
        if not 0 < width * height <= MAX_PIXELS or max(width, height) > MAX_SIDE:
            area = f"an area of 1 to {MAX_PIXELS} pixels (1920 x 1080)"
            raise ValueError(f"{wrong} {area}, no side above {MAX_SIDE}.")
        if sizes[0] != sizes[-1]:
            raise ValueError(f"{wrong} {sizes[0][0]} x {sizes[0][1]}, as frame 1.")
    width, height = sizes[0]
    if len(pngs) * width * height > MAX_ALL:
        raise ValueError(
            f"{len(pngs)} frames of {width} x {height} pixels are too many; allowed: {MAX_ALL} pixels in all."
        )
    return sizes[0]


def _decoded(png: bytes | memoryview, number: int, size: tuple[int, int]) -> Image.Image:
    """A frame in RGB, over white, without the file's texts, which Pillow would take for options.

    Raises:
        ValueError: if the file is damaged or is larger than its first header says.
    """
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            if image.size != size:
                raise ValueError("a second header")  # and nothing is decoded yet
            rgba = image.convert("RGBA")
    except Exception as error:  # a broken file makes Pillow raise nearly anything
        raise ValueError(
            f"Frame {number} is a damaged PNG; allowed: PNG files that can be decoded."
        ) from error
    white = Image.new("RGB", size, "white")
    white.paste(rgba, mask=rgba)
    return white
