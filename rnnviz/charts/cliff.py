"""An error surface in three dimensions, and gradient descent that rolls on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnviz.charts import log_axis
from rnnviz.charts.cliff_records import Box, Surface, Wall, Way
from rnnviz.charts.cliff_ways import Exit, exits, in_words, name_of, pieces, place_of, point
from rnnviz.charts.figure import Formula
from rnnviz.charts.scene import Scene
from rnnviz.charts.theme import SEQUENTIAL, palette

LOW, HIGH = -3, 2  # log₁₀ ‖∇E‖ at the ends of the colours: one scale for all surfaces
LIFT = 0.012  # of the height of the picture: how far above the surface a way is drawn
# From where the low ground is near and the wall stands behind it.
_VIEW = {"eye": {"x": 0.84, "y": 1.8, "z": 1.07}, "center": {"x": 0.0, "y": 0.0, "z": -0.24}}
_DASH = {True: "dash", False: "solid"}
_BALL = {True: "circle", False: "diamond"}


def cliff(
    surface: Surface, wall: Wall, ways: Sequence[Way], formula: Formula, caption: str, dark: bool
) -> Scene:
    """E over (w, b), coloured by ‖∇E‖ on a log scale, with each way on it and a ball at each update.

    Args:
        surface, wall: of one unit.
        ways: all of as many updates.
        formula: of the unit, its error and its updates.
        caption: the configuration.
        dark: whether it is seen on a dark ground.
    """
    import plotly.graph_objects as go

    tall = float(surface.E.max() - surface.E.min()) or 1.0
    traces = [_ground(surface, wall), *(_line(way, surface.box, tall * LIFT, dark) for way in ways)]
    traces += [_ball(way, surface.box, tall * LIFT, dark) for way in ways]
    title = "Where does gradient descent roll on this surface?"
    largest, w, b = surface.steepest()
    spoken = " ".join(in_words(way, surface.box) for way in ways)
    figure = go.Figure(
        {"data": traces, "layout": _layout(surface, ways, tall * LIFT, dark)}, skip_invalid=True
    )
    return Scene(
        stem="cliff",
        title=title,
        caption=caption,
        description=f"{title} The error E over w and b, as a surface. Its gradient is largest at "
        f"{point(w, b)}, with norm {largest:.3g}. {spoken}",
        figure=figure,
        table=surface.table,
        height=560,
        formula=formula,
    )


def _ground(surface: Surface, wall: Wall) -> dict[str, Any]:
    shades = [[k / (len(SEQUENTIAL) - 1), shade] for k, shade in enumerate(SEQUENTIAL)]
    powers = range(LOW, HIGH + 1)
    marks = log_axis.ticks(LOW, HIGH)
    sign = {LOW: "≤ ", HIGH: "≥ "}
    return {
        "type": "surface",
        "x": surface.w,
        "y": surface.b,
        "z": surface.E,
        "surfacecolor": surface.log_steepness(wall).clip(LOW - 1, HIGH + 1),  # -inf would be a hole
        "customdata": surface.norm,
        "cmin": LOW,
        "cmax": HIGH,
        "colorscale": shades,
        "lighting": {"ambient": 0.72, "diffuse": 0.5, "specular": 0.05, "roughness": 0.9},
        "contours": {axis: {"highlight": False} for axis in "xyz"},
        "hovertemplate": "w %{x:.3f}<br>b %{y:.3f}<br>E %{z:.4f}<br>‖∇E‖ %{customdata:.3g}<extra></extra>",
        "colorbar": {
            "title": {"text": "‖∇E‖", "side": "top", "font": {"size": 16}},
            "tickfont": {"size": 14},
            "tickvals": list(powers),
            "ticktext": [sign.get(power, "") + marks[power] for power in powers],
            "thickness": 14,
            "len": 0.62,
            "x": 1.0,
            "y": 0.55,
        },
        "name": "E",
        "showlegend": False,
    }


def _line(way: Way, box: Box, lift: float, dark: bool) -> dict[str, Any]:
    """A way as far as it lies in the window, a mark where it leaves."""
    parts = [part for piece in pieces(way, box) for part in (piece, np.full((1, 3), np.nan))]
    path = np.concatenate(parts) if parts else np.array([[way.w[0], way.b[0], way.E[0]]])
    free = way.clip is None
    # An update is a mark; where the window cuts a way there is none.
    updates = {tuple(row) for row in np.column_stack([way.w, way.b]).tolist()}
    sizes = [4 if tuple(row) in updates else 0 for row in path[:, :2].tolist()]
    return {
        "type": "scatter3d",
        "mode": "lines+markers",
        "x": path[:, 0],
        "y": path[:, 1],
        "z": path[:, 2] + lift,
        "line": {"color": _colour(way, dark), "width": 5 if free else 8, "dash": _DASH[free]},
        "marker": {"color": _colour(way, dark), "symbol": _BALL[free], "size": sizes},
        "name": name_of(way),
        "hoverinfo": "skip",
    }


def _ball(way: Way, box: Box, lift: float, dark: bool) -> dict[str, Any]:
    """Where it is after the last update."""
    return {
        "type": "scatter3d",
        "mode": "markers",
        **{name: value[0] for name, value in _ball_at(way, box, lift, len(way.w) - 1).items()},
        "marker": {
            "color": _colour(way, dark),
            "size": 8,
            "symbol": _BALL[way.clip is None],
            "line": {"width": 2, "color": palette(dark)["background"]},
        },
        "name": name_of(way),
        "showlegend": False,
        "hovertemplate": "%{text}<extra></extra>",
    }


def _ball_at(way: Way, box: Box, lift: float, update: int) -> dict[str, list[Any]]:
    """Its place after an update: on the edge where it has left the window, and words that say so."""
    w, b, E = float(way.w[update]), float(way.b[update]), float(way.E[update])
    words = f"{name_of(way)}, update {update}<br>{point(w, b)}<br>E = {E:.4g}, ‖∇E‖ = {way.norm[update]:.3g}"
    if not way.inside(box)[update]:
        left = [one for one in exits(way, box) if one.update <= update]
        w, b, E = left[-1].at if left else (np.nan,) * 3
        words += "<br>outside the window"
    return {"x": [[w]], "y": [[b]], "z": [[E + lift]], "text": [[words]]}


def _layout(surface: Surface, ways: Sequence[Way], lift: float, dark: bool) -> dict[str, Any]:
    ink = palette(dark)["text"]
    notes = [_note(one, way, surface.box, lift, dark) for way in ways for one in exits(way, surface.box)[:1]]
    axis = {"showspikes": False, "zeroline": False, "title": {"font": {"size": 18}}, "color": ink}
    (left, right), (bottom, top) = surface.box
    return {
        "scene": {
            "xaxis": {**axis, "title": {"text": "w", "font": {"size": 18}}, "range": [left, right]},
            "yaxis": {**axis, "title": {"text": "b", "font": {"size": 18}}, "range": [bottom, top]},
            "zaxis": {**axis, "title": {"text": "E", "font": {"size": 18}}},
            "aspectmode": "manual",
            "aspectratio": {"x": 1.25, "y": 1.25, "z": 0.7},
            "camera": _VIEW,
            "domain": {"x": [0, 1], "y": [0.02, 1]},
            "annotations": notes,
        },
        "legend": {"orientation": "h", "x": 0, "y": 1, "font": {"size": 16}, "itemclick": False},
        "sliders": [_slider(surface, ways, lift, dark)],
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
    }


def _note(one: Exit, way: Way, box: Box, lift: float, dark: bool) -> dict[str, Any]:
    w, b, E = one.at
    colours = palette(dark)
    left = w < (box[0][0] + box[0][1]) / 2  # on screen that is on the right: w grows to the left
    return {
        "x": w,
        "y": b,
        "z": E + lift,
        "text": one.words,
        "font": {"size": 15, "color": colours["text"]},
        "bgcolor": colours["background"],
        "bordercolor": _colour(way, dark),
        "borderpad": 4,
        "arrowcolor": _colour(way, dark),
        "arrowhead": 2,
        "xanchor": "right" if left else "left",
        "ax": -50 if left else 40,
        "ay": 60 if left else -50,
    }


def _slider(surface: Surface, ways: Sequence[Way], lift: float, dark: bool) -> dict[str, Any]:
    """Puts the balls where they are after each update, without a word to the server."""
    balls = list(range(1 + len(ways), 1 + 2 * len(ways)))
    last = len(ways[0].w) - 1
    steps = []
    for update in range(last + 1):
        places = [_ball_at(way, surface.box, lift, update) for way in ways]
        moved = {name: [place[name][0] for place in places] for name in places[0]}
        steps.append({"method": "restyle", "args": (moved, balls), "label": f"{update}"})
    return {
        "active": last,
        "steps": steps,
        "currentvalue": {
            "prefix": "the balls after update ",
            "font": {"size": 16, "color": palette(dark)["text"]},
        },
        "pad": {"l": 12, "r": 12, "b": 8, "t": 0},
        "len": 0.94,
        "x": 0.02,
        "y": 0.0,
        "yanchor": "bottom",
        "ticklen": 0,
        "tickwidth": 0,
        "minorticklen": 0,
        "font": {"size": 1, "color": palette(dark)["background"]},
    }


def _colour(way: Way, dark: bool) -> str:
    colour: str = palette(dark)["category"][place_of(way)]
    return colour
