"""The link that shows a run in the Memory lab, with the controls as they were when it was started."""

from __future__ import annotations

from typing import Any

from rnnviz.engine.spec import CellSpec
from rnnviz.engine.stack import parameter_count
from rnnviz.run_config import run_id
from rnnviz.runs import Job
from rnnviz.ui.lab_controls import LAB
from rnnviz.ui.state import Choice, Control
from rnnviz.ui.stops import Several, Stops

Query = dict[str, str | list[str]]


def link_of(job: Job, run: str = "") -> Query:
    """A run's query: its name, and every control that is not at its default.

    Args:
        job: what was trained; where the controls cannot say it all, the run's name still does.
        run: its name; that of its configuration if empty.
    """
    query: Query = {}
    for name, held in settings_of(job).items():
        control = LAB[name]
        if held != (list(control.default) if isinstance(control, Several) else control.default):
            query[control.key] = f"{held:g}" if isinstance(held, int | float) else held
    return {**query, LAB["run"].key: run or run_id(job.configs)}


def settings_of(job: Job) -> dict[str, Any]:
    """What the lab's controls hold where they ask for a job, name -> value as the widget has it."""
    first = job.configs[0]
    # What not every cell has is that of the cell which has it.
    gated = next((c for c in job.configs if c.scheme != "torch"), first)
    forgetful = next((c for c in job.configs if c.forget_bias is not None), None)
    largest = max(job.configs, key=lambda config: parameter_count(config.spec, 1, 1, 1))
    settings: dict[str, Any] = {
        "task": first.task,
        f"length of {first.task}": first.length,
        "cells": [config.cell for config in job.configs],
        "seeds": len(first.seeds),
        "steps": first.steps,
        "stop": first.stop_at is not None,
        "H": largest.hidden_size,
        "match": len({config.hidden_size for config in job.configs}) > 1,
        "optimizer": first.optimizer,
        "lr": first.lr,
        "clip": first.clip,
        "batch": first.batch_size,
        "scheme": gated.scheme,
        **dict(gated.scheme_options),
        "truncate": first.truncate or 0,
        "seed": first.seeds[0],
    }
    if forgetful is not None:
        settings["forget_bias"] = forgetful.forget_bias
    held = {name: _held(LAB[name], value) for name, value in settings.items() if name in LAB}
    return {name: value for name, value in held.items() if value is not None}


def _held(control: Control, value: Any) -> Any:
    """What a control's widget holds where a value is meant; None where it cannot."""
    match control:
        case Several():
            return [said for said, meant in control.options.items() if meant in value]
        case Choice() | Stops():
            return next((said for said, meant in control.options.items() if meant == value), None)
    return value


def title_of(job: Job) -> str:
    """A run in one line: ``Adding problem, length 50 · RNN, LSTM, GRU · 3 seeds``."""
    K = len(job.configs[0].seeds)
    cells = ", ".join(dict.fromkeys(title_of_cell(config.spec, config.scheme) for config in job.configs))
    return f"{job.task.title}, length {job.length} · {cells} · {K} seed{'s' if K > 1 else ''}"


def title_of_cell(spec: CellSpec, scheme: str) -> str:
    """A cell, and how its weights were drawn where that is not PyTorch's way."""
    return spec.title if scheme == "torch" else f"{spec.title} {scheme}"
