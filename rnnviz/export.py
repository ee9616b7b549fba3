"""Figures and tables as files for slides and papers: PNG, SVG, PDF, HTML, CSV.

Vega-Lite figures need neither a browser nor a network. They are set in Rnnviz Sans (``assets/fonts``), the
face of the app with every sign the figures use: vl-convert would set a whole line in a serif face for the
sake of one missing glyph. Nothing here imports streamlit; heavy imports wait until they are needed.
"""

from __future__ import annotations

import base64
import csv
import html
import io
import json
import re
import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import altair as alt
    import plotly.graph_objects as go

    Chart = alt.TopLevelMixin | Mapping[str, Any]

Config = Mapping[str, Any] | None
Size = tuple[int, int]

FAMILY = "Rnnviz Sans"
SLIDE: Size = (1920, 1080)
SCALE = 2
PADDING = 24
MAX_NAME = 120

# The app's face first where ours is not installed, as in an SVG opened in a drawing program. A family name
# with a digit must be quoted, or vl-convert drops the text without a word.
_STACK = f"{FAMILY}, 'Source Sans 3', 'Source Sans Pro', sans-serif"
_ASSETS = Path(__file__).resolve().parents[1] / "assets"
_FONTS = _ASSETS / "fonts"
_FONT_KEYS = {"font", "labelFont", "subtitleFont", "titleFont"}
_COMPOSED = {"concat", "hconcat", "vconcat", "facet", "repeat"}
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)  # device names on Windows


def chart_png(chart: Chart, size: Size = SLIDE, *, config: Config = None, dark: bool = False) -> bytes:
    """Draw a chart as an opaque PNG.

    Args:
        chart: a single or layered view, as an Altair chart or a Vega-Lite specification.
        size: width and height in pixels, even. The chart is laid out on half of it and drawn at scale 2,
            so that type is twice as large as on screen.
        config: Vega-Lite config; it wins over the chart's own, except for typefaces.
        dark: which background to use when ``config`` names none.

    Raises:
        ValueError: for a concatenated or faceted chart, an odd size, a data address or NaN in the data.
    """
    spec = json.dumps(_slide(chart, size, config, dark), allow_nan=False)
    png: bytes = _vl_convert().vegalite_to_png(spec, scale=SCALE, allowed_base_urls=[])
    return png


def chart_svg(chart: Chart, size: Size = SLIDE, *, config: Config = None, dark: bool = False) -> bytes:
    """Draw a chart as UTF-8 SVG, half of ``size`` in CSS pixels, its face inside; see `chart_png`."""
    spec = json.dumps(_slide(chart, size, config, dark), allow_nan=False)
    svg: str = _vl_convert().vegalite_to_svg(spec, allowed_base_urls=[])
    return svg.replace(">", f"><style>{_font_css()}</style>", 1).encode()


def chart_pdf(chart: Chart, size: Size = SLIDE, *, config: Config = None, dark: bool = False) -> bytes:
    """Draw a chart as a one-page PDF, half of ``size`` in points, its face inside; see `chart_png`."""
    spec = json.dumps(_slide(chart, size, config, dark), allow_nan=False)
    pdf: bytes = _vl_convert().vegalite_to_pdf(spec, allowed_base_urls=[])
    return pdf


def chart_html(chart: Chart, size: Size = SLIDE, *, config: Config = None, dark: bool = False) -> bytes:
    """Write a chart as one interactive UTF-8 page that works offline, as wide as its window.

    About 1 MB: the scripts and the face are inside. Height is half of ``size``'s, in CSS pixels; the other
    arguments and errors are those of `chart_png`.
    """
    spec = _slide(chart, size, config, dark) | {"width": "container"}
    title = spec.get("title", "")
    text = title.get("text", "") if isinstance(title, dict) else title
    return _PAGE.format(
        title=html.escape(" ".join(text) if isinstance(text, list) else str(text)),
        style=_font_css() + _slider_css(spec),
        script=_vega_script(),
        # "</script>" inside a label would end the script: no "<" reaches the page.
        spec=json.dumps(spec, allow_nan=False).replace("<", "\\u003c"),
        family=FAMILY,
    ).encode()


