"""The Memory lab's controls, and the job that they describe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from rnnviz.engine import CELLS
from rnnviz.engine.optimisers import OPTIMISERS, TITLES
from rnnviz.engine.stack import matching_hidden_size, parameter_count
from rnnviz.engine.task import Task
from rnnviz.engine.train import TrainConfig
from rnnviz.runs import Job, limits
from rnnviz.tasks import TASKS
from rnnviz.ui.controls import SCHEME_NAMES, STRENGTHS
from rnnviz.ui.state import Choice, Control, Number
from rnnviz.ui.stops import HeldText, Several, Stops


def _stops(values: tuple[float, ...]) -> dict[str, float]:
    return {f"{value:g}" if value < 1e4 else f"{value:.0f}": value for value in values}


# The longest are for those who raise the limit.
STEPS = _stops((10, 20, 50, 100, 200, 300, 500, 1e3, 2e3, 3e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6))

LAB: dict[str, Control] = {
    "task": Choice(
        "lab_task", "Task", "Adding problem", options={task.title: name for name, task in TASKS.items()}
    ),
    # Each task has a length of its own, and keeps it while others are looked at.
    **{
        f"length of {name}": Number(
            f"lab_T_{name}",
            f"Length, {task.lengths.what}",
            task.lengths.default,
            "How long something has to be remembered.",
            task.lengths.low,
            task.lengths.high,
            1,
        )
        for name, task in TASKS.items()
    },
    "cells": Several(
        "lab_cells",
        "Cells",
        tuple(spec.title for spec in CELLS.values()),
        options={spec.title: name for name, spec in CELLS.items()},
    ),
    "seeds": Number(
        "lab_seeds", "Seeds", 3, "Models of each cell: own weights, own training sequences.", 1, 10, 1
    ),
    "steps": Stops(
        "lab_steps",
        "Training steps, at most",
        "1000",
        "Updates; one batch of new sequences each.",
        options=STEPS,
    ),
    "stop": Choice(
        "lab_stop",
        "Stop",
        "when solved",
        "When every seed has reached the source's criterion, or at the last step.",
        options={"when solved": True, "last step": False},
    ),
    "H": Number("lab_H", "Hidden units H", 32, None, 1, 256, 1),
    "match": Choice(
        "lab_match",
        "Cells have equal",
        "units",
        "Equal parameters: the largest of the chosen cells has H units, the others as many as come nearest "
        "to its number of parameters.",
        options={"units": False, "parameters": True},
    ),
    "optimizer": Choice("lab_opt", "Optimiser", "Adam", options={TITLES[name]: name for name in OPTIMISERS}),
    "lr": Stops(
        "lab_lr",
        "Learning rate",
        "0.01",
        options=_stops((1e-4, 3e-4, 1e-3, 2e-3, 3e-3, 5e-3, 1e-2, 2e-2, 3e-2, 0.1, 0.3, 1.0, 3.0)),
    ),
    "clip": Stops(
        "lab_clip",
        "Clip gradients at",
        "1",
        "Largest global norm of a gradient.",
        options={**_stops((0.01, 0.1, 0.3, 1.0, 3.0, 10.0)), "never": None},
    ),
    "batch": Stops(
        "lab_B", "Sequences a batch", "50", options=_stops((1, 5, 10, 20, 32, 50, 64, 100, 128, 256))
    ),
    "scheme": Choice("lab_init", "Initial weights", "PyTorch", options=SCHEME_NAMES),
    **{
        name: Number(f"lab_{name}", label, 100.0 if name == "t_max" else 1.0, None, low, high, step)
        for name, (label, low, high, step) in STRENGTHS.items()
    },
    "forget_bias": Number(
        "lab_fbias", "Forget bias", 1.0, "The LSTM's b_f; at 0 its gate starts half open.", -2.0, 6.0, 0.25
    ),
    "truncate": Number(
        "lab_window",
        "Cut the way back after",
        0,
        "Truncated back-propagation: steps after which gradients stop, the state carried on. 0: never.",
        0,
        1000,
        1,
    ),
    "seed": Number("lab_seed", "First seed", 0, "Draws the weights and the sequences.", 0, 99, 1),
    "example": Number("lab_example", "Example", 5, "One of the sequences that runs are judged by.", 1, 50, 1),
    "run": HeldText("lab_run", "Run", "", max_chars=21),
}
INSIDE: dict[str, Control] = {
    "inside_cell": Choice("lab_inside_cell", "Cell", "", options={}),
    "inside_seed": Choice("lab_inside_seed", "Seed", "", options={}),
    "inside_step": Stops("lab_inside_step", "After training step", "", options={}),
}


def choose_job() -> Job | None:
    """Draw the controls; the job that they ask for, None while no cell is chosen.

    Raises:
        ValueError: where the engine cannot train what they say.
    """
    task, table = TASKS[LAB["task"].draw()], limits.limits()
    low, most = task.lengths.low, table["length"].most
    length = LAB[f"length of {task.name}"].draw(
        high=next(n for n in range(task.lengths.high, low - 1, -1) if n == low or task.steps(n) <= most),
        reason=table["length"].reason,
    )
    names = LAB["cells"].draw()
    seeds = LAB["seeds"].draw(high=int(min(table["seeds"].most, 99)), reason=table["seeds"].reason)
    allowed = {said: value for said, value in STEPS.items() if value <= table["steps"].most}
    steps = int(LAB["steps"].draw(options=allowed or {"1": 1}, reason=table["steps"].reason))
    stop = LAB["stop"].draw()
    with st.expander("Model", icon=":material/memory:"):
        # A cell with one block needs more than twice the units for as many parameters as one with four.
        H = LAB["H"].draw(
            high=max(1, int(min(table["units"].most, 10_000) / 2.3)), reason=table["units"].reason
        )
        match = LAB["match"].draw()
        scheme = LAB["scheme"].draw()
        strengths = _strengths(scheme)
        specs = [CELLS[name] for name in names]
        forget = None
        if scheme != "chrono" and any("f" in spec.gate_names for spec in specs):
            forget = float(LAB["forget_bias"].draw())
    with st.expander("Training", icon=":material/tune:"):
        optimizer, lr, clip = (LAB[name].draw() for name in ("optimizer", "lr", "clip"))
        batch, window = int(LAB["batch"].draw()), LAB["truncate"].draw(high=task.steps(length))
        first = LAB["seed"].draw()
    configs = []
    for spec in specs:
        gated = scheme != "chrono" or any(gate.memory for gate in spec.gates)
        configs.append(
            TrainConfig(
                task.name,
                length,
                spec.name,
                spec.options,
                H,
                tuple(range(first, first + seeds)),
                steps,
                batch,
                optimizer,
                lr,
                clip,
                scheme if gated else "torch",
                strengths if gated else (),
                forget if "f" in spec.gate_names else None,
                window or None,
                task.metric.success if stop else None,
                state_grads_every=max(1, steps // 100),
            )
        )
    if not configs:
        return None
    return Job(tuple(_matched(configs, task) if match else configs))


def _matched(configs: list[TrainConfig], task: Task) -> list[TrainConfig]:
    """As many parameters as the largest of them has, as nearly as whole units allow."""
    D, O = task.input_size, task.output_size
    most = max(parameter_count(config.spec, D, config.hidden_size, O) for config in configs)
    return [replace(config, hidden_size=matching_hidden_size(config.spec, D, O, most)) for config in configs]


def _strengths(scheme: str) -> tuple[tuple[str, float], ...]:
    from inspect import signature

    from rnnviz.engine import SCHEMES

    names = [name for name in signature(SCHEMES[scheme]).parameters if name in STRENGTHS]
    return tuple((name, float(LAB[name].draw())) for name in names)


def caption_of(job: Job) -> str:
    """A job in a few words, for captions."""
    first, task, K = job.configs[0], job.task, len(job.configs[0].seeds)
    parts = [
        f"{task.title}, length {job.length}",
        _each(job, lambda config: f"H = {config.hidden_size}"),
        f"seed {first.seeds[0]}" if K == 1 else f"{K} seeds from {first.seeds[0]}",
        f"{TITLES[first.optimizer]} {first.lr:g}",
        "no clipping" if first.clip is None else f"clipped at {first.clip:g}",
        f"batches of {first.batch_size}",
        _each(job, _weights),
        *dict.fromkeys(
            f"{config.spec.title} with forget bias {config.forget_bias:g}"
            for config in job.configs
            if config.forget_bias is not None
        ),
    ]
    if first.truncate:
        parts.append(f"gradients cut after {first.truncate} steps")
    parts.append(f"{'until solved, ' if first.stop_at is not None else ''}at most {first.steps:,} steps")
    return " · ".join(parts)


def _weights(config: TrainConfig) -> str:
    title = next(title for title, name in SCHEME_NAMES.items() if name == config.scheme)
    return " ".join(["weights:", title, *(f"{name} {value:g}" for name, value in config.scheme_options)])


def _each(job: Job, say: Callable[[TrainConfig], str]) -> str:
    """What is said of all cells alike once, else with the names of those of which it is true."""
    said: dict[str, list[str]] = {}
    for config in job.configs:
        said.setdefault(say(config), []).append(config.spec.title)
    if len(said) == 1:
        return next(iter(said))
    return ", ".join(f"{text} ({', '.join(titles)})" for text, titles in said.items())
