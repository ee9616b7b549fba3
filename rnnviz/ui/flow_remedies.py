"""Gradient flow's tab “Remedies”: what helps against vanishing and exploding gradients, and what does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import log

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from rnnviz.charts import log_axis
from rnnviz.charts.clipping import clipped_entries
from rnnviz.charts.remedies import Share, contributions
from rnnviz.engine import CELLS, CellSpec
from rnnviz.experiment import Model, Source, caption_of
from rnnviz.remedy_script import Run, clipping_script, contributions_script
from rnnviz.signals import MAX_STEPS
from rnnviz.ui import cached, flow_remedies_cached, layout
from rnnviz.ui.flow_controls import Asked
from rnnviz.ui.flow_remedies_cached import Clipped
from rnnviz.ui.state import Choice, Control, Fold, Number
from rnnviz.ui.stops import Stops

Logs = NDArray[np.float64]

THETAS = ("0.001", "0.003", "0.01", "0.03", "0.1", "0.3", "1", "3", "10", "30", "100", "1000")

CONTROLS: dict[str, Control] = {
    "cell": Choice("flow_remedied", "Cell", "RNN", options={s.title: name for name, s in CELLS.items()}),
    "window": Number(
        "flow_window",
        "Window of truncated BPTT",
        20,
        "Nothing flows back across steps that are multiples of this.",
        1,
        MAX_STEPS,
        1,
    ),
    "theta": Stops(
        "flow_theta",
        "Clip at θ",
        "0.1",
        "The largest norm of the whole gradient, or the largest size of an entry.",
        options={name: float(name) for name in THETAS},
    ),
    "forget_bias": Number(
        "flow_remedy_fbias", "Forget bias instead", 5.0, "The LSTM's b_f.", -2.0, 6.0, 0.25
    ),
    "guess": Choice(
        "flow_guess",
        "What do you expect?",
        "not sure",
        "Say what you expect before you open the answer.",
        options={"yes": "yes", "no": "no", "not sure": ""},
    ),
    "answer": Fold("flow_answer", "The answer, in the case shown", False, icon=":material/lightbulb:"),
}


def draw(asked: Asked) -> None:
    """The question, what each step adds under each remedy, and what clipping does to the entries."""
    first, *others = st.columns([2, 2, 2, 2])
    with first:
        cell = CONTROLS["cell"].draw()
    model = next(model for model in asked.models if model.cell == cell)
    with others[0]:
        window = CONTROLS["window"].draw(high=asked.T)
    with others[1]:
        theta = CONTROLS["theta"].draw()
    bias = None
    if model.own_forget_bias is not None:
        with others[2]:
            bias = float(CONTROLS["forget_bias"].draw())
    asking, guessing = st.columns([3, 2], vertical_alignment="center")
    asking.markdown("##### Does clipping cure vanishing?")
    with guessing:
        guess = CONTROLS["guess"].draw()
    fold = CONTROLS["answer"].draw()
    plain = flow_remedies_cached.shares(model, asked.source, asked.loss)
    clipped = flow_remedies_cached.clipped(model, asked.source, asked.loss, theta)
    if fold.open:
        with fold:
            st.markdown(answer(plain, clipped, theta, guess))
    _contributions(
        asked,
        runs_of(
            model, asked.T, window, bias, theta if fold.open and np.isfinite(clipped.norms["plain"]) else None
        ),
        clipped,
    )
    _entries(asked, model, clipped, theta)


def runs_of(
    model: Model, T: int, window: int, bias: float | None, theta: float | None
) -> list[tuple[str, Run]]:
    """What is compared, with its name; of a cell, what the cell can be given."""
    spec = model.spec
    runs = [("as it is", Run("plain", model, clip=theta)), (f"window {window}", Run("window", model, window))]
    if (residual := _residual(spec)) is not None:
        runs.append(("residual", Run("residual", replace(model, options=residual))))
    if bias is not None and bias != model.forget_bias:
        runs.append((f"forget bias {bias:g}", Run("forget", replace(model, forget_bias=bias))))
    if any(gate.memory for gate in spec.gates) and model.scheme != "chrono":
        runs.append(("chrono biases", Run("chrono", model, t_max=float(T))))
    return runs


def _residual(spec: CellSpec) -> tuple[tuple[str, str], ...] | None:
    """The options of this cell with a residual connection; None where it has none or has it already."""
    choices = dict(spec.choices).get("connection", ())
    if "residual" not in choices or spec.direct is not None:
        return None
    return spec.with_options(connection="residual").options


def shares_of(source: Source, loss: str, runs: Sequence[tuple[str, Run]], clipped: Clipped) -> list[Share]:
    """What each step adds in each of these runs, and to the clipped gradient of a run that asks for it."""
    shares = []
    for name, run in runs:
        if run.t_max is None:
            logs = flow_remedies_cached.shares(run.model, source, loss, run.window)
        else:
            logs = flow_remedies_cached.chrono_shares(run.model, source, loss, run.t_max)
        shares.append(Share(run.remedy, name, logs))
        if run.clip is not None:
            shares.append(Share("norm", "clipped by norm", logs + np.log(clipped.scale)))
    return shares


def _contributions(asked: Asked, runs: Sequence[tuple[str, Run]], clipped: Clipped) -> None:
    model = runs[0][1].model
    caption = _run(asked, model) + " · step 1 adds 0, as h₀ = 0"
    shares = shares_of(asked.source, asked.loss, runs, clipped)
    figure = contributions(shares, model.spec.title, caption)
    code = partial(
        contributions_script, [run for _, run in runs], asked.source, asked.loss, figure.title, caption
    )
    layout.figure(figure, {**asked.configuration, "cell": model.cell}, code)


def _entries(asked: Asked, model: Model, clipped: Clipped, theta: float) -> None:
    caption = _run(asked, model)
    figure = clipped_entries(dict(clipped.sizes), theta, model.spec.title, said(clipped), caption)
    code = partial(clipping_script, model, asked.source, asked.loss, theta, figure.title, caption)
    layout.figure(figure, {**asked.configuration, "cell": model.cell, "theta": theta}, code)


def _run(asked: Asked, model: Model) -> str:
    signal = cached.sequence(asked.source)
    read = {"last": "the last step", "all": "every step"}[asked.loss]
    return f"{caption_of([model])} · loss reads {read} · {signal.caption} · T = {asked.T}"


def said(clipped: Clipped) -> str:
    """The norms before and after, and how far the direction has turned."""
    norms, cosines = clipped.norms, clipped.cosines
    if not np.isfinite(norms["plain"]):
        return f"‖g‖ over all parameters: {say(norms['plain'])}"
    after = (f"by {way} {say(norms[way])} (cosine {cosines[way]:.4f})" for way in ("norm", "value"))
    return f"‖g‖ over all parameters: unclipped {say(norms['plain'])}, {', '.join(after)}"


def say(value: float) -> str:
    """A number to four digits, as the axes write it.

    >>> say(7945000.0), say(0.1), say(1.259e-08)
    ('7.945e6', '0.1', '1.259e-8')
    """
    if not np.isfinite(value):
        return log_axis.number(value)
    mantissa, e, exponent = f"{value:.4g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if e else mantissa


def answer(plain: Logs, clipped: Clipped, theta: float, guess: str) -> str:
    """Whether clipping cures vanishing, with the numbers of the case shown.

    Args:
        plain: ln of what each step adds, (T,).
        clipped: the gradient before and after.
        theta: the threshold.
        guess: ``yes``, ``no`` or nothing.
    """
    begin = {"yes": "You expected yes. It is **no**. ", "no": "**No**, as you expected. "}.get(
        guess, "**No**. "
    )
    norm, ends = clipped.norms["plain"], Share("plain", "", plain).ends
    if ends is None:
        return begin + "Every step adds exactly 0 here, and clipping adds nothing to it."
    if not np.isfinite(norm):
        return begin + f"Here ‖g‖ is {say(norm)}: there is nothing left to clip."
    first, last = ends
    before, after = (_ratio(logs, first, last) for logs in (plain, plain + np.log(clipped.scale)))
    shares = f"step {first} adds {before} times what step {last} adds"
    if clipped.scale == 1:
        return begin + (
            f"Here ‖g‖ = {say(norm)} is not above θ = {theta:g}: clipping by norm does nothing. Before and "
            f"after, {shares}: nothing in clipping makes a small share larger."
        )
    return begin + (
        f"Clipping by norm multiplies every step's share with the same θ/‖g‖ = {say(clipped.scale)}. Before, "
        f"{shares}; after, {after} times: on the log axis a shift, not a tilt. What it cures is exploding: "
        f"‖g‖ comes down from {say(norm)} to {say(clipped.norms['norm'])}. Clipping by value acts on the sum "
        "over all steps, not on any step's share, and turns the gradient: the cosine of the angle is "
        f"{clipped.cosines['value']:.4f}."
    )


def _ratio(logs: Logs, first: int, last: int) -> str:
    """One step's share over another's, counted from 1."""
    return log_axis.number(float(logs[first - 1] - logs[last - 1]) / log(10))