def table_csv(columns: Mapping[str, Sequence[Any] | NDArray[Any]]) -> bytes:
    """Write columns of equal length as UTF-8 CSV with a header row.

    Floats are written so that they read back to the same bits; what is not finite, or None, as ``nan``,
    ``inf`` or ``-inf``, never as nothing.

    Raises:
        ValueError: without columns, or when they are not one-dimensional and of one length.
    """
    plain = {name: _plain_column(name, column) for name, column in columns.items()}
    lengths = {name: len(column) for name, column in plain.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError(f"columns must be there and of one length, got {lengths}")
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(plain)
    writer.writerows(zip(*plain.values(), strict=True))
    return text.getvalue().encode()


def plotly_html(figure: go.Figure) -> bytes:
    """Write a Plotly figure as one interactive UTF-8 page that works offline (about 5 MB)."""
    page: str = figure.to_html(include_plotlyjs=True, include_mathjax=False, config=plotly_camera_config())
    return page.encode()


def plotly_camera_config(
    stem: str = "figure", format: Literal["png", "svg"] = "png", size: Size = SLIDE
) -> dict[str, Any]:
    """Config for ``st.plotly_chart``: the mode bar's camera saves ``<stem>.<format>`` at ``size`` pixels."""
    width, height = _canvas(size)
    camera = {"format": format, "filename": stem, "width": width, "height": height, "scale": SCALE}
    return {"displaylogo": False, "toImageButtonOptions": camera}


def filename(stem: str, configuration: Mapping[str, object], ext: str) -> str:
    """Name a file after what it shows: ASCII letters, digits and ``-_.+`` only, at most 120 characters.

    >>> filename("gradient-flow", {"T": 100, "radius": 1.2, "seed": 0}, "png")
    'gradient-flow_T100_radius1.2_seed0.png'

    Raises:
        ValueError: when ``ext`` is not 1 to 16 ASCII letters or digits.
    """
    if not re.fullmatch(r"[A-Za-z0-9]{1,16}", ext):
        raise ValueError(f"ext must be 1 to 16 ASCII letters or digits, got {ext!r}")
    short = {key: f"{v:.6g}" if isinstance(v, float) else str(v) for key, v in configuration.items()}
    parts = [_slug(stem) or "figure", *(_slug(key + value) for key, value in short.items())]
    name = "_".join(filter(None, parts))
    if _RESERVED.match(name):
        name = f"figure_{name}"
    return f"{name[: MAX_NAME - len(ext) - 1].rstrip('-_.+')}.{ext}"


def _slide(chart: Chart, size: Size, config: Config, dark: bool) -> dict[str, Any]:
    """The chart's specification, laid out for a slide of ``size`` pixels."""
    width, height = _canvas(size)
    spec: dict[str, Any] = dict(chart) if isinstance(chart, Mapping) else chart.to_dict()
    composed = _COMPOSED & spec.keys() or {"row", "column", "facet"} & spec.get("encoding", {}).keys()
    if composed:
        raise ValueError(f"chart must be a single or layered view, got {sorted(composed)[0]!r}")
    merged = _merge(spec.get("config", {}), config or {})
    data = {key: spec[key] for key in ("data", "datasets") if key in spec}
    spec = _in_our_face({**spec, "config": {**merged, "font": _STACK}} | dict.fromkeys(data)) | data
    if spec.get("title"):
        spec["title"] = _wrapped(spec["title"], merged.get("title", {}), width - 2 * PADDING)
    own = spec.get("padding", {})  # room that a chart asks for beside itself, as for words at a line's end
    if not isinstance(own, Mapping):
        own = dict.fromkeys(("left", "right", "top", "bottom"), own)
    return spec | {
        "width": width,
        "height": height,
        "padding": {side: PADDING + own.get(side, 0) for side in ("left", "right", "top", "bottom")},
        "autosize": {"type": "fit", "contains": "padding"},
        "background": merged.get("background", "black" if dark else "white"),
    }


def _canvas(size: Size) -> Size:
    if any(pixels < SCALE or pixels % SCALE for pixels in size):
        raise ValueError(f"size must be two positive even numbers of pixels, got {size}")
    return size[0] // SCALE, size[1] // SCALE


def _merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Two configs as one; ``over`` wins."""
    both = {
        key: _merge(under[key], over[key])
        for key in under.keys() & over.keys()
        if isinstance(under[key], Mapping) and isinstance(over[key], Mapping)
    }
    return {**under, **over, **both}


def _in_our_face(node: Any) -> Any:
    """The same specification with every typeface replaced by ours."""
    if isinstance(node, Mapping):
        return {
            key: _STACK if key in _FONT_KEYS and isinstance(value, str) else _in_our_face(value)
            for key, value in node.items()
        }
    return [_in_our_face(item) for item in node] if isinstance(node, list | tuple) else node


def _wrapped(title: Any, config: Mapping[str, Any], width: int) -> dict[str, Any]:
    """The title with lines broken to fit ``width``; Vega would let them run off the canvas."""
    wrapped = dict(title) if isinstance(title, Mapping) else {"text": title}
    for key, size_key, default in (("text", "fontSize", 13), ("subtitle", "subtitleFontSize", 11)):
        size = wrapped.get(size_key, config.get(size_key, default))
        # A letter is 0.39 em wide on average, but a line with a sign as ‖ or ₖ in it is measured half as long
        # again; past the full width, Vega's fit would shrink the plot.
        if isinstance(wrapped.get(key), str) and isinstance(size, int | float) and size > 0:
            lines = textwrap.wrap(wrapped[key], max(10, int(width / (0.64 * size))))
            wrapped[key] = lines if len(lines) > 1 else wrapped[key]
    return wrapped


@cache
def _vl_convert() -> Any:
    # Calls from many threads are safe: vl-convert queues them for one worker.
    import vl_convert

    vl_convert.register_font_directory(str(_FONTS))
    return vl_convert


@cache
def _vega_script() -> str:
    script: str = _vl_convert().javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return script.replace("</script", "<\\/script")


def _slider_css(spec: Mapping[str, Any]) -> str:
    """How a page's own sliders look, where its figure has some: as in the app."""
    if not any("bind" in param for param in spec.get("params", [])):
        return ""
    ink = spec["config"].get("title", {}).get("color", "inherit")
    own = f" #chart {{ color: {ink}; font-family: {_STACK} }} "
    around = f" .vega-embed form.vega-bindings {{ padding: {PADDING}px {PADDING}px 0 }} "
    return own + (_ASSETS / "scrub.css").read_text(encoding="utf-8") + around


@cache
def _font_css() -> str:
    faces = []
    for style, weight in (("Regular", "400"), ("Semibold", "600 700")):
        data = base64.b64encode((_FONTS / f"RnnvizSans-{style}.woff2").read_bytes()).decode()
        faces.append(
            f'@font-face {{ font-family: "{FAMILY}"; font-weight: {weight}; '
            f'src: url(data:font/woff2;base64,{data}) format("woff2") }}'
        )
    return " ".join(faces)


_PAGE = """<!DOCTYPE html>
<html lang="en"><head>
<meta charset="utf-8">
<title>{title}</title>
<style>{style} body {{ margin: 0 }} #chart {{ display: block; width: 100% }}</style>
<script>{script}</script>
</head><body>
<div id="chart"></div>
<script>
// Vega measures text once: the face must be there before.
const faces = ['400 16px "{family}"', '600 16px "{family}"'].map((face) => document.fonts.load(face));
const spec = {spec};
document.body.style.background = spec.background;
Promise.allSettled(faces).then(() => vegaEmbed("#chart", spec, {{ renderer: "svg", actions: false }}));
</script>
</body></html>
"""


def _plain_column(name: str, column: Sequence[Any] | NDArray[Any]) -> list[Any]:
    values = column.tolist() if isinstance(column, np.ndarray) else list(column)
    if isinstance(column, np.ndarray) and column.ndim != 1:
        raise ValueError(f"column {name!r} must be one-dimensional, got shape {column.shape}")
    plain = [value.item() if isinstance(value, np.generic) else value for value in values]
    return ["nan" if value is None else value for value in plain]


def _slug(text: str) -> str:
    """Letters, digits and ``-_.+``; whatever else becomes one hyphen, and no sign stands at an end."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"\.{2,}", ".", re.sub(r"[^A-Za-z0-9.+_-]+", "-", ascii_text)).strip("-_.+")
