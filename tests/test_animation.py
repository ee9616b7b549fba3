"""Frames to a GIF, an SVG to a PDF, and their routes: what comes out, and a sentence for what is refused."""

import asyncio
import base64
import io
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from starlette.applications import Starlette

from rnnviz import animation, svg_pdf
from rnnviz.animation import MAX_FRAMES, gif, split
from rnnviz.ui import downloads
from tests.test_export import pdf_faces

INKS = [(255, 255, 255), (26, 31, 43), (0, 114, 178), (213, 94, 0), (244, 246, 248), (245, 246, 248)]


def png_of(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def flat(size: tuple[int, int] = (32, 20), ink: int = 2, at: int = 0) -> bytes:
    image = Image.new("RGBA", size, (*INKS[0], 255))
    ImageDraw.Draw(image).rectangle((at, 2, at + 5, 8), fill=INKS[ink])
    return png_of(image)


def packed(pngs: Iterable[bytes]) -> bytes:
    return b"".join(struct.pack("<I", len(png)) + png for png in pngs)


def header_only(width: int, height: int) -> bytes:
    """A PNG that says how large it is, and holds a line of it."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    end = chunk(b"IDAT", zlib.compress(b"\0" * 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + end


def frames(file: bytes) -> tuple[list[np.ndarray], list[int]]:
    """Every frame as a viewer shows it (height, width, 3), and its milliseconds."""
    image = Image.open(io.BytesIO(file))
    assert image.info["loop"] == 0
    seen, times = [], []
    for place in range(image.n_frames):
        image.seek(place)
        seen.append(np.asarray(image.convert("RGB")).astype(int))
        times.append(image.info["duration"])
    return seen, times


def moments(file: bytes, delay: int, steps: int) -> list[np.ndarray]:
    """What a viewer shows in the middle of each of ``steps`` delays; equal frames may be one longer one."""
    seen, times = frames(file)
    ends = np.cumsum(times)
    return [seen[np.searchsorted(ends, delay * (step + 0.5), side="right")] for step in range(steps)]


def rgb(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


@settings(deadline=None, max_examples=40)
@given(
    size=st.tuples(st.integers(7, 90), st.integers(9, 60)),
    steps=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 80)), min_size=1, max_size=9),
    delay=st.integers(2, 1000),
    last=st.integers(2, 1000),
)
def test_at_every_moment_flat_frames_are_shown_as_they_are(size, steps, delay, last):
    pngs = [flat(size, ink, at) for ink, at in steps]
    file = gif(pngs, 10 * delay, 10 * last)
    assert sum(frames(file)[1]) == 10 * (delay * (len(steps) - 1) + last)
    for picture, png in zip(moments(file, 10 * delay, len(steps) - 1), pngs, strict=False):
        np.testing.assert_allclose(picture, rgb(png), atol=3)
    np.testing.assert_allclose(frames(file)[0][-1], rgb(pngs[-1]), atol=3)


def test_delays_are_rounded_and_a_standstill_has_its_limit():
    assert frames(gif([flat(at=at) for at in range(3)], 24, 1005))[1] == [20, 20, 1010]
    assert frames(gif([GOOD] * 3, 24, 1005))[1] == [1050]
    with pytest.raises(ValueError, match=r"Equal frames last too long; allowed: 655 s without a change\."):
        gif([GOOD] * 66, 10_000, 10_000)


def diagram(step: int) -> bytes:
    """Boxes that light up, text with soft edges, a heat map of 60 × 24 that fills."""
    image = Image.new("RGB", (480, 240), INKS[0])
    draw = ImageDraw.Draw(image)
    for box in range(4):
        ink = INKS[2 if box == step % 4 else 4]
        draw.rounded_rectangle((10 + 115 * box, 10, 110 + 115 * box, 70), 8, fill=ink, outline=INKS[1])
        draw.text((30 + 115 * box, 30), f"t = {step}", fill=INKS[1], font_size=18)
    values = np.tanh(np.random.default_rng(0).normal(size=(24, 60)).cumsum(1)) * (np.arange(60) < 3 * step)
    red, blue = np.clip(255 * (1 + values), 0, 255), np.clip(255 * (1 - values), 0, 255)
    map_ = np.stack([red, np.minimum(red, blue), blue], -1).astype(np.uint8)
    image.paste(Image.fromarray(map_).resize((480, 144), Image.Resampling.NEAREST), (0, 90))
    draw.line((24 * step, 85, 24 * step, 240), fill=INKS[3])
    return png_of(image)


def test_a_diagram_keeps_its_inks_and_nearly_all_of_its_heat_map_without_shimmer():
    pngs = [diagram(step) for step in range(20)]
    originals = [rgb(png) for png in pngs]
    assert len(np.unique(np.concatenate([o.reshape(-1, 3) for o in originals]), axis=0)) > 400
    file = gif(pngs, 100, 1000)
    seen = moments(file, 100, 20)
    for picture, original in zip(seen, originals, strict=True):
        error = np.abs(picture - original)
        for ink in INKS[:5]:
            assert error[(original == ink).all(-1)].max(initial=0) <= 3
        assert not error[(original == 255).all(-1)].any()
        assert error.max() <= 10
        assert np.quantile(error.max(-1), 0.95) <= 4
    for k in range(1, 20):
        still = (originals[k] == originals[k - 1]).all(-1)
        np.testing.assert_array_equal(seen[k][still], seen[k - 1][still])
    assert len(file) < 0.6 * sum(map(len, pngs))


def test_what_is_transparent_is_white_and_other_kinds_of_png_do_too():
    half = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    half.paste((0, 114, 178, 255), (0, 0, 10, 20))
    grey = Image.new("L", (20, 20), 100)
    bits = Image.new("1", (20, 20), 1)
    seen, _ = frames(gif([png_of(image) for image in (half, grey, bits, half.quantize(8))], 20, 20))
    assert [tuple(picture[0, 19]) for picture in seen] == [(255,) * 3, (100,) * 3, (255,) * 3, (255,) * 3]
    assert tuple(seen[0][0, 0]) == (0, 114, 178)


def test_as_many_and_as_large_frames_as_allowed():
    many = gif([flat(at=k % 20) for k in range(MAX_FRAMES)], 20, 20)
    assert Image.open(io.BytesIO(many)).n_frames == MAX_FRAMES
    seen, times = frames(gif([flat((1920, 1080))], 20, 10_000))
    assert (seen[0].shape, times) == ((1080, 1920, 3), [10_000])


def test_a_photograph_is_possible():
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    seen, _ = frames(gif([png_of(Image.fromarray(noise))], 20, 20))
    assert np.abs(seen[0] - noise).mean() < 25


GOOD = flat()
TWO_HEADERS = GOOD[:33] + header_only(30_000, 30_000)[8:33] + GOOD[33:]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "There are 0 frames; allowed: 1 to 400 frames."),
        (packed([GOOD] * 401), "There are more than 400 frames; allowed: 1 to 400 frames."),
        (b"\x00\x00\x00\x00", "Length of frame 1 is 0 bytes; allowed: 1 to the 0 bytes left in the body."),
        (packed([GOOD])[:-1], f"Length of frame 1 is {len(GOOD)} bytes; allowed: 1 to the {len(GOOD) - 1} b"),
        (packed([GOOD]) + b"\xff", "Length of frame 2 is 255 bytes; allowed: 1 to the 0 bytes"),
        (
            packed([GOOD]) + b"\xff\xff\xff\xffa",
            "Length of frame 2 is 4294967295 bytes; allowed: 1 to the 1 b",
        ),
        (packed([GOOD, b"GIF89a"]), "Frame 2 is no PNG"),
        (packed([GOOD, GOOD[:20]]), "Frame 2 is no PNG"),
        (packed([GOOD, GOOD[:60]]), "Frame 2 is a damaged PNG"),
        (packed([GOOD[:45] + b"\0" * 20 + GOOD[65:]]), "Frame 1 is a damaged PNG"),
        (packed([TWO_HEADERS]), "Frame 1 is a damaged PNG"),
        (packed([GOOD, flat((32, 21))]), "Frame 2 is 32 x 21 pixels; allowed: 32 x 20, as frame 1."),
        (
            packed([header_only(30_000, 30_000)]),
            "Frame 1 is 30000 x 30000 pixels; allowed: an area of 1 to 207",
        ),
        (
            packed([header_only(1921, 1080)]),
            "Frame 1 is 1921 x 1080 pixels; allowed: an area of 1 to 2073600",
        ),
        (packed([header_only(60_000, 2)]), "no side above 4096."),
        (packed([header_only(0, 5)]), "Frame 1 is 0 x 5 pixels; allowed"),
        (packed([header_only(64, 64)]), "Frame 1 is a damaged PNG"),
        (
            packed([header_only(1920, 1080)] * 198),
            "198 frames of 1920 x 1080 pixels are too many; allowed: 409600000 pixels in all.",
        ),
    ],
)
def test_bad_frames_are_refused_in_a_sentence(body, sentence):
    status, _, said = ask("/rnnviz/gif?delay=20&last=20", body)
    assert status == 400
    assert sentence in said.decode()
    one_sentence(said)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_no_damage_gets_further_than_a_sentence(data):
    broken = bytearray(diagram(0) if data.draw(st.booleans()) else GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    said = ""
    try:
        gif(split(packed([bytes(broken[: data.draw(st.integers(1, len(broken)))])])), 20, 20)
    except ValueError as refusal:
        said = str(refusal)
    assert not said or "Frame 1" in said


def svg_of(inside: str, root: str = "") -> bytes:
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<svg {names} width="300" height="100" {root}>{inside}</svg>'.encode()


@pytest.mark.parametrize(
    "text",
    [
        '<text x="9" y="50" font-family="RnnvizSans, sans-serif">σ(h₀)</text>',
        '<text x="9" y="50" font-family="Source Sans 3">σ(h₀)</text>',
        '<text x="9" y="50">σ(h₀)</text>',
        '<text x="9" y="50" style="font: 14px Arial"><tspan font-family="serif">σ(h₀)</tspan></text>',
        '<style>text { font-family: Georgia }</style><text x="9" y="50">σ(h₀)</text>',
    ],
)
def test_text_of_a_pdf_is_in_our_face_whatever_the_svg_asks_for(text):
    file = svg_pdf.pdf(svg_of(text))
    assert file.startswith(b"%PDF")
    assert pdf_faces(file) == {"RnnvizSans-Regular"}


def test_bold_text_and_a_picture_inside_reach_the_pdf():
    picture = base64.b64encode(flat()).decode()
    file = svg_pdf.pdf(
        svg_of(
            f'<image width="30" height="20" href="data:image/png;base64,{picture}"/>'
            '<defs><g id="a"><text y="50" font-weight="600">h</text></g></defs><use xlink:href="#a"/>'
            '<clipPath id="b"><rect width="5" height="5"/></clipPath>'
            '<rect clip-path="url(#b)" width="9" height="9"/>'
        )
    )
    assert pdf_faces(file) == {"RnnvizSans-Semibold"}
    assert svg_pdf.pdf(svg_of("<g>" * 20 + "<text>h</text>" + "</g>" * 20)).startswith(b"%PDF")
    assert b"/Image" in file


HUGE = base64.b64encode(header_only(30_000, 30_000)).decode()


@pytest.mark.parametrize(
    ("svg", "sentence"),
    [
        (b"\xff" + svg_of(""), "The SVG is not well-formed (not well-formed (invalid token)"),
        (b"", "The SVG is not well-formed (no element found"),
        (svg_of("<g>"), "The SVG is not well-formed (mismatched tag"),
        (svg_of("\0"), "The SVG is not well-formed"),
        (b'<?xml version="1.0" encoding="nonsense"?><a/>', "allowed"),
        (b"<html/>", "The root is html; allowed: svg in the namespace http://www.w3.org/2000/svg."),
        (
            b'<!DOCTYPE a [<!ENTITY b "c">]><a/>',
            "The SVG is not well-formed (it contains <!DOCTYPE); allowed",
        ),
        (
            '<!DOCTYPE a [<!ENTITY b "c">]><a/>'.encode("utf-16"),
            "The SVG is not well-formed (it contains <!DOCTYPE); allowed",
        ),
        (svg_of("<script>1</script>"), "The SVG contains <script>"),
        (svg_of("<foreignObject/>"), "The SVG contains <foreignObject>"),
        (
            svg_of('<image href="/etc/passwd"/>'),
            'href of <image> is "/etc/passwd"; allowed: what begins with #',
        ),
        (svg_of('<image xlink:href="f&#105;le:///a"/>'), 'href of <image> is "file:///a"'),
        (svg_of('<x xmlns:q="http://www.w3.org/1999/xlink" q:href="a"/>'), 'href of <x> is "a"'),
        (
            svg_of('<image href="data:image/svg+xml;base64,AAAA"/>'),
            'is "data:image/svg+xml;base64,AAAA"; all',
        ),
        (svg_of(f'<image href="data:image/png;base64,{HUGE}"/>'), "The SVG's pictures have 900000000 pixels"),
        (svg_of('<a src="//b"/>'), 'src of <a> is "//b"'),
        (svg_of("<rect fill=\"url( 'http://a/b')\"/>"), 'fill of <rect> refers to "http://a/b"'),
        (svg_of('<rect style="fill:URL(a.svg#b)"/>'), 'style of <rect> refers to "a.svg#b"'),
        (svg_of("<style>@import 'a.css';</style>"), "text of <style> refers to \"@import 'a.css'\""),
        (svg_of("", 'viewBox="0 0 0 0"').replace(b'"300"', b'"0"'), "The SVG cannot be drawn"),
        (svg_of("<g>" * 40 + "</g>" * 40), "The SVG is nested too deeply; allowed: 20 <g> in each other."),
        (svg_of("<g>" * 90_000 + "</g>" * 90_000), "The SVG is nested too deeply; allowed: 20 <g>"),
    ],
)
def test_an_svg_that_may_not_be_drawn_is_refused_in_a_sentence(svg, sentence):
    with pytest.raises(ValueError, match="allowed") as refusal:
        svg_pdf.pdf(svg)
    assert sentence in str(refusal.value)
    one_sentence(str(refusal.value).encode())


def test_the_child_draws_the_same_and_passes_a_refusal_on(monkeypatch):
    svg = svg_of('<text x="9" y="50">σ(h₀)</text>')
    assert len(svg_pdf.pdf_from_child(svg) or b"") == len(svg_pdf.pdf(svg))
    with pytest.raises(ValueError, match="The root is html; allowed"):
        svg_pdf.pdf_from_child(b"<html/>")
    slow = svg_of('<text x="9" y="50">h</text>' * 20_000)
    begun = time.monotonic()
    assert svg_pdf.pdf_from_child(slow, lambda: time.monotonic() > begun + 0.5) is None
    monkeypatch.setattr(svg_pdf, "PATIENCE", 0.5)
    with pytest.raises(ValueError, match=r"longer than 0\.5 s"):
        svg_pdf.pdf_from_child(slow)
    assert time.monotonic() - begun < 5


def ask(
    path: str, body: bytes | list[bytes], headers: dict[str, str] | None = None, gone: bool = False
) -> tuple[int, dict[str, str], bytes]:
    """POST to an application that has nothing but the routes; ``gone``: the browser leaves after its body."""
    parts = body if isinstance(body, list) else [body]
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    said: list[dict[str, object]] = []
    route, _, query = path.partition("?")
    given = {"host": "here:1", **(headers or {})}
    scope = {
        "type": "http",
        "method": "POST",
        "path": route,
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(key.encode(), value.encode()) for key, value in given.items()],
    }

    async def talk() -> None:
        async def receive() -> dict[str, object]:
            if messages:
                return messages.pop(0)
            if not gone:
                await asyncio.Event().wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, object]) -> None:
            said.append(message)

        await Starlette(routes=downloads.routes())(scope, receive, send)

    asyncio.run(talk())
    names = {key.decode(): value.decode() for key, value in said[0]["headers"]}
    return said[0]["status"], names, b"".join(message.get("body", b"") for message in said[1:])


def one_sentence(said: bytes) -> None:
    text = said.decode()
    assert text.endswith(".")
    assert "\n" not in text
    assert "allowed: " in text
    assert "Traceback" not in text


@pytest.mark.parametrize("base", ["", "/app", "/deep/er"])
def test_both_routes_answer_below_any_base(base):
    status, headers, file = ask(f"{base}/rnnviz/gif?delay=200&last=1500", packed([flat(), flat(at=9)]))
    assert (status, headers["content-type"]) == (200, "image/gif")
    assert frames(file)[1] == [200, 1500]
    status, headers, file = ask(f"{base}/rnnviz/pdf", svg_of("<text>h</text>"))
    assert (status, headers["content-type"], file[:4]) == (200, "application/pdf", b"%PDF")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("delay=5&last=20", "delay is 5 ms; allowed: 20 to 10000 ms."),
        ("delay=20&last=10001", "last is 10001 ms; allowed: 20 to 10000 ms."),
        ("delay=-20&last=20", "delay is -20 ms; allowed: 20 to 10000 ms."),
        ("delay=20", "last is missing; allowed: 20 to 10000 ms."),
        ("delay=1e3&last=20", 'delay is "1e3"; allowed: 20 to 10000 ms, a whole number.'),
        ("delay=&last=20", 'delay is ""; allowed: 20 to 10000 ms, a whole number.'),
    ],
)
def test_durations_out_of_range_are_refused_in_a_sentence(query, sentence):
    status, headers, said = ask(f"/rnnviz/gif?{query}", packed([GOOD]))
    assert (status, said.decode()) == (400, sentence)
    assert headers["content-type"].startswith("text/plain")


def test_too_much_is_refused_whether_announced_or_not(monkeypatch):
    monkeypatch.setattr(downloads, "PDF_BYTES", 1 << 20)
    sentence = "The body is {} bytes; allowed: 1048576 bytes (1 MB)."
    status, _, said = ask("/rnnviz/pdf", [b"a" * 700_000] * 2)
    assert (status, said.decode()) == (413, sentence.format(1_400_000))
    status, _, said = ask("/rnnviz/pdf", b"a", {"content-length": "1048577"})
    assert (status, said.decode()) == (413, sentence.format(1_048_577))
    endless = [b"a" * 700_000] * 99  # read on for a while, not to the end
    status, _, said = ask("/rnnviz/pdf", endless)
    assert (status, said.decode()) == (413, sentence.format(4_200_000))


@pytest.mark.parametrize(
    ("origin", "status"), [("http://here:1", 200), ("http://here:2", 403), ("null", 403), ("http://a.b", 403)]
)
def test_other_sites_are_refused(origin, status):
    got, _, said = ask("/rnnviz/gif?delay=20&last=20", packed([GOOD]), {"origin": origin})
    assert got == status
    if status == 403:
        assert said.decode() == f'Origin is "{origin}"; allowed: pages of "here:1".'


def test_encoding_stops_when_the_browser_goes_away(monkeypatch):
    asked = []
    real = animation._decoded

    def slow(*given):
        asked.append(threading.current_thread())
        time.sleep(0.05)
        return real(*given)

    monkeypatch.setattr(animation, "_decoded", slow)
    ask("/rnnviz/gif?delay=20&last=20", packed([GOOD] * 200), gone=True)
    assert len(asked) < 10
    assert threading.main_thread() not in asked


def test_the_routes_load_nothing_heavy():
    code = (
        "import rnnviz.ui.downloads as d, sys; d.routes();"
        "print({'PIL', 'numpy', 'vl_convert', 'rnnviz.export'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"
