"""A system as a graph: the loop s′ = f(s; θ) folded, and beside it unrolled in time with its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from rnnviz.charts.figure import Figure, Formula, layered
from rnnviz.charts.fixed_marks import color
from rnnviz.charts.phase_plane import place
from rnnviz.charts.rows import Rows, of

NAMES = ("kind", "role", "x", "y", "x2", "y2", "n", "line", "turn", "label")
SHOWN = 4  # steps that are unrolled
TITLE = "The same f at every step"
LOOP, CHAIN = 0.16, 0.52  # where the loop and the chain stand, in widths of the picture
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
Floats = NDArray[np.float64]


def unrolled_map(
    axes: Sequence[str], s: Floats, u: float, first: int, formula: Formula, caption: str
) -> Figure:
    """The loop and four of its steps.

    Args:
        axes: what the numbers of the state are called.
        s: s_0 … s_T, (T+1,S).
        u: the constant input; without one, 0, no input is drawn.
        first: the first state that is shown, 0…T.
        formula: of the map.
        caption: the configuration.
    """
    rows = Rows(NAMES)
    shown = range(first, min(first + SHOWN, len(s) - 1) + 1)
    _add_loop(rows, u)
    for k, t in enumerate(shown):
        y = _height(k)
        name = f"s{str(t).translate(SUBSCRIPTS)}"
        rows.add(1, kind="state", role="orbit", x=CHAIN, y=y)
        rows.add(1, kind="state name", role="point", x=CHAIN, y=y, label=name)
        rows.add(1, kind="numbers", role="point", x=CHAIN, y=y, label=place(s[t].tolist(), axes))
        if t != shown[-1]:
            _add_step(rows, k, f"x{str(t + 1).translate(SUBSCRIPTS)} = {u:g}".replace("-", "−") if u else "")
    if shown[-1] < len(s) - 1:
        rows.add(1, kind="more", x=CHAIN, y=_height(len(shown) - 1) - 0.07, label="⋮")
    said = "; ".join(f"s_{t}: {place(s[t].tolist(), axes)}" for t in shown)
    return Figure(
        stem="unrolled-map",
        title=TITLE,
        caption=caption,
        description=f"{TITLE}: a loop, and beside it unrolled. {said}.",
        spec=_skeleton(),
        data=rows.columns,
        table={"step": np.arange(len(s)), **{f"s_{k + 1}": s[:, k] for k in range(s.shape[1])}},
        height=560,
        formula=formula,
    )


def _height(k: float) -> float:
    """Where the k-th state stands, from the top."""
    return 0.93 - k * 0.86 / SHOWN


def _add_step(rows: Rows, k: int, given: str) -> None:
    """From one state through f to the next."""
    middle = _height(k + 0.5)
    rows.add(1, kind="map", role="map", x=CHAIN, y=middle)
    rows.add(1, kind="map name", role="point", x=CHAIN, y=middle, label="f")
    for top, bottom in ((_height(k) - 0.041, middle + 0.042), (middle - 0.033, _height(k + 1) + 0.05)):
        rows.add(1, kind="edge", role="point", x=CHAIN, x2=CHAIN, y=top, y2=bottom)
        rows.add(1, kind="tip", role="point", x=CHAIN, y=bottom, turn=180)
    if given:
        rows.add(1, kind="given", x=CHAIN - 0.13, y=middle, label=given)
        rows.add(1, kind="edge", role="point", x=CHAIN - 0.12, x2=CHAIN - 0.05, y=middle, y2=middle)
        rows.add(1, kind="tip", role="point", x=CHAIN - 0.05, y=middle, turn=90)


def _add_loop(rows: Rows, u: float) -> None:
    """One state, and f that leads back to it."""
    top, bottom = 0.62, 0.40
    rows.add(1, kind="state", role="orbit", x=LOOP, y=top)
    rows.add(1, kind="state name", role="point", x=LOOP, y=top, label="s")
    rows.add(1, kind="map", role="map", x=LOOP, y=bottom)
    rows.add(1, kind="map name", role="point", x=LOOP, y=bottom, label="f")
    turn = np.linspace(0.0, 1.0, 25)
    for side, start, end in ((1, top, bottom), (-1, bottom, top)):
        y = start + (end - start) * (0.16 + 0.66 * turn)
        x = LOOP + side * (0.045 + 0.06 * np.sin(np.pi * (0.08 + 0.84 * turn)))
        rows.add(
            len(y), kind="curve", role="point", line=str(side), x=x.tolist(), y=y.tolist(), n=list(range(25))
        )
        rows.add(1, kind="tip", role="point", x=float(x[-1]), y=float(y[-1]), turn=-140 if side > 0 else 40)
    rows.add(1, kind="said", x=LOOP, y=0.80, label="folded")
    rows.add(1, kind="said", x=CHAIN, y=1.0, label="unrolled")
    if u:
        rows.add(1, kind="under", x=LOOP, y=0.24, label=f"x = {u:g}".replace("-", "−"))
        rows.add(1, kind="edge", role="point", x=LOOP, x2=LOOP, y=0.27, y2=bottom - 0.034)
        rows.add(1, kind="tip", role="point", x=LOOP, y=bottom - 0.034, turn=0)


def _sized(part: float) -> alt.ExprRef:
    """The area of a mark that is as high as a part of the picture: a file's is lower than the screen's."""
    return alt.ExprRef(f"pow({part} * height, 2)")


@cache
def _skeleton() -> dict[str, Any]:
    bare = alt.Scale(domain=[0, 1], nice=False)
    x, y = alt.X("x:Q").scale(bare).axis(None), alt.Y("y:Q").scale(bare).axis(None)
    at: dict[str, Any] = {"x": x, "y": y}
    text: dict[str, Any] = {**at, "text": "label:N"}
    ink: dict[str, Any] = {**text, "color": color()}
    bold: dict[str, Any] = {"fontSize": 16, "fontWeight": 600}
    layers = [
        of("edge").mark_rule(strokeWidth=1.8).encode(**at, x2="x2:Q", y2="y2:Q", color=color()),
        of("curve").mark_line(strokeWidth=1.8).encode(**at, order="n:Q", detail="line:N", color=color()),
        of("tip")
        .mark_point(shape="triangle", filled=True, size=_sized(0.014), opacity=1)
        .encode(**at, color=color(), angle=alt.Angle("turn:Q").scale(None)),
        of("state")
        .mark_point(shape="circle", filled=False, size=_sized(0.066), strokeWidth=2.2, opacity=1)
        .encode(**at, color=color()),
        of("map")
        .mark_point(shape="square", filled=False, size=_sized(0.062), strokeWidth=2.2, opacity=1)
        .encode(**at, color=color()),
        of("state name").mark_text(**bold).encode(**ink),
        of("map name").mark_text(fontStyle="italic", **bold).encode(**ink),
        of("numbers").mark_text(align="left", dx=30, fontSize=16).encode(**ink),
        of("given").mark_text(align="right", fontSize=14).encode(**text),
        of("under").mark_text(baseline="top", fontSize=14).encode(**text),
        of("more").mark_text(fontSize=20).encode(**text),
        of("said").mark_text(fontSize=13).encode(**text),
    ]
    return layered(layers, padding={"right": 8, "top": 8, "bottom": 4})
