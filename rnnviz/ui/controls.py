"""The controls of every page: the one table of what a link can say."""

from __future__ import annotations

from inspect import signature
from typing import Any

import streamlit as st

from rnnviz import series
from rnnviz.engine import CELLS, SCHEMES
from rnnviz.experiment import Input, Model
from rnnviz.signals import MAX_STEPS, sunspot_numbers
from rnnviz.ui import layout, state
from rnnviz.ui.held import HeldChoice, HeldNumber
from rnnviz.ui.state import Choice, Control, Fold, Number, Text

INPUTS = {
    "Text": "text",
    "Sunspots": "sunspots",
    "Numbers": "numbers",
    "Impulse": "impulse",
    "Step": "step",
    "Sine": "sine",
    "Noise": "noise",
}
SCHEME_NAMES = {
    "PyTorch": "torch",
    "Spectral radius": "scaled",
    "Orthogonal": "orthogonal",
    "Identity": "identity",
    "Glorot": "glorot",
    "Chrono": "chrono",
}
OPTION_LABELS = {
    "activation": "Activation φ",
    "connection": "Connection",
    "reset": "Reset gate acts",
    "z": "Update gate z",
}
OPTION_NAMES = {
    "after": "after U·h",
    "before": "before U·h",
    "keeps": "keeps h",
    "takes": "takes n",
    "relu": "ReLU",
}
PROMINENT = ("activation", "connection")  # what a lecture turns while it speaks; the others fold away
# What a scheme can be told, as one slider each.
STRENGTHS = {
    "radius": ("Spectral radius ρ", 0.0, 3.0, 0.05),
    "gain": ("Gain of W_hh", 0.0, 3.0, 0.05),
    "t_max": ("Longest memory, steps", 2.0, 400.0, 1.0),
}
DEFAULT_NUMBERS = "548 643 920 1406 2075 2877 4609 6057 7783 9826 11946 14553 17372 20615 24522 28273"


def input_controls(prefix: str, kind: str, steps: int) -> dict[str, Control]:
    """What is fed in; ``kind`` and ``steps`` are the defaults."""
    return {
        "input": Choice(f"{prefix}_input", "Input", kind, options=INPUTS),
        "steps": Number(f"{prefix}_T", "Sequence length T", steps, "The first T steps.", 2, MAX_STEPS, 1),
        "text": Text(f"{prefix}_text", "Text", "the clouds are in the sky", max_chars=MAX_STEPS),
        "numbers": Text(f"{prefix}_numbers", "Numbers", DEFAULT_NUMBERS, max_chars=6000, lines=4),
        "period": Number(f"{prefix}_period", "Period, steps", 25, None, 2, 200, 1),
    }


def model_controls(prefix: str, H: int, scheme: str, forget_bias: float) -> dict[str, Control]:
    """Size, weights and seed, with these defaults."""
    strengths = {
        name: Number(f"{prefix}_{name}", label, 100.0 if name == "t_max" else 1.0, None, low, high, step)
        for name, (label, low, high, step) in STRENGTHS.items()
    }
    return {
        "H": Number(f"{prefix}_H", "Hidden units H", H, None, 1, 64, 1),
        "scheme": Choice(f"{prefix}_init", "Initial weights", scheme, options=SCHEME_NAMES),
        **strengths,
        "forget_bias": Number(
            f"{prefix}_fbias",
            "Forget bias",
            forget_bias,
            "The LSTM's b_f; at 0 its gate starts half open.",
            -2.0,
            6.0,
            0.25,
        ),
        "seed": Number(f"{prefix}_seed", "Seed", 4, "Draws the weights, and the noise.", 0, 99, 1),
    }


def option_controls(prefix: str) -> dict[str, Control]:
    """A choice for every convention of every cell, as the cells have them."""
    controls: dict[str, Control] = {}
    for spec in CELLS.values():
        for name, values in spec.choices:
            options = {OPTION_NAMES.get(value, value): value for value in values}
            controls[name] = Choice(
                f"{prefix}_{name}",
                OPTION_LABELS.get(name, name),
                next(iter(options)),
                spec.pytorch,
                options=options,
            )
    return controls


CELL: dict[str, Control] = {
    "cell": Choice("cell_cell", "Cell", "LSTM", options={spec.title: name for name, spec in CELLS.items()}),
    **option_controls("cell"),
    **input_controls("cell", "Text", 60),
    **model_controls("cell", H=12, scheme="PyTorch", forget_bias=1.0),
    "t": HeldNumber("cell_t", "Step t", 17, None, 1, MAX_STEPS, 1),
    "unit": HeldNumber("cell_unit", "Unit", 3, None, 1, 64, 1),
    "stage": HeldNumber("cell_stage", "Sub-step", 0, None, 0, 9, 1),
    "back": HeldChoice(
        "cell_direction", "Direction", "forward", options={"forward": False, "backward": True}
    ),
    "view": HeldChoice(
        "cell_view", "View", "cell", options={name: name for name in ("cell", "unrolled", "loop")}
    ),
    "scale": HeldChoice(
        "cell_scale", "Scale", "auto", options={name: name for name in ("auto", "linear", "log", "unit")}
    ),
    "loss": Choice(
        "cell_loss",
        "Loss reads",
        "the last step",
        "What is differentiated in backward mode.",
        options={"the last step": "last", "every step": "all"},
    ),
    "hold": Choice("cell_hold", "Hold", "nothing", "A gate or state, at a value of your choice.", options={}),
    "held_at": Number("cell_at", "Held at", 1.0, None, -3.0, 3.0, 0.05),
    "units": Text("cell_units", "Held units", "all", "Such as 3, 5-8.", max_chars=200),
    "during": Text("cell_steps", "Held steps", "all", "Such as 3, 5-8.", max_chars=400),
    "silent": Text("cell_silent", "Silence units", "", "They carry nothing: such as 3, 5-8.", max_chars=200),
    "edits": Text("cell_edits", "Change inputs", "", "Step = value, such as 3 = e.", max_chars=400),
    "path": Fold(
        "cell_path", "The path of the hidden state, in three dimensions", False, icon=":material/3d_rotation:"
    ),
}


