"""Dynamics, the tab Machines: recurrent networks whose weights a person wrote, stepped and checked."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from rnnviz.machine_script import count_script, tape_script
from rnnviz.machines import MACHINES as MADE
from rnnviz.machines import Given, machine
from rnnviz.machines.trials import EACH, LONG, SEED, STEPS
from rnnviz.machines.typed import TYPED, Typed
from rnnviz.machines.words import read_out, verdict, weight_table
from rnnviz.ui import controls, layout, place, state, stepper
from rnnviz.ui import dyn_machines_cached as cached
from rnnviz.ui.held import Held
from rnnviz.ui.state import Choice, Control, Number, Switch, Text
from rnnviz.ui.stops import Stops

STEPPER = "dyn_stepper"
AROUND = 330  # pixels that the page needs above and below the picture, its tabs and sentence included
COUNTERS = tuple(name for name, entry in MADE.items() if machine(name).typed == "word")
_DIALS: dict[str, Control] = {
    "k": Number("dyn_mach_k", "Delay k, steps", 3, None, 1, 9, 1),
    "size": Stops(
        "dyn_mach_size",
        "Size of one count, ε",
        "0.01",
        "Smaller counts stay longer where tanh is nearly straight.",
        options={f"{size:g}": size for size in (0.1, 0.03, 0.01, 0.003, 0.001)},
    ),
    "keep": Stops(
        "dyn_mach_keep",
        "Bias b_z of the gate that keeps",
        "4",
        "z = σ(b_z) is kept, 1 − z is written. At 40, z is 1, and nothing is written.",
        options={f"{keep:g}": keep for keep in (2.0, 4.0, 6.0, 8.0, 40.0)},
    ),
}


def _here(name: str, control: Control) -> Control:
    """A control of the stepper under this tab's own key; it begins at step 1 and unit 1."""
    changes: dict[str, Any] = {"key": f"dyn_mach_{name}"} | ({"default": 1} if name in ("t", "unit") else {})
    return replace(control, **changes)


MACHINES: dict[str, Control] = {
    "machine": Choice(
        "dyn_mach_name", "Machine", "Binary addition", options={machine(name).title: name for name in MADE}
    ),
    **_DIALS,
    **{
        kind: Text(f"dyn_mach_{kind}", typed.label, typed.default, typed.help, max_chars=1000)
        for kind, typed in TYPED.items()
    },
    "check": Switch("dyn_mach_check", "Check on 1,000 random inputs", False),
    # Where the visitor stands in the stepper, as on the page Inside the cell, in this tab's own link.
    **{name: _here(name, control) for name, control in controls.CELL.items() if isinstance(control, Held)},
}


def draw() -> None:
    """The whole tab."""
    with st.sidebar:
        name = MACHINES["machine"].draw()
        made = machine(name)
        given = _given(TYPED[made.typed], MACHINES[made.typed])
        asked = MADE[name].dial
        dial = MACHINES[asked].draw() if asked else None
        checked = MACHINES["check"].draw()
    run = cached.ran(name, dial, given)
    made, T = run.machine, len(given.x)
    at = place.draw(MACHINES, STEPPER, T=T, H=made.H, stages=len(made.spec.stages))
    st.markdown(f"**{layout.escape(made.title)}.** {layout.escape(made.sentence)}")
    with st.container(key="dyn_stage"):
        shown = cached.stepper_run(name, dial, given, (*at.start, ("around", AROUND)))
        stepper.stepper(shown, key=STEPPER, moved=partial(place.moved, MACHINES, STEPPER))
    _say(run, name, dial, checked)
    configuration = {"machine": name, **({asked: dial} if asked else {}), "T": T}
    fig = cached.tape_figure(name, dial, given, at.t)
    layout.figure(fig, configuration, partial(tape_script, made, given, fig.title, run.caption))
    if not layout.presenting():
        _weights(run)
    if name in COUNTERS:
        _compare_counters(name, dial)


def _given(typed: Typed, control: Control) -> Given:
    """What is typed, or what stands there at first where it cannot be read."""
    try:
        return typed.read(control.draw())
    except ValueError as problem:
        state.note(f"{problem} Shown is the default.")
        return typed.read(typed.default)


def _say(run: cached.Ran, name: str, dial: float | None, checked: bool) -> None:
    """The verdict on what was typed and, where asked for, on random inputs."""
    lines = [f"{verdict(run.found)} {run.answer}".strip()]
    if checked:
        found = cached.trial_of(name, dial)
        lines.append(
            f"Of {found.sequences:,} random inputs of {STEPS} steps (seed {SEED}) {found.right:,} are right "
            f"at every step; the largest difference among {found.outputs:,} outputs is {found.largest:.3g}."
        )
    text = "  \n".join(map(layout.escape, lines))
    if run.found.wrong or (checked and found.right < found.sequences):
        st.warning(text, icon=":material/close:")
    else:
        st.success(text, icon=":material/check:")


def _weights(run: cached.Ran) -> None:
    """Every weight, and the read-out."""
    made = run.machine
    st.markdown("##### Every weight, as it was written")
    st.table(pd.DataFrame(weight_table(made)).set_index(""))
    beyond = " It sees c, which an LSTM shows to the outside only as h = tanh c." * (made.reads != "h")
    under = f"Read-out: {read_out(made)}.{beyond} A prime marks the step before; a dot is a zero."
    st.html(f'<p class="under">{under}</p>')


def _compare_counters(name: str, dial: float | None) -> None:
    """How far each of the counters counts."""
    dials = {other: dial if other == name else None for other in COUNTERS}
    found = {other: cached.count_trial_of(other, dials[other]) for other in COUNTERS}
    counters = [machine(other, dials[other]) for other in COUNTERS]
    columns: dict[str, list[Any]] = {
        "cell": [counter.what for counter in counters],
        **{f"error at n = {n}": [trial.errors[k] for trial in found.values()] for k, n in enumerate(LONG)},
        "wrong from n": [str(trial.wrong_from or "none") for trial in found.values()],
    }
    title = "How far does each cell count?"
    caption = (
        "Largest |y − (#a − #b)| over n times a and n times b, float64; wrong: an output is nearer to "
        f"another whole number, tried for every n up to {EACH}. In finite precision LSTM and ReLU networks "
        "can count, squashing ones and the GRU cannot: Weiss, Goldberg & Yahav 2018"
    )
    layout.table(
        "counters", title, columns, caption, {"n": LONG[-1]}, partial(count_script, counters, title, caption)
    )
