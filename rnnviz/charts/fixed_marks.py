"""What fixed points look like in every picture of a system: a shape of its own for each kind of stability."""

from __future__ import annotations

import altair as alt
import numpy as np
from numpy.typing import NDArray

from rnnviz.charts.rows import Rows, of
from rnnviz.charts.theme import QUANTITY, domain
from rnnviz.engine.fixed_points import MARGINAL, SADDLE, STABLE, UNSTABLE, FixedPoints

# Places of what is drawn: the map and the first number's nullcline, orbits, the second number's, points.
ROLES = {"map": QUANTITY["c"], "orbit": QUANTITY["f"], "second": QUANTITY["i"], "point": QUANTITY["h"]}
SHAPES = {STABLE: "circle", UNSTABLE: "circle", SADDLE: "diamond", MARGINAL: "square"}
LABELLED = 5  # more points than these are a line of them, and one label says so
SIGNS = {STABLE: "●", UNSTABLE: "○", SADDLE: "◇", MARGINAL: "□"}


def color(role: str = "role:N") -> alt.Color:
    """Each role at its place in the theme."""
    return alt.Color(role, legend=None).scale(domain=domain(ROLES, list(ROLES)))


def add_points(rows: Rows, fixed: FixedPoints, at: NDArray[np.float64], labels: list[str]) -> None:
    """Rows of the points that lie in the picture.

    Args:
        rows: with columns kind, role, x, y, shape, label and note.
        fixed: the points.
        at: where each is drawn, (P,2); NaN outside of the picture.
        labels: what each is called, P of them.
    """
    seen = np.flatnonzero(np.isfinite(at).all(1)).tolist()
    many = len(seen) > LABELLED
    for k in seen:
        stability = fixed.stability[k]
        rows.add(
            1,
            kind="filled" if stability == STABLE else "hollow",
            role="point",
            x=float(at[k, 0]),
            y=float(at[k, 1]),
            shape=SHAPES[stability],
            label=labels[k],
        )
        if not many:
            rows.add(1, kind="name", role="point", x=float(at[k, 0]), y=float(at[k, 1]), note=fixed.kinds[k])
    if many:
        k = seen[len(seen) // 2]
        rows.add(1, kind="name", role="point", x=float(at[k, 0]), y=float(at[k, 1]), note=spread(fixed))


def spread(fixed: FixedPoints) -> str:
    """What to call so many points that naming each would say nothing."""
    if not fixed.isolated.all():
        return "fixed points without gaps"
    return f"{len(fixed)} fixed points"


def point_layers(x: alt.X, y: alt.Y, text: bool = True) -> list[alt.Chart]:
    """Stable points filled, others hollow, each with its values for a pointer and its kind beside it."""
    shape = alt.Shape("shape:N", legend=None).scale(None)
    hover = alt.Tooltip("label:N", title=" ")
    common = {"x": x, "y": y, "shape": shape, "color": color(), "tooltip": hover}
    layers = [
        of("filled").mark_point(filled=True, size=170, opacity=1, clip=True).encode(**common),
        of("hollow")
        .mark_point(filled=False, size=170, strokeWidth=2.5, opacity=1, clip=True)
        .encode(**common),
    ]
    if text:
        layers.append(
            of("name")
            .mark_text(align="left", dx=13, dy=13, fontSize=14, fontWeight=600, clip=True)
            .encode(x=x, y=y, text="note:N", color=color())
        )
    return layers


def number(value: float) -> str:
    """A number in few digits, without a minus before zero."""
    said = f"{value:.3f}" if abs(value) < 1e4 else f"{value:.3g}"
    return said.removeprefix("-") if float(said) == 0 else said.replace("-", "−")


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
    kinds = {kind: fixed.kinds.count(kind) for kind in dict.fromkeys(fixed.kinds)}
    return "fixed points: " + ", ".join(f"{n} {kind}" for kind, n in kinds.items())