def choose_input(table: dict[str, Control], seed: int) -> Input:
    """Draw the input's controls; what cannot be used is noted, and the default shown instead.

    Args:
        table: the page's controls.
        seed: of the noise.
    """
    kind = table["input"].draw()
    if kind == "text":
        text = _long_enough_text(table["text"])
        return Input(kind, len(text), text=text)
    if kind == "numbers":
        numbers = _choose_numbers(table["numbers"])
        if len(numbers) > MAX_STEPS:
            state.note(f"The series has {len(numbers)} numbers; the first {MAX_STEPS} are used.")
        numbers = numbers[:MAX_STEPS]
        return Input(kind, len(numbers), numbers=numbers)
    if kind == "sunspots":
        return Input(kind, table["steps"].draw(high=len(sunspot_numbers())))
    period = float(table["period"].draw()) if kind == "sine" else Input.period
    return Input(kind, table["steps"].draw(), period=period, seed=seed if kind == "noise" else 0)


def choose_model(table: dict[str, Control], cells: tuple[str, ...]) -> tuple[Model, ...]:
    """Draw the controls that these cells share, and return a model of each."""
    specs = [CELLS[cell] for cell in cells]
    main = st.container()
    more = st.expander("Weights and conventions", icon=":material/tune:")
    with more:
        scheme = table["scheme"].draw()
        H = table["H"].draw()
        seed = table["seed"].draw()
        dtype = table["dtype"].draw() if "dtype" in table else Model.dtype
    gated = [spec for spec in specs if any(gate.memory for gate in spec.gates)]
    chosen, forget_bias = {}, None
    with main:
        strengths = tuple(
            (name, float(table[name].draw()))
            for name in signature(SCHEMES[scheme]).parameters
            if name in STRENGTHS
        )
        if scheme != "chrono" and any("f" in spec.gate_names for spec in specs):
            forget_bias = float(table["forget_bias"].draw())
    for name in (name for spec in specs for name, _ in spec.choices):
        with main if name in PROMINENT else more:
            chosen[name] = table[name].draw()
    models = []
    for spec in specs:
        options = tuple((name, chosen[name]) for name, _ in spec.choices)
        how, strength = scheme, strengths
        if scheme == "chrono" and spec not in gated:
            state.note(
                f"Chrono sets gate biases; {spec.title} has no gates and is drawn as PyTorch draws it."
            )
            how, strength = "torch", ()
        models.append(Model(spec.name, options, H, seed, how, strength, forget_bias, dtype=dtype))
    return tuple(models)


def model_of_each_cell() -> list[Model]:
    """A small model of every cell, for warming up."""
    return [Model(name, hidden_size=2, scheme="scaled") for name in CELLS]


def _long_enough_text(control: Control) -> str:
    text: str = control.draw()
    if len(text) >= 2:
        return text
    state.note(f"The text has {len(text)} characters; allowed: 2 to {MAX_STEPS}. Shown is the default.")
    return str(control.default)


def _choose_numbers(control: Control) -> tuple[float, ...]:
    with st.popover("From a file or table …", width="stretch"):
        _table_import(control)
    try:
        return _long_enough(series.parse_numbers(control.draw()))
    except series.SeriesError as problem:
        state.note(f"{problem} Shown is the default series.")
        return series.parse_numbers(control.default)


def _table_import(control: Control) -> None:
    """Upload or paste a table and take one of its columns over into the bound text, so that links hold it."""
    file = st.file_uploader(
        "CSV file",
        type=["csv", "txt", "tsv"],
        max_upload_size=series.MAX_BYTES // 2**20,
        key=f"{control.key}_file",
    )
    pasted = st.text_area("or paste a table", max_chars=series.MAX_BYTES, key=f"{control.key}_paste")
    if file is None and not pasted:
        return
    content: Any = pasted if file is None else file.getvalue()
    try:
        columns = {name: _long_enough(values) for name, values in series.read_table(content).items()}
    except series.SeriesError as problem:
        st.error(layout.escape(str(problem)))
        return
    name = st.selectbox("Column", list(columns), index=len(columns) - 1, key=f"{control.key}_column")
    values = columns[name]
    st.caption(f"{min(len(values), MAX_STEPS)} of {len(values)} numbers go into the link, to six digits.")
    st.button(
        "Use this column",
        type="primary",
        key=f"{control.key}_use",
        on_click=st.session_state.__setitem__,
        args=(control.key, series.compact(values[:MAX_STEPS])),
    )


def _long_enough(values: tuple[float, ...]) -> tuple[float, ...]:
    if len(values) < 2:
        raise series.SeriesError(f"The series has {len(values)} numbers; allowed: 2 to {MAX_STEPS}.")
    return values
