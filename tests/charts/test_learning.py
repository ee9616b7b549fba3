"""Learning curves: every point against plain loops over the records, nothing dropped, one specification."""

import csv
import io
import json
import math
import statistics

import altair as alt
import numpy as np
import pytest

from rnnviz.charts import courses, seed_curves
from rnnviz.charts.learning import learning_curves, metric_curves
from rnnviz.charts.theme import CELL
from rnnviz.charts.words_along import spread_within
from rnnviz.engine.learning import learning_of
from rnnviz.engine.train import Divergence
from rnnviz.export import chart_svg, table_csv
from tests.charts.learnings import config, learning, three

LINES = [(1 / 6, "always answers the mean: 1/6"), (1 / 12, "knows one of the two numbers: 1/12")]


def rows(figure, *kinds):
    return [row for row in figure.standalone()["datasets"]["rows"] if row["kind"] in kinds]


VALID = {}  # specifications by id: each is one object for all data, and slow to hold against the schema


def assert_drawable(figure):
    spec = figure.standalone()
    if VALID.setdefault(id(figure.spec), None) is not figure.spec:
        alt.LayerChart.from_dict(spec, validate=True).to_dict(validate=True)
        VALID[id(figure.spec)] = figure.spec
    json.dumps(spec, allow_nan=False)
    assert b"<svg" in chart_svg(spec)
    assert len({len(column) for column in figure.data.values()}) == 1
    table_csv(figure.table)


def bins(steps, values, n):
    """Steps and means of n records each, NaN left out, in plain Python."""
    for start in range(0, len(steps), n):
        part = values[start : start + n]
        columns = [[v for v in column if not math.isnan(v)] for column in zip(*part, strict=True)]
        means = [sum(c) / len(c) if c else None for c in columns]
        yield steps[start : start + n], means


@pytest.mark.parametrize(("N", "n"), [(1, 1), (160, 1), (161, 2), (400, 5), (1601, 20)])
def test_points_are_means_and_medians_of_the_records(N, n):
    runs = three(N)
    figure = learning_curves(runs, LINES, "seed 4")
    assert ("the mean of" in figure.caption) == (n > 1)
    assert n == 1 or figure.caption.endswith(f"each point: the mean of {n} steps")
    for k, run in enumerate(runs):
        want = list(bins(run.steps.tolist(), run.loss.tolist(), n))
        assert len(want) <= courses.MOST
        drawn = [row for row in rows(figure, "median") if row["run"] == k]
        assert len(drawn) == len(want)
        for row, (steps, means) in zip(drawn, want, strict=True):
            alive = [m for m in means if m is not None]
            assert row["cell"] == run.config.cell
            assert row["x"] == (steps[0] + steps[-1]) / 2
            assert row["place"] == pytest.approx(math.log10(statistics.median(alive)), abs=1e-12)
            assert row["low"] == pytest.approx(math.log10(min(alive)), abs=1e-12)
            assert row["high"] == pytest.approx(math.log10(max(alive)), abs=1e-12)
            span = f"step {steps[0]}:" if len(steps) == 1 else f"steps {steps[0]} to {steps[-1]}:"
            assert row["label"].startswith(f"{run.config.spec.title}, {span} median ")
        for seed in run.config.seeds:
            line = [r for r in rows(figure, "seed") if (r["run"], r["seed"]) == (k, seed)]
            for row, (_, means) in zip(line, want, strict=True):
                logs = None if means[seed] is None else pytest.approx(math.log10(means[seed]), abs=1e-12)
                assert row["place"] == logs
    assert_drawable(figure)


def test_the_table_holds_every_record_in_full():
    runs = three(300)
    figure = learning_curves(runs, LINES, "")
    back = list(csv.DictReader(io.StringIO(table_csv(figure.table).decode())))
    want = [
        (run.config.cell, str(seed), str(step), repr(float(run.loss[step - 1, seed])))
        for run in runs
        for step in run.steps.tolist()
        for seed in run.config.seeds
    ]
    assert [tuple(row.values()) for row in back] == want
    assert any(value == "nan" for *_, value in want), "the lost seed is in the table"


def test_the_specification_is_one_for_all_data_of_one_kind():
    first, second = learning_curves(three(0), [], "a"), learning_curves(three(900, seed=5), LINES, "b")
    assert first.spec == second.spec
    assert first.data != second.data
    percents = [
        metric_curves(three(n), "sequences right", True, 0.9, (0.25, "guesses"), "") for n in (30, 400)
    ]
    assert percents[0].spec == percents[1].spec


