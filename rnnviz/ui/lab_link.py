"""The link that shows a run in the Memory lab, with the controls as they were when it was started."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rnnviz.engine.spec import CellSpec
from rnnviz.engine.stack import parameter_count
from rnnviz.run_config import run_id
from rnnviz.runs import Job
from rnnviz.ui.lab_controls import LAB
from rnnviz.ui.state import Choice, Number
from rnnviz.ui.stops import Several, Stops

Query = dict[str, str | list[str]]


def link_of(job: Job, run: str = "") -> Query:
    """A run's query: its name, and every control that is not at its default.

    Args:
        job: what was trained; where the controls cannot say it all, the run's name still does.
        run: its name; that of its configuration if empty.
    """
    first = job.configs[0]
    specs = [config.spec for config in job.configs]
    # What not every cell has is that of the cell which has it.
    gated = next((c for c in job.configs if c.scheme != "torch"), first)
    forgetful = next((c for c in job.configs if c.forget_bias is not None), None)
    largest = max(job.configs, key=lambda config: parameter_count(config.spec, 1, 1, 1))
    settings: dict[str, Any] = {
        "task": first.task,
        f"length of {first.task}": first.length,
        "cells": [spec.name for spec in specs],
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
    query: Query = {}
    for name, value in settings.items():
        said = _said(name, value)
        if said is not None:
            query[LAB[name].key] = said
    return {**query, LAB["run"].key: run or run_id(job.configs)}


def _said(name: str, value: Any) -> str | list[str] | None:
    """A value as a link says it; None where that is the default, or nothing that the control can have."""
    control = LAB[name]
    if isinstance(control, Several):
        names = [said for said, meant in control.options.items() if meant in value]
        return None if names == list(control.default) else names
    if isinstance(control, Number):
        return None if value == control.default else f"{value:g}"
    if isinstance(control, Choice | Stops):
        said = _name(control.options, value)
        return None if said == control.default else said
    return None


def _name(options: Mapping[str, Any], value: Any) -> str | None:
    return next((said for said, meant in options.items() if meant == value), None)


def title_of(job: Job) -> str:
    """A run in one line: ``Adding problem, length 50 · RNN, LSTM, GRU · 3 seeds``."""
    K = len(job.configs[0].seeds)
    cells = ", ".join(dict.fromkeys(title_of_cell(config.spec, config.scheme) for config in job.configs))
    return f"{job.task.title}, length {job.length} · {cells} · {K} seed{'s' if K > 1 else ''}"


def title_of_cell(spec: CellSpec, scheme: str) -> str:
    """A cell, and how its weights were drawn where that is not PyTorch's way."""
    return spec.title if scheme == "torch" else f"{spec.title} {scheme}"
