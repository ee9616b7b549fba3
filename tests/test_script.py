"""The scripts that stand behind the figures: they print the figures' own numbers, and need PyTorch alone."""

import ast
import csv
import io
import itertools
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnnviz import export
from rnnviz.charts import gradient_flow
from rnnviz.charts import strips as strips_module
from rnnviz.charts.gradient_flow import gradient_norms, step_norms
from rnnviz.charts.strips import strips
from rnnviz.engine import CELLS, SCHEMES
from rnnviz.experiment import Input, Model
from rnnviz.flow_script import gradient_script, step_norm_script
from rnnviz.script import path_script, trace_script
from rnnviz.ui import cached, flow_cached
from tests.engine.oracle import VARIANTS, draw, name_of, quick, random_params

# Runs each script of a list in a fresh namespace, as a fresh interpreter would meet it.
CHILD = """
import contextlib, io, json, sys
import torch
printed = []
for script in json.load(sys.stdin):
    torch.set_default_dtype(torch.float32)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(script, "script.py", "exec"), {"__name__": "__main__"})
    printed.append(out.getvalue())
json.dump(printed, sys.stdout)
"""

LSTM = next(spec for spec in VARIANTS if "f" in spec.gate_names)
TEXT = 'it\'s "in" the sky'
SOURCES = (
    Input("text", 9, text=TEXT),
    Input("numbers", 9, numbers=(548.0, 643.5, -920.0, 1e-3, 1406.25, 2075.0)),
    Input("sunspots", 11),
    Input("impulse", 8),
    Input("step", 9),
    Input("sine", 10, period=7.5),
    Input("noise", 9, seed=3),
)
SCHEME_OPTIONS = {
    "torch": ((),),
    "glorot": ((),),
    "orthogonal": ((("gain", 1.3),), ()),
    "identity": ((("gain", 0.7),), (("std", 0.3),)),
    "scaled": ((("radius", 1.7),), (("radius", 0.0),)),
    "chrono": ((("t_max", 37.0),), ()),
}


@pytest.fixture(autouse=True)
def _tables_only(monkeypatch):
    """Only the figures' tables are read here; their drawings, a thousand of them, are left out."""
    for module, name in ((gradient_flow, "skeleton"), (strips_module, "_skeleton")):
        monkeypatch.setattr(module, name, lambda *_, **__: {})


def models_of(spec):
    gated = any(gate.memory for gate in spec.gates)
    biases = (None, 1.0, -0.25) if "f" in spec.gate_names else (None,)
    return [
        Model(spec.name, spec.options, 5, 7, scheme, options, bias)
        for scheme in SCHEMES
        if gated or scheme != "chrono"
        for options in SCHEME_OPTIONS[scheme]
        for bias in biases
    ]


# Every model with every input; the many conventions of the RNN beyond its first take the inputs in turn.
EVERY = [
    pair
    for spec in VARIANTS
    for pair in (
        itertools.product(models_of(spec), SOURCES)
        if spec in CELLS.values() or not spec.slope
        else zip(models_of(spec), itertools.cycle(SOURCES), strict=False)
    )
]
# A hundred steps double a rounding error beyond all recognition here: only the same operations in the
# same order end with the same numbers.
CHAOTIC = [
    (Model(spec.name, spec.options, 32, 4, "scaled", (("radius", 3.0),), 1.0), Input("noise", 200, seed=1))
    for spec in VARIANTS
    if spec.options not in ((("activation", "relu"),), (("activation", "identity"),))
]


def run_all(scripts):
    child = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", CHILD],
        input=json.dumps(scripts),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert child.returncode == 0, child.stderr[-2000:]
    return json.loads(child.stdout)


def columns_of(text):
    rows = list(csv.reader(io.StringIO(text)))
    return {name: column for name, *column in zip(*rows, strict=True)}


def bits(column):
    return np.array(column, dtype=np.float64).view(np.int64)


def strips_table(model, source):
    return strips(cached.strips_of(model, source), {"input": {}}, t=1, unit=1, caption="seed 7").table


def gradient_table(loss, *pairs):
    curves = [curve for model, source in pairs for curve in flow_cached.gradient_curves(model, source, loss)]
    return gradient_norms(curves, "seed 7").table


def step_table(*pairs):
    curves = [curve for model, source in pairs for curve in flow_cached.step_curves(model, source)]
    return step_norms(curves, "seed 7").table


def assert_same_norms(printed, table, tolerance=1e-12):
    """Cells, states and places exactly; norms to rounding, and to the last steps where floats end."""
    got = columns_of(printed)
    for name in ("cell", "state"):
        assert got[name] == table[name].tolist()
    assert list(map(int, got["steps_back"])) == table["steps_back"].tolist()
    norms = np.array(got["norm"], dtype=float)
    assert norms.size
    np.testing.assert_allclose(norms, table["norm"], rtol=tolerance, atol=5e-323)


def assert_same_trace(printed, table):
    got = columns_of(printed)
    assert set(got) == set(table)
    for name, column in got.items():
        np.testing.assert_array_equal(bits(column), bits(table[name]), name)


