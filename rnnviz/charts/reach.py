"""How far back gradients reach while a cell learns: their norm over steps of the sequence and of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from rnnviz.charts import log_axis, pixels
from rnnviz.charts.figure import Columns, Figure, layered
from rnnviz.charts.paint import paint
from rnnviz.charts.rows import Rows, of
from rnnviz.charts.strips import HOVER_LIMIT
from rnnviz.charts.theme import CELL, DECADES, domain

if TYPE_CHECKING:
    from rnnviz.engine.learning import Learning

# One scale for every cell, run and moment, or a picture would change its meaning while a room watches.
LOW, HIGH = -8, 0
GAP = 0.14  # between panels, in panels
NAMES = ("kind", "cell", "x", "x2", "y", "y2", "url", "label")
CELLS = ("x", "x2", "y", "y2", "label")


@dataclass(frozen=True)
class Panel:
    """One cell's norms.

    Attributes:
        run: whose they are.
        k: its place, from the top.
        logs: log₁₀ of the geometric mean over the seeds, (P,T); NaN where none has a value.
    """

    run: Learning
    k: int
    logs: NDArray[np.float64]

    @property
    def top(self) -> float:
        """Where it begins, in panels."""
        return self.k * (1 + GAP)

    @property
    def edges(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """From which training step to which each record stands, (P,) and (P,): until the next one."""
        steps = self.run.asked_steps
        last = int(steps[-1] - steps[-2]) if len(steps) > 1 else max(1, self.run.config.state_grads_every)
        return steps, np.append(steps[1:], steps[-1:] + last)


def reach(runs: Sequence[Learning], caption: str) -> Figure:
    """‖∂L/∂h_t‖ over t and training steps, a panel a cell, one absolute log scale of colours.

    Args:
        runs: one a cell; without records they give empty panels.
        caption: the configuration and seeds.
    """
    panels = [Panel(run, k, log_means(run.state_grad_norms)) for k, run in enumerate(runs)]
    T = max([1, *(panel.logs.shape[1] for panel in panels if len(panel.logs))])
    rows = Rows(NAMES)
    for panel in panels:
        _add_panel(rows, panel, T)
    until = max([10, *(int(p.edges[1][-1]) for p in panels if len(p.logs))])
    bottom = _bottom(len(runs))
    rows.add(2, kind="span", x=[0.0, float(until)], y=bottom / 2)
    _add_legend(rows, bottom, panels)
    average = " · geometric mean over the seeds" if any(len(run.config.seeds) > 1 for run in runs) else ""
    title = "How far back does the gradient reach while it learns?"
    return Figure(
        stem="reach",
        title=title,
        caption=caption + average,
        description=f"{title} A heat map a cell, log scale from {_power(LOW)} to {_power(HIGH)}. "
        + " ".join(_words(panel) for panel in panels),
        spec=_skeleton(len(runs)),
        data=rows.columns,
        table=_table(runs),
        still={"cells": _cells(panels, T)},
        height=120 + 120 * max(1, len(runs)),
    )


def log_means(norms: NDArray[np.float64]) -> NDArray[np.float64]:
    """log₁₀ of the geometric mean over the seeds that have a value, (P,K,T) -> (P,T); -inf for a zero."""
    with np.errstate(divide="ignore"):
        logs = np.log10(norms)
    counts = (~np.isnan(logs)).sum(1)
    means = np.where(np.isnan(logs), 0.0, logs).sum(1) / np.maximum(counts, 1)
    return np.where(counts > 0, means, np.nan)


def _add_panel(rows: Rows, panel: Panel, T: int) -> None:
    """The picture, the cell's name, and the first and last step beside it."""
    logs, top = panel.logs, panel.top
    name = panel.run.config.spec.title
    cell = panel.run.config.cell
    if logs.size:
        steps, ends = panel.edges
        picture = logs.T[::-1]  # step 1 at the bottom
        url = pixels.address(paint(picture, LOW, HIGH, DECADES), ~np.isnan(picture))
        here = {"x": steps[0] - 0.5, "x2": ends[-1] - 0.5, "y": top + 1 - logs.shape[1] / T, "y2": top + 1}
        rows.add(1, kind="picture", url=url, **{name: float(v) for name, v in here.items()})
    rows.add(2, kind="frame", y=[top, top + 1])
    rows.add(1, kind="name", cell=cell, y=top + 0.5, label=name)
    rows.add(1, kind="first", y=top + 1, label="1")
    rows.add(1, kind="last", y=top, label=f"{T}" if logs.size else "T")


def _add_legend(rows: Rows, bottom: float, panels: Sequence[Panel]) -> None:
    """The bar of colours over the height of all panels, and what its decades say."""
    shades = np.linspace(HIGH, LOW, 128)[:, None]
    rows.add(1, kind="bar", y=0.0, y2=bottom, url=pixels.address(paint(shades, LOW, HIGH, DECADES)))
    rows.add(1, kind="unit", y=0.0, label="‖∂L/∂hₜ‖")
    above = any((panel.logs > HIGH).any() for panel in panels)
    for power in range(LOW, HIGH + 1, 2):
        sign = {LOW: "≤ ", HIGH: "≥ " if above else ""}.get(power, "")
        rows.add(1, kind="decade", y=bottom * (HIGH - power) / (HIGH - LOW), label=sign + _power(power))


