"""Eigenvalues of the map at its fixed points: one point's on the complex plane, beside all points' sizes."""

from __future__ import annotations

from functools import cache
from typing import Any

import altair as alt
import numpy as np

from rnnviz.charts.eigenvalues import limit
from rnnviz.charts.figure import Figure, Formula, layered
from rnnviz.charts.rows import Rows, of
from rnnviz.charts.state_space import SIGNS, Standing
from rnnviz.charts.theme import QUANTITY, domain

NAMES = ("kind", "ink", "x", "y", "size", "label")
BETWEEN = 230  # pixels between the plane and the sizes: a point's name stands there
NAMED = 16  # points at most that have room for their names
PLACES = {"inside": QUANTITY["c"], "outside": QUANTITY["f"], "ink": QUANTITY["h"]}
FORMULA = Formula(
    r"J = \frac{\partial f}{\partial s}\bigg|_{s^*}, \qquad \det(J - \lambda_k I) = 0, \qquad "
    r"\text{stable where all } \left|\lambda_k\right| < 1",
    "J = ∂f/∂s at s*, det(J − λₖ I) = 0, stable where all |λₖ| < 1",
)


def point_spectra(standing: Standing, chosen: int, caption: str) -> Figure:
    """λ_k of the Jacobian at one fixed point with the unit circle, and |λ_k| at all of them.

    Args:
        standing: the fixed points, at least one.
        chosen: which, from 1.
        caption: the configuration and seed.
    """
    fixed, p = standing.fixed, chosen - 1
    values = fixed.eigenvalues.numpy()
    rows = Rows(NAMES)
    end = limit(float(np.abs(values).max()))
    _add_plane(rows, values[p], end)
    rows.add(1, kind="head", label=f"point {chosen}: {fixed.kinds[p]}")
    _add_sizes(rows, standing, p, end)
    unstable, S = int(standing.unstable_directions[p]), values.shape[1]
    title = "Does a small change at a fixed point grow or fade?"
    said = f"point {chosen} of {len(values)}: {fixed.kinds[p]}, {unstable} of {S} directions grow"
    return Figure(
        stem="point-spectra",
        title=title,
        caption=f"{said} · {caption}",
        description=f"{title} Left, the {S} eigenvalues of the Jacobian at {said}, with the unit circle. "
        f"Right, the eigenvalues' sizes at each of {len(values)} fixed points; the largest: "
        f"{', '.join(f'{v:.3g}' for v in standing.leading.tolist())}.",
        spec=_skeleton(),
        data=rows.columns,
        table={
            "fixed_point": np.repeat(np.arange(1, len(values) + 1), S),
            "k": np.tile(np.arange(1, S + 1), len(values)),
            "eigenvalue_real": values.real.ravel(),
            "eigenvalue_imag": values.imag.ravel(),
            "modulus": np.abs(values).ravel(),
        },
        height=390,
        formula=FORMULA,
    )


def _add_plane(rows: Rows, values: Any, end: float) -> None:
    """Places from -1 to 1 in units of the plane's half side."""
    rows.add(1, kind="circle", ink="ink", size=1 / end)
    for sign, word in ((1, "1"), (-1, "−1")):
        rows.add(1, kind="real", x=sign / end, label=word)
        rows.add(1, kind="imag", y=sign / end, label=word.removesuffix("1") + "i")
    sizes = np.abs(values)
    for inside, ink in ((sizes <= 1, "inside"), (sizes > 1, "outside")):
        own = values[inside]
        rows.add(
            len(own),
            kind=f"value {ink}",
            ink=ink,
            x=(own.real / end).tolist(),
            y=(own.imag / end).tolist(),
            label=[_words(v) for v in own.tolist()],
        )


def _add_sizes(rows: Rows, standing: Standing, chosen: int, end: float) -> None:
    """A row a fixed point, from the top; places from 0 to 1."""
    values = standing.fixed.eigenvalues.numpy()
    P, S = values.shape
    stability = standing.fixed.stability
    for p in range(P):
        y, sizes = (p + 0.5) / P, np.abs(values[p])
        for ink, there in (("inside", sizes <= 1), ("outside", sizes > 1)):
            rows.add(
                int(there.sum()),
                kind=f"size {ink}",
                ink=ink,
                x=(sizes[there] / end).tolist(),
                y=y,
                label=[f"point {p + 1}, {_words(v)}" for v in values[p][there].tolist()],
            )
        rows.add(1, kind="chosen row" if p == chosen else "row", y=y)
        if P <= NAMED or p == chosen:
            grows = int(standing.unstable_directions[p])
            name = f"{SIGNS[stability[p]]} point {p + 1}: {grows} of {S} grow"
            rows.add(1, kind="chosen name" if p == chosen else "name", y=y, label=name)
    marks = [0.0, 1.0, *([end] if end >= 1.5 else [])]
    rows.add(len(marks), kind="mark", x=[v / end for v in marks], label=[f"{v:g}" for v in marks])
    rows.add(1, kind="one", x=1 / end)


