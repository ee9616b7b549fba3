"""The controls of “How far back?”, and the sweep that they describe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from rnnviz.engine import CELLS
from rnnviz.engine.optimisers import TITLES
from rnnviz.engine.stack import parameter_count
from rnnviz.engine.task import Task
from rnnviz.engine.train import TrainConfig
from rnnviz.runs import limits
from rnnviz.sweep import Sweep
from rnnviz.tasks import TASKS
from rnnviz.ui import state
from rnnviz.ui.controls import SCHEME_NAMES
from rnnviz.ui.lab_controls import LAB, STEPS
from rnnviz.ui.state import Choice, Control, Number, Text
from rnnviz.ui.stops import Several, Stops

MOST = 12  # lags, and learning rates: more are no picture any more
SCHEME_WORDS = {name: title for title, name in SCHEME_NAMES.items()}

# Judged by a share of 1, and with more than one length.
SWEPT = {
    name: task for name, task in TASKS.items() if task.metric.percent and task.lengths.low < task.lengths.high
}


def usual_lags(task: Task) -> tuple[int, ...]:
    """Lags 1, 2, 5, 10, … around a task's usual length: from where all is easy to where little is.

    >>> usual_lags(TASKS["recall"])
    (10, 20, 50, 100, 200)
    """
    low = max(task.lengths.low, task.lengths.default / 3)
    high = min(task.lengths.high, task.lengths.default * 7)
    return tuple(m * 10**k for k in range(4) for m in (1, 2, 5) if low <= m * 10**k <= high)


def _listed(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)


FAR: dict[str, Control] = {
    "map": Choice(
        "far_picture",
        "Picture",
        "Curves",
        "Accuracy of each cell against the lag, or where in lag and learning rate one cell can be trained.",
        options={"Curves": False, "Trainability map": True},
    ),
    "task": Choice(
        "far_task", "Task", "Delayed recall", options={task.title: name for name, task in SWEPT.items()}
    ),
    # Each task has lags of its own, and keeps them while others are looked at.
    **{
        f"lags of {name}": Text(
            f"far_lags_{name}",
            f"Lags, {task.lengths.what}",
            _listed(usual_lags(task)),
            "How long something has to be remembered: whole numbers, such as 10, 20, 50.",
            max_chars=100,
        )
        for name, task in SWEPT.items()
    },
    "cells": Several(
        "far_cells",
        "Cells",
        tuple(spec.title for spec in CELLS.values()),
        options={spec.title: name for name, spec in CELLS.items()},
    ),
    "cell": Choice("far_cell", "Cell", "GRU", options={spec.title: name for name, spec in CELLS.items()}),
    "schemes": Several("far_inits", "Initial weights", ("PyTorch",), options=SCHEME_NAMES),
    "scheme": Choice("far_init", "Initial weights", "PyTorch", options=SCHEME_NAMES),
    "lr": Stops("far_lr", "Learning rate", "0.03", options=LAB["lr"].options),  # type: ignore[attr-defined]
    "lrs": Text(
        "far_lrs",
        "Learning rates",
        "0.001, 0.003, 0.01, 0.03, 0.1",
        "Numbers from 1e-6 to 10, such as 0.001, 0.01.",
        max_chars=100,
    ),
    "steps": Stops(
        "far_steps",
        "Training steps, at most",
        "3000",
        "Updates; a training ends earlier when its task is solved.",
        options=STEPS,
    ),
    "seeds": Number(
        "far_seeds", "Seeds", 3, "Models of each cell and lag: own weights, own training sequences.", 1, 10, 1
    ),
    "H": Number("far_H", "Hidden units H", 32, None, 1, 128, 1),
    "forget_bias": Number(
        "far_fbias", "Forget bias", 5.0, "The LSTM's b_f; at 0 its gate starts half open.", -2.0, 6.0, 0.25
    ),
    "batch": Stops("far_B", "Sequences a batch", "32", options=LAB["batch"].options),  # type: ignore[attr-defined]
    "clip": Stops(
        "far_clip",
        "Clip gradients at",
        "1",
        "Largest global norm of a gradient.",
        options=LAB["clip"].options,  # type: ignore[attr-defined]
    ),
    "seed": Number("far_seed", "First seed", 0, "Draws the weights and the sequences.", 0, 99, 1),
}


@dataclass(frozen=True)
class Asked:
    """What the controls ask for.

    Attributes:
        sweep: what would be trained.
        mapped: whether it is shown as a map, of one cell and scheme over learning rates.
    """

    sweep: Sweep
    mapped: bool

    @property
    def task(self) -> Task:
        """The task."""
        return self.sweep.base.memory_task

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Cell and scheme of each line, as they are trained: not every cell can take every scheme."""
        return list(dict.fromkeys((config.cell, config.scheme) for config in self.sweep.configs))

    @property
    def caption(self) -> str:
        """The whole configuration in a line."""
        base, sweep = self.sweep.base, self.sweep
        seeds, lines = base.seeds, self.lines
        drawn = list(dict.fromkeys(SCHEME_WORDS[scheme] for _, scheme in lines))
        biases = [(c.spec.title, c.forget_bias) for c in sweep.configs if c.forget_bias is not None]
        parts = [
            self.task.title,
            CELLS[lines[0][0]].title if self.mapped else "",
            f"H = {base.hidden_size}",
            f"seed {seeds[0]}" if len(seeds) == 1 else f"{len(seeds)} seeds from {seeds[0]}",
            TITLES[base.optimizer] + ("" if self.mapped else f" {sweep.lrs[0]:g}"),
            "no clipping" if base.clip is None else f"clipped at {base.clip:g}",
            f"batches of {base.batch_size}",
            f"weights: {', '.join(drawn)}",
            "T_max = the lag" if any("t_max" in dict(c.scheme_options) for c in sweep.configs) else "",
            *dict.fromkeys(f"{title} with forget bias {value:g}" for title, value in biases),
            f"until solved, at most {base.steps:,} steps",
        ]
        return " · ".join(filter(None, parts))

    @property
    def configuration(self) -> dict[str, object]:
        """What its files are named after."""
        base, sweep = self.sweep.base, self.sweep
        return {
            "": base.task,
            "cell": "-".join(dict.fromkeys(cell for cell, _ in self.lines)),
            "lags": "-".join(map(str, sorted(sweep.lengths))),
            "H": base.hidden_size,
            "lr": "-".join(f"{lr:g}" for lr in sweep.lrs),
            "seeds": len(base.seeds),
            "from": base.seeds[0],
        }

    @property
    def caution(self) -> str:
        """What a sweep does not show, in short."""
        task, base = self.task, self.sweep.base
        said = [f"A cell that fails within {base.steps:,} steps may learn with more, or with another rate."]
        sizes = {
            spec.title: parameter_count(spec, task.input_size, base.hidden_size, task.output_size)
            for spec in (CELLS[cell] for cell, _ in self.lines)
        }
        if len(sizes) > 1:
            counts = ", ".join(f"{title} {count:,}" for title, count in sizes.items())
            said.append(f"Equal units are not equal parameters: {counts}.")
        return " ".join(filter(None, [*said, task.caution]))


