"""Runs that come with the program, finished: ``python -m rnnviz.lectures`` trains and writes them anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rnnviz.engine import CELLS
from rnnviz.engine.train_config import TrainConfig
from rnnviz.runs.job import Job
from rnnviz.tasks import TASKS


@dataclass(frozen=True)
class Lecture:
    """A run with its story.

    Attributes:
        title: what a lecturer calls it.
        job: what is trained, as the Memory lab's controls ask for it.
        shows: what the run shows, and what it does not.
    """

    title: str
    job: Job
    shows: str


def _job(task: str, length: int, steps: int = 1000, **changes: Any) -> Job:
    """RNN, LSTM and GRU with the Memory lab's defaults, but for these changes."""
    scheme, options = changes.pop("scheme", "torch"), changes.pop("scheme_options", ())
    configs = []
    for spec in CELLS.values():
        gated = scheme == "torch" or any(gate.memory for gate in spec.gates)
        configs.append(
            TrainConfig(
                task,
                length,
                spec.name,
                spec.options,
                steps=steps,
                scheme=scheme if gated else "torch",
                scheme_options=options if gated else (),
                forget_bias=1.0 if "f" in spec.gate_names and scheme == "torch" else None,
                stop_at=TASKS[task].metric.success,
                state_grads_every=max(1, steps // 100),
                **changes,
            )
        )
    return Job(tuple(configs))


LECTURES: tuple[Lecture, ...] = (Lecture("Adding, 50 steps", _job("adding", 50), "."),)
