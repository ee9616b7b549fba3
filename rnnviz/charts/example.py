"""One sequence of a task as a person reads it: what stands at each step, and what is wanted."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from rnnviz.charts import pixels
from rnnviz.charts.figure import Figure, layered
from rnnviz.charts.paint import paint
from rnnviz.charts.rows import Rows, of
from rnnviz.charts.theme import DIVERGING, QUANTITY, domain
from rnnviz.charts.words_along import Word, fitting, left_out, rare

if TYPE_CHECKING:
    from rnnviz.engine.task import Batch, Task

Floats = NDArray[np.float64]

MANY = 3  # input features whose names fit beside their rows
NAMES = ("kind", "x", "x2", "y", "y2", "url", "label", "ink")
# Places from the top, in lines of text.
SYMBOLS, TOP, END, WANTED, BOTTOM = 0.45, 0.95, 2.75, 3.55, 4.0


def example(task: Task, batch: Batch, b: int, caption: str) -> Figure:
    """One sequence, time from left to right: its input, its symbols, and what is wanted where.

    Args:
        task: what it is of.
        batch: B sequences.
        b: which of them, from 0.
        caption: where the sequence is from.
    """
    shown = task.example(batch, b)
    used = [k for k in range(len(shown.steps)) if shown.steps[k] or shown.targets[k]]
    T = used[-1] + 1 if used else len(shown.steps)  # what stands behind a sequence's end is not the task
    symbols, targets = shown.steps[:T], shown.targets[:T]
    x = batch.x[:T, b].double().numpy()
    one_hot = is_one_hot(x)
    written = fitting(symbols, rare(symbols) if one_hot else marks(x))
    answered = fitting(targets, rare(targets, common=0.75))
    rows = Rows(NAMES)
    rows.add(2, kind="span", x=[0.5, T + 0.5], y=TOP)
    if one_hot and len(written) == sum(bool(symbol.strip()) for symbol in symbols):
        _add_boxes(rows, written, T)
    else:
        _add_strip(rows, x, task.inputs)
        for word in written:
            kind = "mark" if marks(x).intersection(word.steps) else "symbol"
            rows.add(1, kind=kind, x=word.at, y=SYMBOLS, label=word.text, ink="h")
    asked = [t for t in range(1, T + 1) if batch.mask[t - 1, b] > 0]
    rows.add(len(asked), kind="asked", x=asked, y=END + 0.15, y2=END + 0.4)
    at, labels = [word.at for word in answered], [word.text for word in answered]
    rows.add(len(at), kind="target", x=at, y=WANTED, label=labels, ink="h")
    rows.add(1, kind="name", y=WANTED, label="wanted")
    _add_hover(rows, x, task.inputs, symbols, targets)
    return Figure(
        stem="example",
        title=shown.sentence,
        caption=caption + left_out("symbols", symbols, written) + left_out("targets", targets, answered),
        description=f"{task.title}, one sequence of {T} steps. {shown.sentence} Wanted: {_asked(targets)}.",
        spec=_skeleton(),
        data=rows.columns,
        table={
            "step": np.arange(1, T + 1),
            **{f"input {name}": x[:, k] for k, name in enumerate(task.inputs)},
            "symbol": list(symbols),
            "asked": (batch.mask[:T, b] > 0).numpy(),
            "target": list(targets),
        },
        height=220,
    )


def is_one_hot(x: Floats) -> bool:
    """Whether each step of (T,D) has one 1 at most, and zeros beside it."""
    return x.shape[1] > 1 and bool(np.isin(x, (0, 1)).all() and (x.sum(1) <= 1).all())


def marks(x: Floats) -> set[int]:
    """Steps, from 1, at which a feature that is mostly 0 is 1 or -1; none in a one-hot input."""
    if is_one_hot(x) or x.shape[1] == 1:  # of one feature no other could be marked
        return set()
    seldom = np.isin(x, (-1, 0, 1)).all(0) & ((x != 0).mean(0) <= 0.25)
    return set((np.flatnonzero((x[:, seldom] != 0).any(1)) + 1).tolist())


def _add_strip(rows: Rows, x: Floats, names: tuple[str, ...]) -> None:
    """The values as colours, a row a feature, and the range that they span."""
    T, D = x.shape
    limit = max(float(np.abs(x[np.isfinite(x)]).max(initial=0.0)), 1e-12)
    url = pixels.address(paint(x.T, -limit, limit, DIVERGING))
    rows.add(1, kind="strip", x=0.5, x2=T + 0.5, y=TOP, y2=END, url=url)
    lines = list(names) if D <= MANY else [f"{D} inputs"]
    places = [TOP + (k + 0.5) * (END - TOP) / len(lines) for k in range(len(lines))]
    rows.add(len(lines), kind="name", y=places, label=lines)
    rows.add(1, kind="range", y=(TOP + END) / 2, label=f"±{limit:.3g}")


def _add_boxes(rows: Rows, written: list[Word], T: int) -> None:
    """A box a step, its symbol inside."""
    edges = [k + 0.5 for k in range(T + 1)]
    rows.add(T, kind="box", x=edges[:-1], x2=edges[1:], y=TOP + 0.1, y2=END - 0.1, ink="x")
    middle = (TOP + END) / 2
    at, labels = [word.at for word in written], [word.text for word in written]
    rows.add(len(at), kind="symbol", x=at, y=middle, label=labels, ink="h")
    rows.add(1, kind="name", y=middle, label="input")


def _add_hover(
    rows: Rows, x: Floats, names: tuple[str, ...], symbols: tuple[str, ...], targets: tuple[str, ...]
) -> None:
    """What a pointer is told at each step."""
    one_hot = is_one_hot(x)
    for k, values in enumerate(x.tolist()):
        told = [] if one_hot else [f"{name} {v:.4g}" for name, v in zip(names, values, strict=True)]
        told = [symbols[k].strip(), *told] if one_hot or len(names) > MANY else told
        wanted = f"; wanted: {targets[k]}" if targets[k] else ""
        label = f"step {k + 1}: {', '.join(told)}{wanted}"
        rows.add(1, kind="hover", x=k + 0.5, x2=k + 1.5, y=TOP, y2=END, label=label)


def _asked(targets: tuple[str, ...]) -> str:
    there = [f"{word} at step {k}" for k, word in enumerate(targets, 1) if word]
    return ", ".join(there) if len(there) <= 12 else f"{', '.join(there[:12])}, and {len(there) - 12} more"


@cache
def _skeleton() -> dict[str, Any]:
    x = alt.X("x:Q", title="step t").scale(nice=False, zero=False).axis(grid=False, tickMinStep=1)
    y = alt.Y("y:Q").scale(domain=[BOTTOM, 0], nice=False).axis(None)
    colours = alt.Scale(domain=domain(QUANTITY, ["x", "h"]))
    word = alt.Color("ink:N", legend=None).scale(colours)
    ink = alt.Stroke("ink:N", legend=None).scale(colours)
    beside = alt.value(0)

    over = {"x": x, "x2": "x2:Q", "y": y, "y2": "y2:Q"}
    layers = [
        of("span").mark_point(opacity=0).encode(x=x, y=y),
        of("strip").mark_image(aspect=False, smooth=False).encode(**over, url="url:N"),
        of("box")
        .mark_rect(fillOpacity=0, strokeWidth=1, cornerRadius=3, strokeOpacity=0.5)
        .encode(**over, stroke=ink),
        of("symbol").mark_text(fontSize=15).encode(x=x, y=y, text="label:N", color=word),
        of("mark").mark_text(fontSize=16, fontWeight=600).encode(x=x, y=y, text="label:N", color=word),
        of("asked").mark_rule(strokeWidth=1.5).encode(x=x, y=y, y2="y2:Q"),
        of("target").mark_text(fontSize=16, fontWeight=600).encode(x=x, y=y, text="label:N", color=word),
        of("name").mark_text(align="right", dx=-14).encode(x=beside, y=y, text="label:N"),
        of("range").mark_text(align="left", dx=10).encode(x=alt.value("width"), y=y, text="label:N"),
        of("hover").mark_rect(opacity=0).encode(**over, tooltip=alt.Tooltip("label:N", title=" ")),
    ]
    return layered(layers, padding={"right": 8, "top": 4, "bottom": 4})