def test_there_is_a_case_for_every_cell_convention_scheme_and_input():
    assert {model.spec.name for model, _ in EVERY} == {spec.name for spec in VARIANTS}
    assert {(model.cell, model.options) for model, _ in EVERY} == {(s.name, s.options) for s in VARIANTS}
    assert {model.scheme for model, _ in EVERY} == set(SCHEMES)
    assert set(SCHEME_OPTIONS) == set(SCHEMES)


def test_every_trace_script_prints_the_figures_table_to_the_last_bit():
    cases = EVERY + CHAOTIC
    printed = run_all([trace_script(model, source, "A title", "a caption") for model, source in cases])
    for (model, source), text in zip(cases, printed, strict=True):
        assert_same_trace(text, strips_table(model, source))


def test_the_trace_script_prints_the_very_file_that_the_export_bar_gives():
    cases = [(models_of(spec)[0], SOURCES[0]) for spec in VARIANTS]
    printed = run_all([trace_script(model, source, "A title", "a caption") for model, source in cases])
    for (model, source), text in zip(cases, printed, strict=True):
        assert text.encode() == export.table_csv(strips_table(model, source))


def test_the_chaotic_cases_are_chaotic():
    model, source = CHAOTIC[0]
    assert dict(model.options) == {"activation": "tanh"}
    params, x = model.params(1), source.signal().x
    h, moved = torch.zeros(2, 1, 32, dtype=torch.float64)
    moved = moved + 1e-15
    for x_t in x:
        h, moved = (
            torch.tanh(x_t @ params["W_ih"].T + params["b_ih"] + s @ params["W_hh"].T + params["b_hh"])
            for s in (h, moved)
        )
    assert (h - moved).norm() > 0.1


@pytest.mark.parametrize("loss", ["last", "all"])
def test_every_gradient_script_prints_the_figures_norms(loss):
    every = EVERY if loss == "last" else EVERY[::5]
    cases = every + CHAOTIC
    scripts = [gradient_script((model,), source, loss, "A title", "a caption") for model, source in cases]
    for case, text in zip(cases, run_all(scripts), strict=True):
        assert_same_norms(text, gradient_table(loss, case))


def test_every_step_norm_script_prints_the_figures_norms():
    # The figure takes closed forms, the script autograd: they agree to rounding step by step. Where the
    # state's scale is the identity's 0.001, so is that of nothing here: J has entries of order one.
    cases = EVERY + CHAOTIC
    scripts = [step_norm_script((model,), source, "A title", "a caption") for model, source in cases]
    for case, text in zip(cases, run_all(scripts), strict=True):
        assert_same_norms(text, step_table(case))


def test_scripts_of_several_cells_print_all_of_them():
    models = tuple(models_of(next(s for s in VARIANTS if s.name == name))[0] for name in CELLS)
    assert [model.cell for model in models] == ["rnn", "lstm", "gru"]
    source = SOURCES[0]
    pairs = [(model, source) for model in models]
    gradients, steps = run_all(
        [
            gradient_script(models, source, "last", "A title", "a caption"),
            step_norm_script(models, source, "A title", "a caption"),
        ]
    )
    assert_same_norms(gradients, gradient_table("last", *pairs))
    assert_same_norms(steps, step_table(*pairs))


def test_gradients_that_leave_float32_and_float64_behind_are_printed_as_the_figure_has_them():
    vanishing = Model("rnn", (("activation", "tanh"),), 8, 4, "scaled", (("radius", 0.05),))
    exploding = Model("rnn", (("activation", "identity"),), 8, 4, "scaled", (("radius", 3.0),))
    source = Input("noise", 400)
    pairs = [(vanishing, source), (exploding, source)]
    printed = run_all([gradient_script((vanishing, exploding), source, "last", "A title", "a caption")])[0]
    table = gradient_table("last", *pairs)
    assert table["norm"].min() == 0
    assert ((table["norm"] > 0) & (table["norm"] < 1e-300)).any()
    assert table["norm"].max() > 1e38
    assert_same_norms(printed, table)