def _cells(panels: Sequence[Panel], T: int) -> Columns:
    """What each value is, for a pointer; nothing where there are too many."""
    rows = Rows(CELLS)
    if sum(panel.logs.size for panel in panels) <= HOVER_LIMIT:
        for panel in panels:
            P, own = panel.logs.shape
            steps, ends = panel.edges
            t = np.arange(1, own + 1)
            name = panel.run.config.spec.title
            rows.add(
                P * own,
                x=np.repeat(steps - 0.5, own).tolist(),
                x2=np.repeat(ends - 0.5, own).tolist(),
                y=np.tile(panel.top + 1 - t / T, P).tolist(),
                y2=np.tile(panel.top + 1 - (t - 1) / T, P).tolist(),
                label=[
                    f"{name}, training step {step}, t = {u + 1}: {_say(panel, p, u)}"
                    for p, step in enumerate(steps.tolist())
                    for u in range(own)
                ],
            )
    return rows.columns


def _words(panel: Panel) -> str:
    name = panel.run.config.spec.title
    if not len(panel.logs):
        return f"{name}: nothing yet."
    T = int((~np.isnan(panel.logs[-1])).sum())
    if not T:
        return f"{name}: no seed is left."
    first, last = (_say(panel, -1, u) for u in (0, T - 1))
    return f"{name}, training step {panel.run.asked_steps[-1]}: {first} at t = 1, {last} at t = {T}."


def _say(panel: Panel, p: int, u: int) -> str:
    """A mean in words; of a zero, why it is one, and in how many seeds."""
    power, config = float(panel.logs[p, u]), panel.run.config
    if power != -np.inf:
        return log_axis.number(power)
    norms = panel.run.state_grad_norms[p, :, u]
    zeros, alive = int((norms == 0).sum()), int((~np.isnan(norms)).sum())
    if config.truncate is not None:
        said = "0, cut by truncation"
    else:
        said = "< 1e-38" if config.dtype == "float32" else log_axis.number(power)
    return said if zeros == alive else f"{said} in {zeros} of {alive} seeds"


def _table(runs: Sequence[Learning]) -> Columns:
    """Every seed's norm."""
    columns: dict[str, list[Any]] = {"cell": [], "seed": [], "training_step": [], "t": [], "norm": []}
    for run in runs:
        P, K, T = run.state_grad_norms.shape
        columns["cell"].append(np.full(P * K * T, run.config.cell))
        columns["seed"].append(np.tile(np.repeat(run.config.seeds, T), P))
        columns["training_step"].append(np.repeat(run.asked_steps, K * T))
        columns["t"].append(np.tile(np.arange(1, T + 1), P * K))
        columns["norm"].append(run.state_grad_norms.ravel())
    return {name: np.concatenate(parts) if parts else np.array([]) for name, parts in columns.items()}


def _bottom(count: int) -> float:
    return max(1, count) * (1 + GAP) - GAP


def _power(power: int) -> str:
    return log_axis.ticks(LOW, HIGH)[power]


@cache
def _skeleton(count: int) -> dict[str, Any]:
    bottom = _bottom(count)
    x = alt.X("x:Q", title="training step").scale(nice=False, zero=True).axis(grid=False, tickMinStep=1)
    y = (
        alt.Y("y:Q")
        .scale(domain=[bottom, 0], nice=False)
        .axis(
            title="step t in the sequence",
            labels=False,
            grid=False,
            domain=False,
            ticks=False,
            titlePadding=44,
        )
    )
    color = alt.Color("cell:N", legend=None).scale(domain=domain(CELL, list(CELL)))
    at_end = alt.value(alt.expr("width + 84"))

    def picture(kind: str, **properties: Any) -> alt.Chart:
        chart: alt.Chart = of(kind).mark_image(aspect=False, smooth=False, **properties)
        return chart

    beside = alt.value(0)
    layers = [
        of("span").mark_point(opacity=0).encode(x=x, y=y),
        picture("picture").encode(x=x, x2="x2:Q", y=y, y2="y2:Q", url="url:N"),
        of("frame").mark_rule(strokeWidth=1, opacity=0.4).encode(y=y),
        of("first").mark_text(align="right", baseline="bottom", dx=-8).encode(x=beside, y=y, text="label:N"),
        of("last").mark_text(align="right", baseline="top", dx=-8).encode(x=beside, y=y, text="label:N"),
        of("name")
        .mark_text(align="left", dx=12, fontSize=16, fontWeight=600)
        .encode(x=alt.value("width"), y=y, text="label:N", color=color),
        picture("bar", width=16).encode(x=at_end, y=y, y2="y2:Q", url="url:N"),
        of("unit").mark_text(align="center", dy=-22).encode(x=at_end, y=y, text="label:N"),
        of("decade").mark_text(align="left", dx=14).encode(x=at_end, y=y, text="label:N"),
        alt.Chart(alt.NamedData("cells"))
        .mark_rect(opacity=0)
        .encode(x="x:Q", x2="x2:Q", y="y:Q", y2="y2:Q", tooltip=alt.Tooltip("label:N", title=" ")),
    ]
    return layered(layers, padding={"right": 8, "top": 8, "bottom": 4})