def test_a_divergence_ends_a_line_with_a_cross_that_says_why():
    run = learning("lstm", 400, dies=(1, 340))
    (cross,) = rows(learning_curves([run], [], ""), "cross")
    before = f"{run.grad_norm[338, 1]:.3g}"
    assert cross["label"] == (f"LSTM, seed 1: the loss is nan at step 340; gradient norm before it {before}")
    last = [
        r for r in rows(learning_curves([run], [], ""), "seed") if r["seed"] == 1 and r["place"] is not None
    ]
    assert (cross["x"], cross["place"]) == (last[-1]["x"], last[-1]["place"])
    assert cross["x"] <= 340 < cross["x"] + 5
    (end,) = rows(learning_curves([run], [], ""), "end")
    assert end["label"] == "LSTM, 2 of 3 seeds"
    assert "1 diverged" in learning_curves([run], [], "").description


@pytest.mark.parametrize(
    ("step", "what", "words"),
    [
        (340, "loss is nan", "the loss is nan at step 340; gradient norm before it 1.2e+09"),
        (2, "gradient is inf", "the gradient is inf at step 2; gradient norm before it 1.2e+09"),
        (1, "loss is nan", "the loss is nan at step 1"),
    ],
)
def test_a_divergence_in_words(step, what, words):
    gone = Divergence(1, step, f"the {what}", 1.2e9)
    assert courses.divergence_words(learning("lstm", 1), gone) == f"LSTM, seed 1: {words}"


def test_a_seed_lost_at_once_is_marked_at_the_top():
    run = learning("rnn", 5, dies=(0, 1))
    figure = learning_curves([run], [], "")
    (cross,) = rows(figure, "cross")
    span = [row["place"] for row in rows(figure, "span")]
    assert (cross["x"], cross["place"]) == (1.0, max(span))
    assert "before" not in cross["label"]
    alone = learning("rnn", 5, K=1, dies=(0, 1))
    assert_drawable(learning_curves([alone], LINES, ""))
    assert not rows(learning_curves([alone], LINES, ""), "end", "median")


@pytest.mark.parametrize("N", [0, 1, 2])
@pytest.mark.parametrize("K", [1, 3])
def test_few_records_are_drawn(N, K):
    runs = three(N, K=K)
    figure = learning_curves(runs, LINES, "seed 4")
    assert_drawable(figure)
    assert len(rows(figure, "end")) == (3 if N else 0)
    assert len(rows(figure, "seed")) == (3 * N * K if K > 1 else 0)
    assert [row["x"] for row in rows(figure, "span")] == [0.0, 10.0]
    assert len(rows(figure, "rule")) == 2
    assert rows(figure, "tick")
    assert ("nothing yet" in figure.description) == (N == 0)
    nothing = learning_curves([learning_of(config("lstm"))], LINES, "")
    assert_drawable(nothing)
    assert_drawable(learning_curves([], [], ""))


@pytest.mark.parametrize("value", [0.0, 1e-300, 5e-324, 1e300, 1.7e308])
def test_no_value_is_dropped(value):
    run = learning("gru", 4)
    run.loss[:] = value
    figure = learning_curves([run], [], "")
    assert_drawable(figure)
    drawn = rows(figure, "median")
    side, end = ("below", -38) if value < 1 else ("above", 38)
    assert [(row["place"], row["beyond"]) for row in drawn] == [(end, side)] * 4
    (edge,) = rows(figure, "edge")
    assert edge["place"] == end
    said = "exactly 0" if value == 0 else f"{value:.3g}"
    assert all(f"median {said}, seeds {said} to {said}" in row["label"] for row in drawn)
    assert figure.table["loss"].tolist() == [value] * 12


def test_means_neither_overflow_nor_vanish():
    values = np.full((40, 2), 1.7e308)
    values[:, 1] = 1e-300
    run = learning("gru", 40)
    found = courses.course(run, run.steps, values, 20).values
    np.testing.assert_allclose(found, [[1.7e308, 1e-300]] * 2, rtol=1e-14)
    odd, even = np.array([[3.0, np.nan, 1.0, 2.0]]), np.array([[np.nan, 4.0, 1.0, np.nan]])
    assert courses.middle(odd).tolist() == [2.0]
    assert courses.middle(even).tolist() == [2.5]
    assert np.isnan(courses.middle(np.full((1, 3), np.nan))).all()
    assert courses.middle(np.array([[np.inf, np.inf], [1.0, np.inf]])).tolist() == [np.inf, np.inf]
    assert courses.middle(np.full((1, 2), 5e-324)).tolist() == [5e-324]


