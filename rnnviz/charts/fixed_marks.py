"""What fixed points look like in every picture of a system: a shape of its own for each kind of stability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from rnnviz.charts.rows import Rows, of
from rnnviz.charts.theme import QUANTITY, QUIET, domain
from rnnviz.engine.fixed_points import MARGINAL, SADDLE, STABLE, UNSTABLE, FixedPoints

# Places of what is drawn: the map and the first number's nullcline, orbits, the second number's, points.
ROLES = {"map": QUANTITY["c"], "orbit": QUANTITY["f"], "second": QUANTITY["i"], "point": QUANTITY["h"]}
ROLES |= {"quiet": QUIET}
SHAPES = {STABLE: "circle", UNSTABLE: "circle", SADDLE: "diamond", MARGINAL: "square"}
LABELLED = 5  # more points than these are a line of them, and one label says so
SIGNS = {STABLE: "●", UNSTABLE: "○", SADDLE: "◇", MARGINAL: "□"}


def color(role: str = "role:N") -> alt.Color:
    """Each role at its place in the theme."""
    return alt.Color(role, legend=None).scale(domain=domain(ROLES, list(ROLES)))


def add_points(
    rows: Rows,
    fixed: FixedPoints,
    at: NDArray[np.float64],
    middle: float,
    labels: Sequence[str],
    says: Sequence[str],
) -> None:
    """Rows of the points that lie in the picture.

    Args:
        rows: with columns kind, role, x, y, shape, label and note.
        fixed: the points.
        at: where each is drawn, (P,2); NaN outside of the picture.
        middle: of the picture, from left to right.
        labels: each one's values for a pointer, P of them.
        says: what stands beside each, P of them.
    """
    seen = np.flatnonzero(np.isfinite(at).all(1)).tolist()
    many = len(seen) > LABELLED
    for k in seen:
        stability = fixed.stability[k]
        rows.add(
            1,
            kind="one of many" if many else "filled" if stability == STABLE else "hollow",
            role="point",
            x=float(at[k, 0]),
            y=float(at[k, 1]),
            shape=SHAPES[stability],
            label=labels[k],
        )
        if not many:
            _add_name(rows, at[k], middle, says[k])
    if many:
        rows.add(1, kind="spread", role="point", note=spread(fixed))


def _add_name(rows: Rows, at: NDArray[np.float64], middle: float, note: str) -> None:
    """Towards the middle of the picture, where there is room."""
    kind = "name" if at[0] <= middle else "name left"
    rows.add(1, kind=kind, role="point", x=float(at[0]), y=float(at[1]), note=note)


def spread(fixed: FixedPoints) -> str:
    """What to call so many points that naming each would say nothing."""
    if not fixed.isolated.all():
        return "fixed points without gaps"
    return f"{len(fixed)} fixed points"


def point_layers(x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Stable points filled, others hollow, each with its values for a pointer and its kind beside it."""
    shape = alt.Shape("shape:N", legend=None).scale(None)
    hover = alt.Tooltip("label:N", title=" ")
    common: dict[str, Any] = {"x": x, "y": y, "shape": shape, "color": color(), "tooltip": hover}
    below: dict[str, Any] = {"text": "note:N", "x": x, "y": y, "color": color()}
    bold: dict[str, Any] = {"fontSize": 14, "fontWeight": 600}
    return [
        of("filled").mark_point(filled=True, size=170, opacity=1, clip=True).encode(**common),
        of("hollow")
        .mark_point(filled=False, size=170, strokeWidth=2.5, opacity=1, clip=True)
        .encode(**common),
        of("one of many")
        .mark_point(shape="square", filled=True, size=14, opacity=1, clip=True)
        .encode(x=x, y=y, color=color(), tooltip=hover),
        of("spread")
        .mark_text(align="right", baseline="bottom", dy=-5, **bold)
        .encode(x=alt.value("width"), y=alt.value(0), text="note:N", color=color()),
        of("name").mark_text(align="left", dx=13, dy=13, **bold).encode(**below),
        of("name left").mark_text(align="right", dx=-13, dy=-13, **bold).encode(**below),
    ]


def number(value: float) -> str:
    """A number in few digits, without a minus before zero."""
    said = f"{value:.3f}" if abs(value) < 1e4 else f"{value:.3g}"
    return said.removeprefix("-") if float(said) == 0 else said.replace("-", "−")


def residual(value: float) -> str:
    """How far a fixed point is from standing still."""
    return "0" if value == 0 else f"{value:.1e}".replace("-", "−")


def eigenvalue(value: complex) -> str:
    """A complex number in few digits."""
    if value.imag == 0:
        return number(value.real)
    sign = "+" if value.imag > 0 else "−"
    return f"{number(value.real)} {sign} {number(abs(value.imag))}i"


def count_words(fixed: FixedPoints) -> str:
    """How many fixed points there are of which kind, for captions."""
    if not len(fixed):
        return f"no fixed point, from {fixed.starts} starts"
    if not fixed.isolated.all() and len(fixed) > LABELLED:
        return "fixed points without gaps between them"
    kinds = fixed.stability if fixed.points.shape[1] == 1 else fixed.kinds
    counts = {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}
    said = [f"{n} {_several(kind) if n > 1 else kind}" for kind, n in counts.items()]
    return "fixed points: " + ", ".join(said)


def _several(kind: str) -> str:
    """The plural of what has one."""
    ends = {"node": "nodes", "focus": "foci", "saddle": "saddles"}
    *first, last = kind.split()
    return " ".join([*first, ends.get(last, last)])
