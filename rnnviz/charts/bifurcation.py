"""What becomes of one unit as its weight turns: branches of fixed points, and where orbits end."""

from __future__ import annotations

from functools import cache
from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from rnnviz.charts.figure import Figure, Formula, layered
from rnnviz.charts.fixed_marks import color, number
from rnnviz.charts.rows import Rows, of
from rnnviz.engine.fixed_points import MARGIN, MARGINAL, STABLE, UNSTABLE

NAMES = ("kind", "role", "x", "y", "piece", "stability", "label")
TITLE = "Turn the weight: when do new resting points appear?"
DASHES = {STABLE: [1, 0], UNSTABLE: [7, 5], MARGINAL: [2, 3]}
SAME = 1500  # parts of the window that count as one place of an orbit
Floats = NDArray[np.float64]


def bifurcation(
    window: tuple[float, float],
    w: Floats,
    last: Floats,
    branch: tuple[Floats, Floats, Floats, NDArray[np.int64]],
    now: float,
    formula: Formula,
    caption: str,
) -> Figure:
    """Branches over w, stable ones solid and unstable ones dashed, and the last steps of each orbit.

    Args:
        window: from where to where the axis of h goes.
        w: (K,), from low to high.
        last: the last steps of each orbit, (K,L); what is outside of the window is marked at its edge.
        branch: w, h, slope and piece of each fixed point, (N,) each; a piece is a run of neighbours, and a
            slope is NaN where there is none.
        now: the weight that the page shows.
        formula: what a branch is.
        caption: the configuration.
    """
    low, high = window
    rows = Rows(NAMES)
    _add_branches(rows, *branch)
    inside = (last >= low) & (last <= high)
    size = (high - low) / SAME
    for k, value in enumerate(w.tolist()):
        ends = np.unique(np.round(last[k][inside[k]] / size)) * size
        rows.add(
            len(ends),
            kind="end",
            role="orbit",
            x=value,
            y=ends.tolist(),
            label=[f"w = {number(value)}: the orbit comes to h ≈ {number(h)}" for h in ends.tolist()],
        )
    for kind, edge, beyond in (("above", high, last > high), ("below", low, last < low)):
        ran = w[beyond.any(1)].tolist()
        rows.add(
            len(ran),
            kind=kind,
            role="orbit",
            x=ran,
            y=edge,
            label=[f"w = {v:g}: out of the picture" for v in ran],
        )
    rows.add(1, kind="now", x=now, label=f"w = {now:g}".replace("-", "−"))
    gone = int((~inside).any(1).sum())
    ran_off = f"; for {gone} of {len(w)} weights it leaves the picture (triangles)" if gone else ""
    return Figure(
        stem="bifurcation",
        title=TITLE,
        caption=f"{caption} · fixed points: solid where stable, dashed where not · "
        f"dots: the last {last.shape[1]} steps of each orbit{ran_off}",
        description=f"{TITLE} {_words((float(w[0]), float(w[-1])), *branch)}{ran_off}.",
        spec=_skeleton(low, high, float(w[0]), float(w[-1])),
        data=rows.columns,
        table=_table(w, last, branch),
        height=430,
        formula=formula,
    )


def stability_of(slope: Floats) -> list[str]:
    """Of each fixed point by its slope, (N,)."""
    size = np.abs(slope)
    return [
        STABLE if s < 1 - MARGIN else UNSTABLE if s > 1 + MARGIN else MARGINAL  # NaN is neither
        for s in size.tolist()
    ]


def _add_branches(rows: Rows, w: Floats, h: Floats, slope: Floats, piece: NDArray[np.int64]) -> None:
    """Each piece cut where its stability changes; the parts share the point between them."""
    stability = stability_of(slope)
    part = -1
    for k, kind in enumerate(stability):
        joined = k > 0 and piece[k] == piece[k - 1]
        if not joined or kind != stability[k - 1]:
            part += 1
            if joined:
                rows.add(
                    1,
                    kind="branch",
                    role="map",
                    x=float(w[k - 1]),
                    y=float(h[k - 1]),
                    piece=part,
                    stability=kind,
                )
        rows.add(1, kind="branch", role="map", x=float(w[k]), y=float(h[k]), piece=part, stability=kind)


def _words(ends: tuple[float, float], w: Floats, h: Floats, slope: Floats, piece: NDArray[np.int64]) -> str:
    seen = (w >= ends[0]) & (w <= ends[1])
    w, slope = w[seen], slope[seen]
    if not len(w):
        return "No fixed point lies in the picture"
    stability = np.array(stability_of(slope))
    said = [
        f"{kind} fixed points from w = {number(float(w[stability == kind].min()))} "
        f"to {number(float(w[stability == kind].max()))}"
        for kind in DASHES
        if (stability == kind).any()
    ]
    return "; ".join(said).capitalize()


def _table(
    w: Floats, last: Floats, branch: tuple[Floats, Floats, Floats, NDArray[np.int64]]
) -> dict[str, Any]:
    K, L = last.shape
    branch_w, branch_h, slope, _ = branch
    return {
        "what": ["orbit"] * (K * L) + ["fixed point"] * len(branch_w),
        "w": np.concatenate([np.repeat(w, L), branch_w]),
        "h": np.concatenate([last.ravel(), branch_h]),
        "slope": np.concatenate([np.full(K * L, np.nan), slope]),
    }


@cache
def _skeleton(low: float, high: float, first: float, final: float) -> dict[str, Any]:
    x = alt.X("x:Q", title="weight w").scale(domain=[first, final], nice=False).axis(grid=False)
    y = alt.Y("y:Q", title="h after many steps").scale(domain=[low, high], nice=False).axis(grid=False)
    dash = alt.StrokeDash("stability:N", legend=None).scale(domain=list(DASHES), range=list(DASHES.values()))
    hover = alt.Tooltip("label:N", title=" ")
    rule = of("now").mark_rule(strokeWidth=1.5).encode(x=x)
    layers = [
        rule,
        of("branch")
        .mark_line(strokeWidth=2.6, clip=True)
        .encode(x=x, y=y, detail="piece:N", strokeDash=dash, color=color()),
        of("end").mark_point(filled=True, size=20, opacity=1).encode(x=x, y=y, color=color(), tooltip=hover),
        of("above")
        .mark_point(shape="triangle-up", filled=True, size=26, opacity=1)
        .encode(x=x, y=y, color=color(), tooltip=hover),
        of("below")
        .mark_point(shape="triangle-down", filled=True, size=26, opacity=1)
        .encode(x=x, y=y, color=color(), tooltip=hover),
        of("now")
        .mark_text(align="left", dx=6, dy=-12, fontSize=14, fontWeight=600)
        .encode(x=x, y=alt.value(alt.expr("height")), text="label:N"),
    ]
    return layered(layers, padding={"right": 10, "top": 8, "bottom": 4})
