"""An SVG from a browser as a PDF: our face in all of its text, and nothing from outside.

vl-convert reads files that an SVG names, leaves text out whose face it lacks, and holds Python's lock while
it works, a second for a thousand words: so what it gets is looked through, text is set in our face, and
servers let a process of its own do it (``python -m rnnviz.svg_pdf``, SVG in, PDF out; it starts in 0.2 s).
"""

from __future__ import annotations

import base64
import re
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

MAX_PICTURE_PIXELS = 4096 * 4096
MAX_DEPTH = 20  # groups in each other that vl-convert draws whatever they hold; it gives up at about 25
PATIENCE = 60.0  # seconds

_SVG = "{http://www.w3.org/2000/svg}"
_REFUSED = 2  # exit code with a sentence in stderr
_FORBIDDEN = {"script", "foreignobject", "iframe"}
_TEXT = {f"{_SVG}{name}" for name in ("text", "tspan", "textPath")}
_ALLOWED = "allowed: what begins with # or is a PNG as data:image/png;base64"
_ELSEWHERE = re.compile(r"url\(\s*[\"']?\s*(?!#|data:)([^\"')]*)|(@import\b[^;]*)", re.IGNORECASE)
_PNG_DATA = re.compile(r"data:image/png;base64,\s*([A-Za-z0-9+/]{32})")


def pdf(svg: bytes) -> bytes:
    """Draw an SVG as a one-page PDF, a CSS pixel as a point.

    Raises:
        ValueError: in a sentence, for what is no SVG, what refers elsewhere and what cannot be drawn.
    """
    root = _parsed(svg)
    pixels = 0
    for element in root.iter():
        pixels += _checked(element)
        if element.tag in _TEXT:
            _set_in_our_face(element)
    if pixels > MAX_PICTURE_PIXELS:
        raise ValueError(
            f"The SVG's pictures have {pixels} pixels; allowed: {MAX_PICTURE_PIXELS} pixels altogether."
        )
    from rnnviz.export import _vl_convert

    try:
        drawn: bytes = _vl_convert().svg_to_pdf(ElementTree.tostring(root, encoding="unicode"))
    except (RecursionError, RuntimeError) as error:
        reason = str(error).splitlines()[0].strip().rstrip(".")
        if isinstance(error, RecursionError) or "nesting depth" in reason:
            raise ValueError(
                f"The SVG is nested too deeply; allowed: {MAX_DEPTH} <g> in each other."
            ) from error
        raise ValueError(f"The SVG cannot be drawn ({reason}); allowed: SVG 1.1 with a size.") from error
    return drawn


def pdf_from_child(svg: bytes, stop: Callable[[], bool] = lambda: False) -> bytes | None:
    """`pdf`, drawn by a process of its own; None once `stop`, asked several times a second, says so.

    Raises:
        ValueError: as `pdf`, and when it takes longer than `PATIENCE` seconds.
    """
    root = Path(__file__).resolve().parents[1]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-m", "rnnviz.svg_pdf"], cwd=root, stdin=pipe, stdout=pipe, stderr=pipe
    ) as child:
        deadline = time.monotonic() + PATIENCE
        given: bytes | None = svg
        while True:
            try:
                drawn, said = child.communicate(given, timeout=0.1)
                break
            except subprocess.TimeoutExpired:
                given = None  # it has it
            if stop() or time.monotonic() > deadline:
                child.kill()
                if stop():
                    return None
                raise ValueError(f"The SVG took longer than {PATIENCE:g} s to draw; allowed: a simpler one.")
    if child.returncode == _REFUSED:
        raise ValueError(said.decode().strip())
    if child.returncode:
        raise ValueError("The SVG made the converter fail; allowed: SVG 1.1 with a size.")
    return drawn


class _Builder(ElementTree.TreeBuilder):
    """Builds a tree without comments and instructions, and refuses what entities need."""

    def doctype(self, *_: str | None) -> None:
        raise ValueError("it contains <!DOCTYPE")


def _parsed(svg: bytes) -> ElementTree.Element:
    try:
        root = ElementTree.fromstring(svg, ElementTree.XMLParser(target=_Builder()))
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise ValueError(f"The SVG is not well-formed ({error}); allowed: XML without a DOCTYPE.") from error
    if root.tag != f"{_SVG}svg":
        raise ValueError(f"The root is {root.tag[:60]}; allowed: svg in the namespace {_SVG[1:-1]}.")
    return root


def _checked(element: ElementTree.Element) -> int:
    """The number of pixels of the picture that an element holds, if any.

    Raises:
        ValueError: when it refers to what is not in the document, or is a script or a piece of HTML.
    """
    name = _local(element.tag)
    if name.casefold() in _FORBIDDEN:
        raise ValueError(f"The SVG contains <{name}>; allowed: drawings and text only.")
    pixels = 0
    for key, value in element.items():
        if _local(key).casefold() in ("href", "src") and not value.startswith("#"):
            pixels += _picture_pixels(name, _local(key), value)
        _check_css(name, _local(key), value)
    if name == "style":
        _check_css(name, "text", "".join(element.itertext()))
    return pixels


def _picture_pixels(name: str, key: str, value: str) -> int:
    found = _PNG_DATA.match(value)
    if not found:
        raise ValueError(f"{key} of <{name}> is {_quoted(value)}; {_ALLOWED}.")
    head = base64.b64decode(found[1])  # 24 bytes, up to width and height
    width, height = struct.unpack(">II", head[16:24])
    return int(width * height)


def _check_css(name: str, key: str, value: str) -> None:
    found = _ELSEWHERE.search(value)
    if found:
        raise ValueError(f"{key} of <{name}> refers to {_quoted(found[1] or found[2] or '')}; {_ALLOWED}.")


def _set_in_our_face(element: ElementTree.Element) -> None:
    from rnnviz.export import FAMILY

    # Last in the style attribute wins over attributes and style sheets, also over the shorthand.
    element.set("style", f"{element.get('style', '').rstrip('; ')};font-family:{FAMILY}".lstrip(";"))


def _quoted(value: str) -> str:
    return f'"{value[:60]}{"…" if len(value) > 60 else ""}"'


def _local(name: str) -> str:
    return name.rpartition("}")[2]


if __name__ == "__main__":
    try:
        sys.stdout.buffer.write(pdf(sys.stdin.buffer.read()))
    except ValueError as refusal:
        sys.stderr.buffer.write(str(refusal).encode())
        sys.exit(_REFUSED)
