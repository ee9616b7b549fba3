"""A network's path in its three principal directions, with the points at which its map stands still."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnviz.charts.figure import Formula
from rnnviz.charts.scene import Scene
from rnnviz.charts.state_path import state_path
from rnnviz.charts.theme import QUANTITY, palette
from rnnviz.engine.fixed_points import MARGINAL, SADDLE, STABLE, UNSTABLE, FixedPoints

Floats = NDArray[np.float64]

STEM = "state-space"
SYMBOLS = {STABLE: "circle", UNSTABLE: "circle-open", SADDLE: "diamond-open", MARGINAL: "square-open"}
SIGNS = {STABLE: "●", UNSTABLE: "○", SADDLE: "◇", MARGINAL: "□"}
FORMULA = Formula(
    r"s_t = f(s_{t-1}, x_t; \theta), \qquad s^* = f(s^*, \bar x; \theta), \qquad z = P\,(s - \bar s)",
    "s(t) = f(s(t−1), x(t); θ),  s* = f(s*, x̄; θ),  z = P (s − s̄)",
)


@dataclass(frozen=True)
class Standing:
    """Fixed points as they are drawn and listed.

    Attributes:
        fixed: the engine's.
        places: where each lies along the directions, (P,3).
        distances: how far each is from the space drawn, (P,).
        drawn: which are near enough to be drawn, (P,).
    """

    fixed: FixedPoints
    places: Floats
    distances: Floats
    drawn: NDArray[np.bool_]

    @property
    def leading(self) -> Floats:
        """max |λ| of each, (P,)."""
        moduli: Floats = self.fixed.eigenvalues.abs().numpy()
        return moduli.max(1) if len(moduli) else np.zeros(0)

    @property
    def unstable_directions(self) -> NDArray[np.int64]:
        """|λ| above 1 of each, (P,)."""
        found: NDArray[np.int64] = (self.fixed.eigenvalues.abs() > 1).sum(1).numpy()
        return found


def state_space(
    places: Floats,
    distances: Floats,
    shares: Floats,
    standing: Standing,
    symbols: Sequence[str],
    caption: str,
) -> Scene:
    """The path of s_0 … s_N and the fixed points near it.

    Args:
        places: of the path along three directions, (N+1,3), 0 along those that are not there.
        distances: of the path from the space drawn, (N+1,).
        shares: each direction's share of the variance, (k,), k from 1 to 3.
        standing: the fixed points.
        symbols: what each step is called, or none.
        caption: the configuration and seed.
    """
    k = len(shares)
    padded = np.pad(shares, (0, 3 - k))
    scene = state_path(places, padded, symbols, caption)
    figure = scene.figure
    _add_points(figure, standing)
    missing = {f"{axis}axis": {"title": {"text": "no further direction"}} for axis in "xyz"[k:]}
    figure.update_layout(
        scene=missing, legend={"x": 0, "y": 1, "orientation": "h"}, showlegend=bool(standing.drawn.any())
    )
    said = _counted(standing)
    title = "Where does the state go, and where would it stand still?"
    there = ["one direction", "two directions", "three directions"][k - 1]
    rest = (
        ""
        if k == 3
        else f"; the state has no more: {'the other axes are' if k == 1 else 'one axis is'} empty"
    )
    return replace(
        scene,
        stem=STEM,
        title=title,
        caption=f"{caption} · {100 * shares.sum():.1f} % of the path's variance in {there}{rest} · {said}",
        description=f"{title} The path of the state over {len(places) - 1} steps in {there}. {said}.",
        table={
            "what": ["path"] * len(places) + ["fixed point"] * len(standing.places),
            "number": [*range(len(places)), *range(1, len(standing.places) + 1)],
            **{f"direction_{j + 1}": np.concatenate([places[:, j], standing.places[:, j]]) for j in range(3)},
            "distance": np.concatenate([distances, standing.distances]),
        },
        formula=FORMULA,
    )


def _add_points(figure: Any, standing: Standing) -> None:
    """One trace a kind of stability, so that its sign stands in the legend."""
    import plotly.graph_objects as go

    stability = standing.fixed.stability
    hues = palette()["category"]
    for kind, symbol in SYMBOLS.items():
        own = [p for p in range(len(stability)) if stability[p] == kind and standing.drawn[p]]
        if not own:
            continue
        at = standing.places[own]
        figure.add_trace(
            go.Scatter3d(
                x=at[:, 0],
                y=at[:, 1],
                z=at[:, 2],
                mode="markers",
                name=f"{kind} ({len(own)})",
                marker={
                    "symbol": symbol,
                    "size": 8,
                    "color": hues[QUANTITY["i"] if kind == STABLE else QUANTITY["f"]],
                    "line": {"width": 3},
                },
                text=[point_words(standing, p) for p in own],
                hovertemplate="%{text}<extra></extra>",
            )
        )
    figure.data[0].showlegend = False


def point_words(standing: Standing, p: int) -> str:
    """A fixed point in a few lines."""
    fixed = standing.fixed
    return (
        f"fixed point {p + 1}: {fixed.kinds[p]}<br>unstable directions: {standing.unstable_directions[p]} "
        f"of {fixed.points.shape[1]}<br>max |λ| = {standing.leading[p]:.4g}<br>‖f(s) − s‖ = "
        f"{float(fixed.residuals[p]):.1e}<br>{standing.distances[p]:.3g} from the space drawn"
    )


def _counted(standing: Standing) -> str:
    """How many fixed points there are, of which kind, and how many are too far away to be drawn."""
    fixed, P = standing.fixed, len(standing.fixed)
    if not P:
        return f"no fixed point was found from {fixed.starts} starts"
    kinds = {kind: fixed.stability.count(kind) for kind in SYMBOLS}
    said = ", ".join(f"{count} {kind}" for kind, count in kinds.items() if count)
    found = f"{P} fixed point{'s' * (P > 1)} from {fixed.starts} starts: {said}"
    far = int((~standing.drawn).sum())
    return f"{found}; {far} too far from the path to be drawn, in the table below" if far else found