def _words(value: complex) -> str:
    sign = "−" if value.imag < 0 else "+"
    return f"λ = {value.real:.4g} {sign} {abs(value.imag):.4g}i, |λ| = {abs(value):.4g}"


def _px(expression: str) -> Any:
    """A place in pixels, from a row's own columns: the plane's unit is as long upward as to the right."""
    return alt.value(alt.expr(expression))


@cache
def _skeleton() -> dict[str, Any]:
    half, left = "height / 2", f"(height + {BETWEEN})"
    x, y = _px(f"{half} * (1 + datum.x)"), _px(f"{half} * (1 - datum.y)")
    at, down = _px(f"{left} + datum.x * max(80, width - {left})"), _px("height * datum.y")
    middle, none, bottom, end = _px(half), alt.value(0), alt.value("height"), alt.value("width")
    color = alt.Color("ink:N", legend=None).scale(domain=domain(PLACES, list(PLACES)))
    tip, text = alt.Tooltip("label:N", title=" "), "label:N"
    filled: dict[str, Any] = {"filled": True, "opacity": 0.9}
    hollow: dict[str, Any] = {"filled": False, "opacity": 1, "strokeWidth": 2.5, "shape": "diamond"}
    heading: dict[str, Any] = {
        "align": "left",
        "baseline": "bottom",
        "dy": -12,
        "fontWeight": 600,
        "fontSize": 16,
    }
    beside: dict[str, Any] = {"align": "right", "dx": -14}
    layers = [
        of("head").mark_rule(opacity=0.35).encode(x=none, x2=_px("height"), y=middle),
        of("head").mark_rule(opacity=0.35).encode(x=middle, y=none, y2=bottom),
        of("circle")
        .mark_point(shape="circle", filled=False, opacity=1, strokeWidth=2)
        .encode(x=middle, y=middle, size=_px("pow(height * datum.size, 2)"), color=color),
        of("real").mark_text(dx=10, dy=13).encode(x=x, y=middle, text=text),
        of("imag").mark_text(dx=10, dy=-9, align="left").encode(x=middle, y=y, text=text),
        of("value inside").mark_point(size=62, **filled).encode(x=x, y=y, color=color, tooltip=tip),
        of("value outside").mark_point(size=90, **hollow).encode(x=x, y=y, color=color, tooltip=tip),
        of("head").mark_text(**heading).encode(x=none, y=none, text=text),
        of("head")
        .mark_text(**heading)
        .encode(x=_px(left), y=none, text=alt.value("|λ| at every fixed point")),
        of("row").mark_rule(opacity=0.3).encode(x=_px(left), x2=end, y=down),
        of("chosen row").mark_rule(opacity=0.8, strokeWidth=2).encode(x=_px(left), x2=end, y=down),
        of("one").mark_rule(strokeWidth=2).encode(x=at, y=none, y2=bottom),
        of("size inside").mark_point(size=48, **filled).encode(x=at, y=down, color=color, tooltip=tip),
        of("size outside").mark_point(size=70, **hollow).encode(x=at, y=down, color=color, tooltip=tip),
        of("name").mark_text(**beside).encode(x=_px(left), y=down, text=text),
        of("chosen name").mark_text(**beside, fontWeight=700).encode(x=_px(left), y=down, text=text),
        of("mark").mark_text(baseline="top", dy=8).encode(x=at, y=bottom, text=text),
        # From the left: centred it would reach beyond the edge while a file's size is still being found.
        of("circle")
        .mark_text(align="left", baseline="top", dy=8)
        .encode(x=none, y=bottom, text=alt.value("● |λ| ≤ 1 fades or stays · ◇ |λ| > 1 grows")),
    ]
    return layered(layers, padding={"right": 12, "top": 8, "bottom": 8, "left": 8})
