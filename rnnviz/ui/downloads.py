"""Two formats that a browser cannot write: frames to an animated GIF, an SVG to a PDF.

``POST rnnviz/gif?delay=…&last=…`` takes PNG frames, each behind its length, ``POST rnnviz/pdf`` takes an SVG;
``GET rnnviz/font/Regular`` and ``…/Semibold`` give the face that pictures carry along.
What is refused is answered in one sentence: 400, 413 for too much, 403 for a page from elsewhere. Heavy
imports wait for the first request.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

_FONTS = Path(__file__).resolve().parents[2] / "assets" / "fonts"
GIF_BYTES = 64 << 20
PDF_BYTES = 8 << 20
SHORTEST, LONGEST = 20, 10_000  # milliseconds; browsers and slide programs slow down what is shorter

Answer = Callable[[Request], Awaitable[Response]]
Stop = Callable[[], bool]


class TooLargeError(ValueError):
    """The body is larger than allowed."""


def routes() -> list[Route]:
    """Routes for ``st.App``; a browser asks below the page's root, wherever that is."""
    # Streamlit puts server.baseUrlPath before its own routes only.
    places = [
        Route(f"{base}/rnnviz/{name}", partial(_guarded, answer), methods=["POST"])
        for base in ("", "/{base:path}")
        for name, answer in (("gif", _gif), ("pdf", _pdf))
    ]
    return [*places, *(Route(f"{base}/rnnviz/font/{{weight}}", _font) for base in ("", "/{base:path}"))]


async def _font(request: Request) -> Response:
    """Our face, which a picture carries along so that it looks the same elsewhere."""
    weight = request.path_params["weight"]
    if weight not in ("Regular", "Semibold"):
        return _sentence(404, f'Weight is "{weight[:30]}"; allowed: Regular, Semibold.')
    return FileResponse(_FONTS / f"RnnvizSans-{weight}.woff2", media_type="font/woff2")


async def _guarded(answer: Answer, request: Request) -> Response:
    """Refuse other sites, and say what else is wrong in a sentence."""
    origin, host = request.headers.get("origin"), request.headers.get("host", "")
    if origin is not None and urlsplit(origin).netloc.casefold() != host.casefold():
        return _sentence(403, f'Origin is "{origin[:100]}"; allowed: pages of "{host[:100]}".')
    try:
        return await answer(request)
    except TooLargeError as refusal:
        return _sentence(413, str(refusal))
    except ValueError as refusal:
        return _sentence(400, str(refusal))
    except ClientDisconnect:
        return Response(status_code=400)  # to nobody


async def _gif(request: Request) -> Response:
    delay = _milliseconds(request, "delay")
    last = _milliseconds(request, "last")
    body = await _body(request, GIF_BYTES)

    def encode(stop: Stop) -> bytes | None:
        from rnnviz import animation

        try:
            return animation.gif(animation.split(body), delay, last, stop)
        except animation.StoppedError:
            return None

    return await _worked(request, encode, "image/gif")


async def _pdf(request: Request) -> Response:
    body = bytes(await _body(request, PDF_BYTES))

    def draw(stop: Stop) -> bytes | None:
        from rnnviz import svg_pdf

        return svg_pdf.pdf_from_child(body, stop)

    return await _worked(request, draw, "application/pdf")


def _milliseconds(request: Request, name: str) -> int:
    """Read a duration from the query.

    Raises:
        ValueError: if it is missing, no whole number or out of range.
    """
    given = request.query_params.get(name)
    if given is None:
        raise ValueError(f"{name} is missing; allowed: {SHORTEST} to {LONGEST} ms.")
    if not re.fullmatch(r"-?[0-9]{1,9}", given):
        raise ValueError(f'{name} is "{given[:40]}"; allowed: {SHORTEST} to {LONGEST} ms, a whole number.')
    if not SHORTEST <= int(given) <= LONGEST:
        raise ValueError(f"{name} is {int(given)} ms; allowed: {SHORTEST} to {LONGEST} ms.")
    return int(given)


async def _body(request: Request, most: int) -> bytearray:
    """Read at most ``most`` bytes.

    Raises:
        TooLargeError: if more is announced or arrives; what comes after is not kept.
    """
    body, arrived = bytearray(), 0
    announced = request.headers.get("content-length", "")
    too_large = announced.isdecimal() and int(announced) > most
    async for chunk in request.stream():
        arrived += len(chunk)
        too_large = too_large or arrived > most
        # A browser sees no answer before all is sent; so read on for a while, and keep nothing.
        if arrived > 4 * most:
            break
        if too_large:
            body.clear()
        else:
            body += chunk
    if too_large:
        size = int(announced) if announced.isdecimal() else arrived
        raise TooLargeError(f"The body is {size} bytes; allowed: {most} bytes ({most >> 20} MB).")
    return body


async def _worked(request: Request, work: Callable[[Stop], bytes | None], media_type: str) -> Response:
    """Answer with what a thread makes, and tell it to stop when the browser goes away."""
    gone = threading.Event()

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        gone.set()

    watcher = asyncio.create_task(watch())
    try:
        made = await run_in_threadpool(work, gone.is_set)
    finally:
        watcher.cancel()
    if made is None:
        raise ClientDisconnect
    return Response(made, media_type=media_type, headers={"cache-control": "no-store"})


def _sentence(status: int, sentence: str) -> Response:
    return PlainTextResponse(sentence, status)
