"""The outcome of a run as a table: every figure against plain loops, and the table as Markdown."""

import statistics
from dataclasses import replace

import numpy as np
import pytest

from rnnviz.charts.outcomes import first_success, outcomes
from rnnviz.engine.learning import learning_of
from rnnviz.engine.task import Metric
from rnnviz.export import table_csv
from rnnviz.tables import table_markdown
from tests.charts.learnings import config, learning, three


def judged(title="mean squared error", higher=False, success=0.01, percent=False):
    return Metric(title, None, higher, success, percent)


def table(runs, metric=None):
    return outcomes(runs, metric or judged(), [11, 22, 33][: len(runs)], [1.234] * len(runs))


def test_every_figure_is_the_records():
    runs = three(2000)
    found = table(runs)
    assert found["cell"] == ["RNN", "LSTM", "GRU"]
    assert found["parameters"] == [11, 22, 33]
    assert found["ms per step"] == [1.23] * 3
    assert found["diverged"] == ["1 of 3", "0 of 3", "0 of 3"]
    for k, run in enumerate(runs):
        firsts = []
        for seed in range(3):
            good = [int(s) for s, m in zip(run.eval_steps, run.metric[:, seed], strict=True) if m <= 0.01]
            firsts += good[:1]
        assert found["seeds solved"][k] == f"{len(firsts)} of 3"
        assert len(firsts) in (0, 3)
        steps = f"{statistics.median(firsts):,.0f} ({min(firsts):,} to {max(firsts):,})" if firsts else "—"
        assert found["steps to success"][k] == steps
        last = [m for m in run.metric[-1].tolist() if m == m]
        final = f"{statistics.median(last):.3g} ({min(last):.3g} to {max(last):.3g})"
        assert found["last mean squared error"][k] == final
        alive = [(n, s) for n in range(2000) for s in range(3) if run.grad_norm[n, s] == run.grad_norm[n, s]]
        share = sum(bool(run.clipped[place]) for place in alive) / len(alive)
        assert found["updates clipped"][k] == f"{100 * share:.3g} %"
    assert found["seeds solved"] == ["0 of 3", "3 of 3", "3 of 3"]


@pytest.mark.parametrize(
    ("metric", "higher", "want"),
    [
        ([0.5, 0.99, 0.2], True, [20]),  # once is enough
        ([0.5, 0.9899, 0.2], True, []),
        ([0.995, 0.1, 0.1], False, [20]),
        ([np.nan, np.nan, 0.99], True, [30]),
        ([np.nan, np.nan, np.nan], False, []),
    ],
)
def test_success_is_the_first_validation_that_reaches_it(metric, higher, want):
    run = learning("lstm", 30, K=1, every=10)
    run = replace(run, metric=np.array(metric)[:, None])
    assert first_success(run, judged(success=0.99, higher=higher)) == want


def test_seeds_that_never_succeed_are_said_beside_those_that_do():
    run = learning("lstm", 30, K=4, every=10)
    share = np.array([[0.5, 0.99, 0.2, 0.1], [1.0, 0.5, 0.2, 0.1], [1.0, 0.5, 0.2, 1.0]])
    right = judged("sequences right", higher=True, success=0.99)
    assert table([replace(run, metric=share)], right)["steps to success"] == ["20 (10 to 30), 1 never"]
    assert table([replace(run, metric=share * 0.98)], right)["steps to success"] == ["—"]
    share[1, 2] = 1.0
    assert table([replace(run, metric=share)], right)["steps to success"] == ["20 (10 to 30)"]
    share[:, 1:] = 0.0
    assert table([replace(run, metric=share)], right)["steps to success"] == ["20, 3 never"]


def test_percentages_are_written_as_such():
    run = learning("lstm", 20, K=2, every=10)
    run = replace(run, metric=np.array([[0.0, 0.0], [0.9966, 1.0]]))
    right = judged("sequences right", higher=True, success=0.99, percent=True)
    assert table([run], right)["last sequences right"] == ["99.8 % (99.7 % to 100 %)"]
    assert table([run])["last mean squared error"] == ["0.998 (0.997 to 1)"]


def test_a_seed_that_diverged_after_the_last_validation_has_no_final_figure():
    run = learning("lstm", 58, K=3, every=25, dies=(1, 55))
    assert not np.isnan(run.metric).any()
    low, high = sorted(run.metric[-1, [0, 2]].tolist())
    final = f"{(low + high) / 2:.3g} ({low:.3g} to {high:.3g})"
    assert table([run])["last mean squared error"] == [final]
    shifted = replace(run, config=config("lstm", (1, 7, 3)), metric=np.array([[1.0, 2.0, 3.0]] * 2))
    assert table([shifted])["last mean squared error"] == ["2.5 (2 to 3)"]


def test_a_run_without_records_and_one_without_survivors():
    empty = learning_of(config("lstm", clip=None))
    lost = learning("rnn", 60, K=1, dies=(0, 1))
    found = table([empty, lost])
    assert found["steps to success"] == ["—", "—"]
    assert found["last mean squared error"] == ["—", "—"]
    assert found["updates clipped"] == ["no clipping", "—"]
    assert found["seeds solved"] == ["0 of 3", "0 of 1"]
    alone = table([learning("lstm", 400, K=1)])
    assert "(" not in alone["last mean squared error"][0]
    assert all(isinstance(column, list) and len(column) == 2 for column in found.values())
    table_csv(found)
    assert table([])["cell"] == []


def test_markdown_aligns_numbers_and_escapes_what_it_would_read():
    columns = {"cell|a": ["a|b", "*c*_d_", "e\nf"], "H": [1, 2.5, None], "ok": [True, False, True]}
    lines = table_markdown(columns).decode().splitlines()
    assert lines == [
        r"| cell\|a | H | ok |",
        "| :--- | ---: | :--- |",
        r"| a\|b | 1 | True |",
        r"| \*c\*\_d\_ | 2.5 | False |",
        "| e f | — | True |",
    ]
    assert "0.1234567890123" in table_markdown({"x": np.array([0.1234567890123])}).decode()
    assert table_markdown({"x": [r"a\b"]}).decode().splitlines()[2] == r"| a\\b |"
    assert table_markdown({"x": []}).decode().splitlines()[0] == "| x |"
    for bad in ({}, {"a": [1], "b": []}):
        with pytest.raises(ValueError, match="one length"):
            table_markdown(bad)
