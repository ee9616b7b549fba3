"""A sweep's script trains the same grid as the engine: an oracle written a second way."""

import ast
import contextlib
import csv
import io
from dataclasses import replace

import pytest
import torch

from rnnviz.charts.sweep_table import sweep_table
from rnnviz.engine.learning import learning_of
from rnnviz.engine.outcome import outcomes_of
from rnnviz.engine.train import TrainConfig, train
from rnnviz.sweep import Sweep
from rnnviz.sweep_script import sweep_script
from rnnviz.ui.sweep_controls import SWEPT

BASE = TrainConfig(
    task="recall",
    length=3,
    cell="lstm",
    hidden_size=4,
    seeds=(3, 8),
    steps=6,
    batch_size=5,
    forget_bias=2.5,
    stop_at=0.99,
    eval_every=3,
    dtype="float64",
)


@pytest.fixture(autouse=True)
def _settings_of_torch():
    """Scripts run in this very process for speed; what they set is set back."""
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    yield
    torch.set_num_threads(threads)
    torch.set_default_dtype(dtype)


def printed(script):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(script, "script.py", "exec"), {"__name__": "__main__"})
    return list(csv.DictReader(io.StringIO(out.getvalue())))


def check(sweep, tolerance=1e-9):
    """Every row, in order, is a row of the figure's table."""
    script = sweep_script(sweep, "A title", "a caption")
    rows = printed(script)
    trained = [outcomes_of(learning_of(config, train(config))) for config in sweep.configs]
    table = sweep_table([one for outcomes in trained for one in outcomes])
    assert list(rows[0]) == list(table)
    assert len(rows) == len(table["seed"])
    for k, row in enumerate(rows):
        for name, column in table.items():
            if name == "metric":
                assert float(row[name]) == pytest.approx(column[k], abs=tolerance, nan_ok=True), (k, row)
            else:
                assert row[name] == str(column[k]), (k, name, row)
    return rows, script


def test_the_whole_grid_in_its_order():
    sweep = Sweep(BASE, (3, 5), ("rnn", "lstm", "gru"), ("torch", "chrono", "orthogonal"), (0.01, 0.1))
    rows, script = check(sweep)
    assert {(row["cell"], row["scheme"]) for row in rows} == {
        (cell, scheme)
        for cell in ("rnn", "lstm", "gru")
        for scheme in ("torch", "chrono", "orthogonal")
        if (cell, scheme) != ("rnn", "chrono")  # drawn as PyTorch does, and trained once
    }
    assert "rnnviz" not in script
    names = {
        alias.name
        for node in ast.walk(ast.parse(script))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert names <= {"torch", "math", "hashlib"}
    assert ast.get_docstring(ast.parse(script)).endswith("Needs PyTorch only.")


@pytest.mark.parametrize("task", SWEPT)
def test_every_task(task):
    low = SWEPT[task].lengths.low
    base = replace(BASE, task=task, length=low, stop_at=SWEPT[task].metric.success, steps=4, eval_every=2)
    check(Sweep(base, (low, low + 1), ("gru",), ("torch",), (0.01,)))


@pytest.mark.parametrize(
    "change",
    [
        {"clip": 0.05},
        {"clip": None},
        {"steps": 60, "hidden_size": 12, "batch_size": 32, "eval_every": 5},  # solved on the way
        {"steps": 7, "seeds": (0,)},
        {"stop_at": 0.0},  # at the first validation
        {"stop_at": None},
    ],
    ids=str,
)
def test_other_settings(change):
    rows, _ = check(Sweep(replace(BASE, **change), (2, 3), ("lstm", "gru"), ("torch",), (0.05,)))
    if change.get("hidden_size"):
        assert any(row["solved_at"] and int(row["steps"]) < 60 for row in rows)
    if change.get("stop_at") == 0.0:
        assert {row["steps"] for row in rows} == {"3"}


def test_models_that_diverge():
    base = replace(
        BASE,
        task="temporal_order",
        length=102,
        clip=None,
        optimizer="sgd",
        forget_bias=None,
        cell="rnn",
        options=(("activation", "identity"),),
        scheme="scaled",
        seeds=(0, 1, 2),
    )
    base = replace(base, scheme_options=(("radius", 1.6),), steps=12, hidden_size=8)
    rows, _ = check(Sweep(base, (60, 102), ("rnn",), ("scaled",), (1e-3, 1e3)), 1e-6)
    assert {"True"} <= {row["diverged"] for row in rows}
    assert "nan" in {row["metric"] for row in rows}
