"""The Memory lab's scripts train by the same protocol as the engine: an oracle written a second way."""

import ast
import contextlib
import csv
import io
import math
import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from rnnviz.charts import before_after as before_after_module
from rnnviz.charts import example as example_module
from rnnviz.engine.learning import learning_of
from rnnviz.engine.optimisers import OPTIMISERS, TITLES
from rnnviz.engine.train import TrainConfig, train
from rnnviz.engine.validation import sequences
from rnnviz.experiment import TaskSequence, Trained, model_of
from rnnviz.printed_source import Sources
from rnnviz.runs import Job
from rnnviz.tasks import TASKS
from rnnviz.tasks.metrics import near
from rnnviz.training_script import before_after_script, example_script, training_script
from rnnviz.ui import cached
from tests.engine.oracle import VARIANTS, name_of

SMALL = TrainConfig(
    task="adding",
    length=12,
    cell="gru",
    hidden_size=4,
    seeds=(3, 8),
    steps=6,
    batch_size=5,
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
    return out.getvalue()


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def job_of(*configs):
    return Job(tuple(configs))


def assert_same_course(job, rows, tolerance=1e-9, names=None):
    """Every row of every cell, in order, is the engine's record of it."""
    rows = iter(rows)
    for name, config in zip(names or [config.cell for config in job.configs], job.configs, strict=True):
        training = train(config)
        untrained = learning_of(config, [next(training)]).metric[0].tolist()
        for seed, figure in zip(config.seeds, untrained, strict=True):
            row = next(rows)
            assert (row["cell"], int(row["seed"]), row["step"], row["loss"]) == (name, seed, "0", "")
            assert float(row["metric"]) == pytest.approx(figure, rel=tolerance)
        for record in train(config):
            for k, seed in enumerate(config.seeds):
                row = next(rows)
                where = (name, seed, record.step)
                assert (row["cell"], int(row["seed"]), int(row["step"])) == where
                for column, values in (("loss", record.loss), ("grad_norm", record.grad_norm)):
                    want = pytest.approx(values[k].item(), rel=tolerance, nan_ok=True)
                    assert float(row[column]) == want, (where, column)
                assert row["clipped"] == str(record.clipped[k].item()), where
                assert (row["metric"] != "") == record.evaluated, where
                if record.evaluated:
                    want = pytest.approx(record.metric[k].item(), rel=tolerance, nan_ok=True)
                    assert float(row["metric"]) == want, where
    assert next(rows, None) is None


def check(config, tolerance=1e-9):
    rows = rows_of(printed(training_script(job_of(config), "A title", "a caption")))
    assert_same_course(job_of(config), rows, tolerance)
    return updates(rows)


def updates(rows):
    """The rows of updates, without those from before training."""
    return [row for row in rows if row["step"] != "0"]


def near_shortest(task):
    return min(TASKS[task].lengths.low + 2, TASKS[task].lengths.high)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_is_trained_and_judged_as_the_engine_does(task):
    check(replace(SMALL, task=task, length=near_shortest(task)))


def test_every_cell_and_convention_one_after_another():
    configs = [replace(SMALL, cell=spec.name, options=spec.options, hidden_size=3) for spec in VARIANTS]
    rows = rows_of(printed(training_script(job_of(*configs), "A title", "a caption")))
    counts, names = {}, []
    for spec in VARIANTS:
        counts[spec.name] = counts.get(spec.name, 0) + 1
        names.append(spec.name + (f"_{counts[spec.name]}" if counts[spec.name] > 1 else ""))
    assert_same_course(job_of(*configs), rows, names=names)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_in_single_precision_it_is_so_while_rounding_is_small(cell):
    check(replace(SMALL, cell=cell, steps=3, dtype="float32"), 1e-4)


CHANGES = [
    {"truncate": 5},
    {"truncate": 1, "cell": "lstm"},
    {"truncate": 100},
    {"clip": 0.05},
    {"clip": None},
    {"optimizer": "sgd", "lr": 0.3},
    {"optimizer": "rmsprop"},
    {"scheme": "chrono", "scheme_options": (("t_max", 20.0),)},
    {"scheme": "chrono", "cell": "lstm"},
    {"scheme": "orthogonal", "scheme_options": (("gain", 1.3),)},
    {"scheme": "identity", "scheme_options": (("std", 0.3),)},
    {"scheme": "scaled", "scheme_options": (("radius", 1.7),)},
    {"scheme": "glorot", "dtype": "float32", "steps": 3},
    {"scheme": "chrono", "dtype": "float32", "steps": 3},
    {"cell": "lstm", "forget_bias": 2.5},
    {"cell": "lstm", "forget_bias": -0.3, "scheme": "orthogonal"},
    {"seeds": (2**63 - 1,)},
    {"eval_every": 4},
    {"eval_every": 100},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_so_it_is_with_other_settings(change):
    config = replace(SMALL, **change)
    rows = check(config, 1e-9 if config.dtype == "float64" else 1e-4)
    if config.clip == 0.05:
        assert {row["clipped"] for row in rows} == {"True"}
    if "truncate" in change and config.truncate < 12:
        whole = updates(rows_of(printed(training_script(job_of(replace(config, truncate=None)), "", ""))))
        assert whole[0]["loss"] == rows[0]["loss"]
        assert whole[0]["grad_norm"] != rows[0]["grad_norm"]


@pytest.mark.parametrize(
    "change",
    [
        {"task": "adding", "stop_at": 0.5},  # lower is better
        {"task": "recall", "stop_at": 0.05},  # higher is better
    ],
    ids=str,
)
def test_it_stops_where_every_seed_has_reached_the_goal(change):
    config = replace(SMALL, **change, steps=40, eval_every=2, lr=0.05, seeds=(0, 1, 2))
    rows = check(config)
    assert int(rows[-1]["step"]) < 40
    assert int(rows[-1]["step"]) % 2 == 0


def test_one_seed_at_the_goal_does_not_stop_the_others():
    config = replace(SMALL, eval_every=1, stop_at=None, seeds=(0, 1))
    figures = {seed: [] for seed in config.seeds}
    for record in train(config):
        for seed, figure in zip(config.seeds, record.metric.tolist(), strict=True):
            figures[seed].append(figure)
    goal = sum(values[0] for values in figures.values()) / 2  # between the two at the first step
    rows = check(replace(config, stop_at=goal))
    assert len(rows) > len(config.seeds)


DIVERGING = replace(
    SMALL,
    task="three_taps",
    cell="rnn",
    options=(("activation", "identity"),),
    optimizer="sgd",
    clip=None,
    scheme="scaled",
    seeds=(0, 1, 2),
    steps=12,
)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_models_that_go_out_of_bounds_rest_there(dtype):
    config = replace(DIVERGING, lr=1e3, dtype=dtype)
    rows = check(replace(config, stop_at=0.0), 1e-9 if dtype == "float64" else 1e-2)
    assert {row["loss"] for row in rows[-3:]} == {"nan"}
    assert int(rows[-1]["step"]) < config.steps  # all have: nothing is left to train


def test_a_model_at_rest_is_not_judged():
    # The largest of answers that are NaN is some class, and that may even be the right one.
    rows = check(replace(DIVERGING, task="temporal_order", lr=1e3, eval_every=1), 1e-6)
    assert {row["metric"] for row in rows[-3:]} == {"nan"}


def test_a_model_at_rest_stays_there_though_the_next_batch_would_do():
    config = replace(DIVERGING, length=102, scheme_options=(("radius", 1.56),), lr=1e-9, clip=1e-9)
    config = replace(config, seeds=(3, 8), batch_size=1, dtype="float32")
    rows = check(config, 1e-2)
    script = training_script(job_of(config), "", "").replace("if seed not in diverged:", "if True:")
    assert math.isnan(float(rows[-2]["loss"]))
    assert math.isfinite(float(rows_of(printed(script))[-2]["loss"]))


def test_a_model_that_goes_out_of_bounds_leaves_the_others_alone():
    config = replace(DIVERGING, lr=0.12, scheme_options=(("radius", 0.5),), steps=20, seeds=tuple(range(6)))
    rows = check(config, 1e-6)
    last = rows[-len(config.seeds) :]
    assert {math.isnan(float(row["loss"])) for row in last} == {True, False}
    assert {math.isnan(float(row["metric"])) for row in last} == {True, False}


def test_norms_beyond_single_precisions_squares_are_no_divergence():
    config = replace(SMALL, cell="rnn", options=(("activation", "identity"),), dtype="float32", length=200)
    config = replace(config, scheme="scaled", scheme_options=(("radius", 1.19),), steps=2, clip=1.0)
    rows = check(config, 1e-3)
    assert any(float(row["grad_norm"]) > 1e20 for row in rows)


def test_cells_may_differ_in_all_but_the_task():
    other = replace(
        SMALL, cell="lstm", hidden_size=5, steps=4, lr=0.3, clip=None, seeds=(1,), optimizer="sgd"
    )
    third = replace(SMALL, cell="rnn", stop_at=10.0, dtype="float32", steps=2, eval_every=1)
    job = job_of(SMALL, other, third)
    rows = rows_of(printed(training_script(job, "A title", "a caption")))
    assert_same_course(job_of(SMALL, other), [row for row in rows if row["cell"] != "rnn"])
    assert_same_course(job_of(third), [row for row in rows if row["cell"] == "rnn"], 1e-4)


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


@pytest.mark.parametrize("make", [training_script, lambda job, *words: example_script(job, 0, *words)])
@pytest.mark.parametrize("task", TASKS)
def test_scripts_say_what_they_need_and_need_nothing_of_ours(task, make):
    script = make(job_of(replace(SMALL, task=task, length=near_shortest(task))), "A title", "a caption")
    assert "rnnviz" not in script
    others = imported(script) - set(sys.stdlib_module_names) - {"torch"}
    head = ast.get_docstring(ast.parse(script))
    assert head.startswith("A title\n\na caption\n")
    if others:
        assert task in ("digit_rows", "digit_pixels", "sines")
        assert head.endswith({"sklearn": "scikit-learn.", "numpy": "NumPy."}[others.pop()])
        assert not others
    else:
        assert head.endswith("Needs PyTorch only.")
    defined = [node.name for node in ast.parse(script).body if isinstance(node, ast.FunctionDef)]
    assert len(defined) == len(set(defined))


HOSTILE = ['"""', "\\", 'ends with a quote"', '\\"""\nimport os\n"""', "{caption} {0} {{x}} {", "nothing\0"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_breaks_out_of_a_script(text):
    for script in (
        training_script(job_of(SMALL), text, text),
        example_script(job_of(SMALL), 1, text, text),
    ):
        assert "os" not in imported(script)
        assert "PyTorch only." in ast.get_docstring(ast.parse(script), clean=False)


def test_a_script_runs_from_a_file_of_its_own(tmp_path):
    job = job_of(SMALL, replace(SMALL, cell="lstm"))
    (tmp_path / "script.py").write_text(training_script(job, "Títle", "“caption”"), encoding="utf-8")
    child = subprocess.run(
        [sys.executable, "-I", "-W", "error", "script.py"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
    )
    assert child.returncode == 0, child.stderr
    assert_same_course(job, rows_of(child.stdout))


@pytest.mark.parametrize("task", TASKS)
def test_an_example_script_prints_the_sequence_that_the_figure_shows(task):
    length, b = near_shortest(task), 4
    batch = sequences(TASKS[task], length)
    shown = example_module.example(TASKS[task], batch, b, "caption").table
    rows = rows_of(printed(example_script(job_of(replace(SMALL, task=task, length=length)), b, "t", "c")))
    assert [int(row["step"]) for row in rows] == list(range(1, len(batch.x) + 1))
    for name in shown:
        if name.startswith("input "):
            assert [float(row[name]) for row in rows[: len(shown["step"])]] == shown[name].tolist(), name
    asked = [float(row["mask"]) > 0 for row in rows]
    assert asked[: len(shown["step"])] == shown["asked"].tolist()
    assert not any(asked[len(shown["step"]) :])
    columns = [name for name in rows[0] if name.startswith("target")]
    for t, row in enumerate(rows):
        if not asked[t]:
            assert {row[name] for name in columns} == {""}
        elif columns == ["target"]:
            assert row["target"] == {"·": "blank"}.get(shown["target"][t], shown["target"][t])
        else:
            assert [float(row[name]) for name in columns] == batch.y[t, b].tolist()
            assert f"{float(row[columns[0]]) + 0.0:.2f}".replace("-", "−") == shown["target"][t]


@pytest.mark.parametrize("spec", VARIANTS, ids=name_of)
def test_the_script_of_before_and_after_prints_both_to_the_last_bit(spec, monkeypatch):
    config = replace(SMALL, cell=spec.name, options=spec.options, steps=3, dtype="float32")
    run = train(config)
    weights = {0: {name: value.clone() for name, value in run.params.items()}}
    for _ in run:
        pass
    weights[3] = dict(run.params)

    def of(model):
        return {name: value[model.seed].double() for name, value in weights[model.step].items()}

    monkeypatch.setattr(Trained, "weights", of)
    monkeypatch.setattr(Trained, "config", config)
    sequence = TaskSequence(config.task, config.length, 2)
    models = tuple(Trained(f"{name_of(spec)}", 0, 1, step) for step in (0, 3))
    traces = [cached.trace(model_of(model), sequence) for model in models]
    words = ("",) * config.length
    table = before_after_module.before_after(
        *traces, (words, words), words, ("before training", "after 3 steps"), "caption"
    ).table
    script = before_after_script(models, sequence, "A title", "a caption")
    assert imported(script) == {"torch", "math", "base64", "__future__"}
    rows = rows_of(printed(script))
    for when in ("before", "after"):
        mine = [row for row in rows if row["when"] == when]
        for name in ("step", "unit"):
            assert [int(row[name]) for row in mine] == table[name].tolist()
        np.testing.assert_array_equal([float(row["h"]) for row in mine], table[f"h_{when}"])


SHIFT = 2.0


def shifted(x, by=0.0):
    return x + SHIFT + by


def test_a_function_is_printed_behind_all_that_it_needs():
    sources = Sources("import torch", ("Batch",), ("train",))
    said = sources.expression(partial(shifted, by=1.5))
    assert said == "partial(shifted, by=1.5)"
    names = {}
    exec("\n".join([sources.imports, *sources.blocks, f"f = {said}"]), names)
    assert names["f"](1.0) == 4.5
    assert sources.call(partial(shifted, 3.0), "4.0") == "shifted(3.0, 4.0)"
    assert sources.expression(near(0.25)) == "near(tolerance=0.25)"
    assert len([block for block in sources.blocks if "def shifted" in block]) == 1


def train_named():
    """Called below what the script needs for itself."""


train_named.__name__ = "train"


def test_what_cannot_be_printed_is_refused():
    sources = Sources("import torch", (), ("train",))
    with pytest.raises(ValueError, match="allowed: what has a name"):
        sources.expression(lambda x: x)
    with pytest.raises(ValueError, match="allowed: what has a name"):
        sources.expression(near(0.25))  # needs Batch, which is not given here
    with pytest.raises(ValueError, match="two things of the name train"):
        sources.expression(train_named)


def keeping(limit):
    half = limit / 2

    def below(x):
        return x < half

    return below


def test_what_another_function_made_is_printed_only_where_its_arguments_are_known():
    with pytest.raises(ValueError, match="below keeps half"):
        Sources("", (), ()).expression(keeping(3.0))


@pytest.mark.parametrize("change", [{}, {"truncate": 5}, {"cell": "lstm", "seeds": (1,)}], ids=str)
def test_the_reach_of_gradients_is_the_engine_s(change):
    config = replace(SMALL, **{"state_grads_every": 2, **change})
    rows = iter(rows_of(printed(training_script(job_of(config), "title", "caption", reach=True))))
    for record in train(config):
        if record.state_grad_norms is None:
            continue
        for seed, norms in zip(config.seeds, record.state_grad_norms, strict=True):
            for t, norm in enumerate(norms.tolist(), 1):
                row = next(rows)
                assert (int(row["seed"]), int(row["step"]), int(row["t"])) == (seed, record.step, t)
                assert float(row["norm"]) == pytest.approx(norm, rel=1e-9)
    assert next(rows, None) is None


def test_every_optimiser_has_the_title_that_pytorch_knows():
    assert list(TITLES) == list(OPTIMISERS)
    assert all(hasattr(torch.optim, title) for title in TITLES.values())
