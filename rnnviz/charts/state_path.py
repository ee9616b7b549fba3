"""The hidden state's path through time, in its three principal directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnviz.charts.scene import Scene
from rnnviz.charts.theme import TIME

_VIEW = {"aspectmode": "cube", "camera": {"eye": {"x": 1.5, "y": 1.5, "z": 1.1}, "center": {"z": -0.12}}}


def state_path(
    scores: NDArray[np.float64], shares: NDArray[np.float64], symbols: Sequence[str], caption: str
) -> Scene:
    """The path of h_0 … h_T.

    Args:
        scores: where each state lies along the three directions, (T+1,3).
        shares: each direction's share of the variance, (3,).
        symbols: what each step is called, T of them, or none.
        caption: the configuration and seed.
    """
    import plotly.graph_objects as go

    steps = np.arange(len(scores))
    letters = ["", *(f" “{symbol}”" for symbol in symbols)] if symbols else [""] * len(scores)
    names = [f"step {t}{letter}" for t, letter in enumerate(letters)]
    scale = [[k / (len(TIME) - 1), colour] for k, colour in enumerate(TIME)]
    path = go.Scatter3d(
        x=scores[:, 0],
        y=scores[:, 1],
        z=scores[:, 2],
        mode="lines+markers",
        line={"color": steps, "colorscale": scale, "width": 5},
        marker={
            "color": steps,
            "colorscale": scale,
            "size": np.where((steps == 0) | (steps == steps[-1]), 7, 3.5),
            "colorbar": {"title": {"text": "step t"}, "thickness": 12, "len": 0.6},
        },
        text=names,
        hovertemplate="%{text}<br>%{x:.3f}, %{y:.3f}, %{z:.3f}<extra></extra>",
    )
    axes: dict[str, Any] = {
        f"{axis}axis": {"title": {"text": f"direction {k + 1} ({100 * shares[k]:.0f} %)"}}
        for k, axis in enumerate("xyz")
    }
    figure = go.Figure(path)
    figure.update_layout(scene={**axes, **_VIEW}, margin={"l": 0, "r": 0, "t": 0, "b": 0})
    return Scene(
        stem="state-path",
        title="The path of the hidden state",
        caption=f"{caption} · {100 * shares.sum():.1f} % of the variance lies in these three directions",
        description=f"Path of the hidden state over {len(scores) - 1} steps in three dimensions.",
        figure=figure,
        table={"step": steps, **{f"direction_{k + 1}": scores[:, k] for k in range(3)}},
    )
