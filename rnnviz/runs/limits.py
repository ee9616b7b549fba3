"""How much one run may ask of the machine; whoever owns it may raise that.

``RNNVIZ_LIMITS="steps=1000000,memory=8e9"`` replaces the limits it names.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from rnnviz.engine.validation import COUNT
from rnnviz.runs.job import Job

VARIABLE = "RNNVIZ_LIMITS"


@dataclass(frozen=True)
class Limit:
    """The most of something, what it is called, and why."""

    most: float
    what: str
    reason: str


LIMITS = {
    "steps": Limit(20_000, "Training steps", "so that the people of a room take turns"),
    "length": Limit(1_200, "Time steps of a sequence", "so that one update takes less than a second"),
    "batch": Limit(512, "Sequences a batch", "so that one update takes less than a second"),
    "units": Limit(600, "Hidden units", "so that one update takes less than a second"),
    "seeds": Limit(10, "Seeds", "so that their curves can be told apart"),
    "parameters": Limit(1_000_000, "Parameters of a model", "so that every saved step fits into memory"),
    "memory": Limit(1e9, "Bytes that training works with", "so that the machine does not swap"),
    "work": Limit(2e13, "Parameters × time steps × sequences of a run", "which is about an hour"),
    "waiting": Limit(20, "Runs in the queue", "so that nobody waits in vain"),
    "own": Limit(4, "Runs of one person at a time", "so that others have their turn"),
    "kept": Limit(2e9, "Bytes that runs at rest keep", "so that the memory does not fill up"),
    "sweep_work": Limit(1e14, "Parameters × time steps × sequences of a sweep", "which is about a night"),
    "sweep": Limit(200, "Trainings of a sweep", "so that it ends in hours"),
    "stored": Limit(4e9, "Bytes of runs on disk", "so that the disk does not fill up"),
}


def limits() -> dict[str, Limit]:
    """The table, with what the environment raises.

    Raises:
        ValueError: when the environment names what is no limit, or gives it no number.
    """
    table = dict(LIMITS)
    for part in filter(None, (part.strip() for part in os.environ.get(VARIABLE, "").split(","))):
        name, _, value = (piece.strip() for piece in part.partition("="))
        try:
            most = float(value)
        except ValueError:
            most = -1.0
        if name not in table or not most >= 1:
            names = ", ".join(table)
            raise ValueError(f"{VARIABLE} says “{part[:40]}”; allowed: {names}, each = a number from 1.")
        table[name] = Limit(most, table[name].what, table[name].reason)
    return table


def check(job: Job) -> None:
    """Refuse what is too much for this server, before anything starts.

    Raises:
        ValueError: naming what, how much, what is allowed and why.
    """
    T = job.task.steps(job.length)
    for config, parameters in zip(job.configs, job.parameters(), strict=True):
        B, K, H, G = config.batch_size, len(config.seeds), config.hidden_size, len(config.spec.blocks)
        refuse("steps", config.steps)
        refuse("length", T)
        refuse("batch", B)
        refuse("units", H)
        refuse("seeds", K)
        refuse("parameters", parameters)
        O = job.task.output_size
        an_update = T * K * B * (H * (2 * G + 4) + 3 * O + job.task.input_size)
        a_validation = 2 * T * K * COUNT * O
        refuse("memory", (an_update + a_validation) * (8 if config.dtype == "float64" else 4))
    refuse("work", work(job))


def work(job: Job) -> float:
    """What a job costs at most, in parameters × time steps × sequences."""
    total = 0.0
    for config, parameters in zip(job.configs, job.parameters(), strict=True):
        judged = -(-config.steps // config.eval_every) + 1
        # Forward alone is a third of an update.
        sequences = config.batch_size * config.steps + COUNT * judged / 3
        total += float(parameters) * job.task.steps(job.length) * len(config.seeds) * sequences
    return total


def refuse(name: str, value: float) -> None:
    """Raise a ValueError if there is more of something than allowed."""
    limit = limits()[name]
    if value > limit.most:
        raise ValueError(
            f"{limit.what}: {_said(value)}; allowed here: up to {_said(limit.most)}, {limit.reason}. "
            f"Who owns the machine can raise it: {VARIABLE}={name}=…"
        )


def _said(value: float) -> str:
    return f"{int(value):,}" if value < 1e9 else f"{value / 1e9:,.3g} billion"
