"""A machine's run, its tape and its trials, cached on plain values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
from torch import Tensor

from rnnviz.charts import stepper
from rnnviz.charts.figure import Figure, Formula
from rnnviz.charts.machine_tape import TapeRow, tape
from rnnviz.engine import Trace, bptt, wires
from rnnviz.experiment import loss_on
from rnnviz.machines import Comparison, Given, Machine, compare, machine, wanted
from rnnviz.machines.trials import CountTrial, Trial, count_trial, trial
from rnnviz.machines.words import subscript, verdict


@dataclass(frozen=True)
class Ran:
    """A machine's run over what was typed.

    Attributes:
        machine, given: what ran over what.
        trace: its run.
        y, wanted: its outputs and the specification's, (T,O).
        found: how they compare.
    """

    machine: Machine
    given: Given
    trace: Trace
    y: Tensor
    wanted: Tensor
    found: Comparison

    @property
    def caption(self) -> str:
        """Machine and input in a few words."""
        return f"{self.machine.caption} · {self.given.words} · T = {len(self.given.x)}"

    @property
    def answer(self) -> str:
        """What the outputs say, in a sentence."""
        return self.machine.answer(self.given, self.y.tolist())


@lru_cache(maxsize=64)
def ran(name: str, dial: float | None, given: Given) -> Ran:
    """A machine over an input."""
    made = machine(name, dial)
    x = given.tensor
    trace = made.run(x)
    y, said = made.read_out(trace)[:, 0], wanted(made, x)[:, 0]
    return Ran(made, given, trace, y, said, compare(y, said))


@lru_cache(maxsize=16)
def stepper_run(name: str, dial: float | None, given: Given, start: tuple[tuple[str, Any], ...]) -> bytes:
    """The run as the stepper takes it, forward and backward."""
    run = ran(name, dial, given)
    spec, params = run.machine.spec, run.machine.params
    gradients = bptt(spec, params, run.trace.x, partial(loss_on, "last"))
    flowing = wires(spec, params, run.trace, gradients)
    return stepper.pack(
        stepper.Run(
            spec,
            params,
            run.trace,
            gradients,
            flowing,
            given.symbols,
            run.machine.inputs,
            run.caption,
            "the last step",
        ),
        dict(start),
    )


@lru_cache(maxsize=64)
def tape_rows(name: str, dial: float | None, given: Given) -> tuple[TapeRow, ...]:
    """Input, state of each unit, and each output above its specification."""
    run = ran(name, dial, given)
    made, x = run.machine, run.trace.x[:, 0].numpy()
    states = run.trace.states[made.reads][1:, 0].numpy()
    if given.symbols:
        rows = [TapeRow("input", "x", "input", "input", x[:, 0] - x[:, 1], given.symbols)]
    else:
        rows = [TapeRow(what, what, "input", "input", x[:, k]) for k, what in enumerate(made.inputs)]
    rows += [
        TapeRow(f"{made.reads}_{k + 1}", subscript(made.reads, k + 1), stands, "units", states[:, k])
        for k, stands in enumerate(made.units)
    ]
    y, said = run.y.numpy(), run.wanted.numpy()
    wrong = ~(np.abs(y - said) < 0.5)
    several = len(made.outputs) > 1
    for k, stands in enumerate(made.outputs):
        name_of = subscript("y", k + 1) if several else "y"
        rows += [
            TapeRow(f"y_{k + 1}", name_of, f"output, {stands}", f"y{k}", y[:, k], wrong=wrong[:, k]),
            TapeRow(f"specification_{k + 1}", "", f"specification, {stands}", f"s{k}", said[:, k]),
        ]
    return tuple(rows)


def tape_figure(name: str, dial: float | None, given: Given, t: int) -> Figure:
    """The tape with step t marked."""
    run = ran(name, dial, given)
    made = run.machine
    return tape(
        f"{made.title}: does every output equal the specification?",
        tape_rows(name, dial, given),
        t,
        run.caption,
        verdict(run.found),
        Formula(made.latex, made.plain),
    )


@lru_cache(maxsize=64)
def trial_of(name: str, dial: float | None) -> Trial:
    """A machine over random inputs."""
    return trial(machine(name, dial))


@lru_cache(maxsize=32)
def count_trial_of(name: str, dial: float | None) -> CountTrial:
    """A counter over ever longer aⁿbⁿ."""
    return count_trial(machine(name, dial))