def test_names_and_words_stand_apart_within_the_figure():
    figure = learning_curves(three(), LINES, "")
    low, high = (row["place"] for row in rows(figure, "span"))
    beside = sorted(row["place"] for row in rows(figure, "end", "note"))
    assert len(beside) == 3 + 4
    assert min(np.diff(beside)) >= seed_curves.GAP * (high - low) - 1e-9
    assert low - 1e-9 <= beside[0]
    assert beside[-1] <= high + 1e-9
    notes = sorted(rows(figure, "note"), key=lambda row: -row["place"])
    assert " ".join(row["label"] for row in notes) == " ".join(words for _, words in LINES)
    assert {row["label"] for row in rows(figure, "end")} == {"RNN, 2 of 3 seeds", "LSTM", "GRU"}
    for (value, words), row in zip(LINES, rows(figure, "rule"), strict=True):
        assert (row["place"], row["label"]) == (pytest.approx(math.log10(value)), words)
    crowd = spread_within(np.array([0.0, 0.0, 0.0]), 0.2, 0.0, 1.0)
    np.testing.assert_allclose(crowd, [0, 0.2, 0.4], atol=1e-12)


def test_a_line_at_zero_has_no_place_on_a_log_axis():
    assert not rows(learning_curves(three(5), [(0.0, "nothing")], ""), "rule", "note")
    assert rows(metric_curves(three(50), "right", True, None, (0.0, "guesses"), ""), "rule")[0]["place"] == 0


def test_curves_end_where_their_run_stands():
    runs = three(400)
    runs[1] = runs[1].upto(150)
    figure = learning_curves(runs, [], "")
    assert {row["label"]: row["x"] for row in rows(figure, "end")}["LSTM"] == 150
    assert max(row["x"] for row in rows(figure, "span")) == 400
    assert len(rows(figure, "dot")) == 3


def test_metrics_on_both_axes():
    runs = three(400)
    error = metric_curves(runs, "mean squared error", False, 0.01, LINES[0], "seed 4")
    assert [row["label"] for row in rows(error, "rule")] == ["solved: 0.01", LINES[0][1]]
    for k, run in enumerate(runs):
        drawn = [row for row in rows(error, "median") if row["run"] == k]
        assert [row["x"] for row in drawn] == run.eval_steps.tolist()
        want = [statistics.median(v for v in line if v == v) for line in run.metric.tolist()]
        assert [10 ** row["place"] for row in drawn] == pytest.approx(want, rel=1e-12)
    assert error.table["metric"].tolist()[:3] == runs[0].metric[0].tolist()
    right = metric_curves(runs, "sequences right", True, 0.99, None, "")
    assert [row["place"] for row in rows(right, "span")] == [0.0, 1.0]
    assert [row["label"] for row in rows(right, "tick")] == [f"{k} %" for k in range(0, 101, 20)]
    assert rows(right, "rule")[0]["label"] == "solved: 99 %"
    drawn = [row for row in rows(right, "median") if row["run"] == 1]
    assert [row["place"] for row in drawn] == np.median(runs[1].metric, axis=1).tolist()
    assert " %" in drawn[0]["label"]
    for figure in (error, right):
        assert figure.title == "How well does it do where it is judged?"
        assert_drawable(figure)


def test_colours_are_places_in_the_themes_list():
    layers = learning_curves(three(3), [], "").spec["layer"]
    scales = [e["scale"] for layer in layers for e in (layer["encoding"].get("color"),) if e and "scale" in e]
    assert scales
    for scale in scales:
        assert "range" not in scale
        assert {name: scale["domain"].index(name) for name in CELL} == CELL
    assert "#" not in json.dumps(layers)


def test_what_is_seen_is_said():
    figure = learning_curves(three(400), LINES, "")
    for words in ("RNN", "LSTM", "GRU", "at step 400", "2 of 3 seeds from", "log scale", LINES[0][1]):
        assert words in figure.description