def choose_sweep() -> Asked:
    """Draw the controls, and say what they ask for.

    Raises:
        ValueError: where it is nothing, or cannot be trained here; in a sentence.
    """
    mapped = FAR["map"].draw()
    task, table = SWEPT[FAR["task"].draw()], limits.limits()
    lengths = _lags(FAR[f"lags of {task.name}"], task, table["length"])
    cells = (FAR["cell"].draw(),) if mapped else FAR["cells"].draw()
    lrs = _rates(FAR["lrs"]) if mapped else (FAR["lr"].draw(),)
    allowed = {said: value for said, value in STEPS.items() if value <= table["steps"].most}
    steps = int(FAR["steps"].draw(options=allowed or {"1": 1}, reason=table["steps"].reason))
    seeds = FAR["seeds"].draw(high=int(min(table["seeds"].most, 99)), reason=table["seeds"].reason)
    with st.expander("Model", icon=":material/memory:"):
        schemes = (FAR["scheme"].draw(),) if mapped else FAR["schemes"].draw()
        H = FAR["H"].draw(high=int(min(table["units"].most, 128)), reason=table["units"].reason)
        forget = FAR["forget_bias"].default
        # Chrono sets the bias itself.
        if set(schemes) - {"chrono"} and any("f" in CELLS[name].gate_names for name in cells):
            forget = float(FAR["forget_bias"].draw())
    with st.expander("Training", icon=":material/tune:"):
        batch, clip, first = int(FAR["batch"].draw()), FAR["clip"].draw(), FAR["seed"].draw()
    for what, chosen in (("cell", cells), ("kind of initial weights", schemes)):
        if not chosen:
            raise ValueError(f"No {what} is chosen; choose at least one on the left.")
    forgetful = next(name for name, spec in CELLS.items() if "f" in spec.gate_names)
    base = TrainConfig(
        task.name,
        lengths[0],
        forgetful,  # the others leave its forget bias aside
        hidden_size=H,
        seeds=tuple(range(first, first + seeds)),
        steps=steps,
        batch_size=batch,
        clip=clip,
        forget_bias=forget,
        stop_at=task.metric.success,
    )
    return Asked(Sweep(base, lengths, cells, schemes, lrs), mapped)


def _lags(control: Control, task: Task, longest: limits.Limit) -> tuple[int, ...]:
    """The lags that are typed, increasing; the usual ones, and a note, where they cannot be."""
    low, high = task.lengths.low, task.lengths.high
    while high > low and task.steps(high) > longest.most:
        high -= 1

    def one(word: str) -> int:
        if not (word.isascii() and word.isdecimal() and len(word) < 9 and low <= int(word) <= high):
            raise ValueError(
                f"A lag is “{word[:20]}”; {task.title} allows whole numbers from {low} to {high:,}, "
                "such as 10, 20, 50."
            )
        return int(word)

    return _typed(control, one)


def _rates(control: Control) -> tuple[float, ...]:
    def one(word: str) -> float:
        try:
            value = float(word)
        except ValueError:
            value = -1.0
        if not 1e-6 <= value <= 10:  # false for nan, too
            raise ValueError(
                f"A learning rate is “{word[:20]}”; allowed: numbers from 1e-6 to 10, such as 0.001, 0.01."
            )
        return value

    return _typed(control, one)


def _typed(control: Control, one: Callable[[str], Any]) -> tuple[Any, ...]:
    """A typed list, each value once and increasing; its default, and a note, where it cannot be read."""
    try:
        return _read(control, control.draw(), one)
    except ValueError as problem:
        state.note(f"{problem} Shown are the usual ones: {control.default}.")
        return _read(control, control.default, one)


def _read(control: Control, text: str, one: Callable[[str], Any]) -> tuple[Any, ...]:
    what = control.label.partition(",")[0]
    words = [word for word in text.replace(";", ",").replace(",", " ").split() if word]
    if not 1 <= len(set(words)) <= MOST:
        raise ValueError(
            f"{what}: {len(set(words))} are typed; allowed: 1 to {MOST}, such as {control.default}."
        )
    return tuple(sorted({one(word) for word in words}))