MAKERS = {
    "trace": lambda model, source, title, caption: trace_script(model, source, title, caption),
    "gradients": lambda model, source, title, caption: gradient_script(
        (model,), source, "last", title, caption
    ),
    "steps": lambda model, source, title, caption: step_norm_script((model,), source, title, caption),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_a_script_runs_from_a_file_of_its_own(kind, tmp_path):
    model, source = models_of(LSTM)[0], SOURCES[0]
    file = tmp_path / "script.py"
    file.write_text(MAKERS[kind](model, source, "Títle", "“caption”"), encoding="utf-8")
    child = subprocess.run(
        [sys.executable, "-I", "-W", "error", file], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert child.returncode == 0, child.stderr
    if kind == "trace":
        assert_same_trace(child.stdout, strips_table(model, source))
    else:
        table = (
            gradient_table("last", (model, source)) if kind == "gradients" else step_table((model, source))
        )
        assert_same_norms(child.stdout, table)


def imported(script):
    names = set()
    for node in ast.walk(ast.parse(script)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(node.module.split(".")[0])
        elif isinstance(node, ast.Name):
            assert node.id not in ("__import__", "eval", "exec", "open")
    return names


@pytest.mark.parametrize("kind", MAKERS)
def test_scripts_import_torch_and_the_standard_library_only(kind):
    for model, source in EVERY[::3]:
        assert imported(MAKERS[kind](model, source, "A title", "a caption")) == {
            "torch",
            "math",
            "__future__",
        }


HOSTILE = [
    '"""',
    "'''",
    "\\",
    'ends with a quote"',
    "ends with a backslash \\",
    '\\"""\nimport os\n"""',
    "{caption} {0} {{x}} {",
    "two\nlines\r\nand\ta tab\r",
    "🌧️ é \u2028 \u202e",
    "%s %(x)s \\N{DASH} \\x \\u12 \\0",
    "nothing\0at all",
    "a form\ffeed and \x1b[31m",
    "# coding: latin-1",
]


def read_back(script):
    """The docstring and the text that ``one_hot`` is called with."""
    tree = ast.parse(script)
    calls = [
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "one_hot"
    ]
    return ast.get_docstring(tree, clean=False), calls


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_breaks_out_of_a_script(kind, text):
    text = text + "  "  # at least two characters
    model, source = models_of(VARIANTS[0])[0], Input("text", 400, text=text)
    script = MAKERS[kind](model, source, text, source.signal().caption + text)
    script.encode()
    assert imported(script) == {"torch", "math", "__future__"}
    docstring, calls = read_back(script)
    assert calls == [text]
    assert "Needs PyTorch only." in docstring


@given(text=st.text(min_size=2, max_size=40))
@quick
def test_any_text_gives_a_valid_script_that_holds_it(text):
    model, source = Model("rnn", (("activation", "tanh"),), 2), Input("text", 40, text=text)
    script = trace_script(model, source, text, source.signal().caption)
    assert imported(script) == {"torch", "math", "__future__"}
    assert read_back(script)[1] == [text]


def test_hostile_scripts_run_and_still_print_the_table():
    model = models_of(VARIANTS[0])[0]
    sources = [Input("text", 400, text=text + "  ") for text in HOSTILE]
    scripts = [trace_script(model, source, source.text, source.signal().caption) for source in sources]
    for source, text in zip(sources, run_all(scripts), strict=True):
        assert_same_trace(text, strips_table(model, source))


@pytest.mark.parametrize("spec", VARIANTS, ids=name_of)
def test_a_cells_printed_lines_are_its_step_bit_by_bit(spec):
    T, B, D, H = 6, 3, 4, 5
    for seed in range(3):
        params, x = random_params(spec, D, H, seed), draw(seed + 50, T, B, D)
        names = {"torch": torch, "x": x, "H": H, **params}
        names |= {name: draw(seed + 90 + k, B, H) for k, name in enumerate(spec.state_names)}
        state = {name: names[name] for name in spec.state_names}
        exec(spec.code[0], names)
        ax = spec.project(x, params)
        assert torch.equal(names["ax"], ax)
        for t in range(T):
            names["t"] = t
            exec(spec.code[1], names)
            state, gates = spec.step(ax[t], state, params)
            for name, value in {**state, **gates}.items():
                assert torch.equal(names[name], value), (name, t)


def test_a_forget_bias_is_kept_in_double_precision():
    model = replace(models_of(LSTM)[0], forget_bias=-0.3)
    assert model.cell == "lstm"
    printed = run_all([trace_script(model, SOURCES[0], "A title", "a caption")])[0]
    assert_same_trace(printed, strips_table(model, SOURCES[0]))


def test_the_script_follows_every_part_of_the_model():
    # A change of any field changes the numbers, so that none is lost on the way into the script.
    model = Model("lstm", (), 5, 7, "scaled", (("radius", 1.7),), 1.0)
    changed = [
        model,
        replace(model, seed=8),
        replace(model, hidden_size=4),
        replace(model, scheme="torch", scheme_options=()),
        replace(model, scheme_options=(("radius", 1.8),)),
        replace(model, forget_bias=0.5),
        replace(model, forget_bias=None),
    ]
    printed = run_all([trace_script(m, SOURCES[0], "A title", "a caption") for m in changed])
    assert len(set(printed)) == len(printed)


@pytest.mark.parametrize("spec", VARIANTS, ids=name_of)
def test_the_path_script_prints_the_path(spec):
    model, source = Model(spec.name, spec.options, 6, 3), SOURCES[0]
    (printed,) = run_all([path_script(model, source, "title", "caption")])
    table = cached.state_scene(model, source, "caption").table
    columns = columns_of(printed)
    assert [int(step) for step in columns["step"]] == list(table["step"])
    for name in ("direction_1", "direction_2", "direction_3"):
        np.testing.assert_allclose([float(v) for v in columns[name]], table[name], atol=1e-12)
