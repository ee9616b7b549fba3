"""Accuracy against lag: every mark against plain Python, no line across what is missing, nothing dropped."""

import csv
import io
import json
import math
import statistics
from itertools import pairwise

import altair as alt
import pytest

from rnnviz.charts import lags as module
from rnnviz.charts.lags import lags, places
from rnnviz.charts.sweep_table import by_lag, seeds_words
from rnnviz.charts.theme import CELL
from rnnviz.export import chart_svg, table_csv
from rnnviz.tasks import TASKS
from tests.charts.sweeps import outcome, outcomes

NAN = math.nan
LAGS = [10, 20, 50, 100, 200]
LINES = [("rnn", "torch"), ("lstm", "torch"), ("gru", "torch")]
WORDS = {"torch": "PyTorch", "chrono": "Chrono"}
FIGURES = {
    "rnn": {10: [1.0, 0.999, 0.9], 20: [0.5, 0.3, 0.9], 50: [0.13, 0.11, 0.2], 100: [0.125] * 3},
    "lstm": {10: [1.0, 1.0, 1.0], 20: [1.0, 0.98, 1.0], 100: [0.4, NAN, 0.2], 200: [0.1, 0.12, 0.13]},
    "gru": {10: [1.0, 1.0, 1.0], 50: [0.991, 1.0, NAN], 200: [NAN, NAN, NAN]},
}
EVERY = [one for cell, figures in FIGURES.items() for one in outcomes(cell, figures)]


def drawn(found=EVERY, lines=LINES, lengths=LAGS, task="recall"):
    return lags(TASKS[task], lengths, lines, found, WORDS, "seed 0")


def rows(figure, *kinds):
    return [row for row in figure.standalone()["datasets"]["rows"] if row["kind"] in kinds]


def assert_drawable(figure):
    spec = figure.standalone()
    alt.LayerChart.from_dict(spec, validate=True).to_dict(validate=True)
    json.dumps(spec, allow_nan=False)
    assert b"<svg" in chart_svg(spec)
    assert len({len(column) for column in figure.data.values()}) == 1
    table_csv(figure.table)


def test_marks_are_the_medians_ranges_and_seeds():
    figure = drawn()
    for k, (cell, _) in enumerate(LINES):
        medians = [row for row in rows(figure, "median") if row["line"] == k]
        want = {lag: [v for v in values if v == v] for lag, values in FIGURES[cell].items()}
        want = {lag: values for lag, values in want.items() if values}
        assert [row["x"] for row in medians] == pytest.approx([math.log(lag / 10, 20) for lag in want])
        for row, values in zip(medians, want.values(), strict=True):
            assert row["cell"] == cell
            assert row["y"] == pytest.approx(statistics.median(values), abs=1e-15)
            assert (row["low"], row["high"]) == (min(values), max(values))
        seeds = [row for row in rows(figure, "seed") if row["line"] == k]
        assert [row["y"] for row in seeds] == [v for values in want.values() for v in values]
        for row in seeds:
            assert min(abs(row["x"] - x) for x in places(LAGS).values()) < 0.02
    assert_drawable(figure)


def test_no_line_crosses_a_lag_that_is_not_there():
    pieces = {}
    for row in rows(drawn(), "median"):
        pieces.setdefault((row["line"], row["piece"]), []).append(row["x"])
    at = places(LAGS)
    assert sorted(sorted(xs) for (line, _), xs in pieces.items() if line == 0) == [
        [at[lag] for lag in (10, 20, 50, 100)]
    ]
    assert sorted(xs for (line, _), xs in pieces.items() if line == 1) == [
        [at[10], at[20]],
        [at[100], at[200]],
    ]
    assert sorted(xs for (line, _), xs in pieces.items() if line == 2) == [[at[10]], [at[50]]]
    drawing = [layer for layer in drawn().spec["layer"] if layer["mark"]["type"] in ("line", "area")]
    assert len(drawing) == 2
    assert all(
        layer["encoding"]["detail"] == [{"field": f, "type": "nominal"} for f in ("line", "piece")]
        for layer in drawing
    )


def test_seeds_that_diverged_are_marked_and_counted():
    figure = drawn()
    crosses = rows(figure, "cross")
    assert sorted(row["label"] for row in crosses) == [
        "GRU, seed 0, lag 200: diverged",
        "GRU, seed 1, lag 200: diverged",
        "GRU, seed 2, lag 200: diverged",
        "GRU, seed 2, lag 50: diverged",
        "LSTM, seed 1, lag 100: diverged",
    ]
    assert len({row["x"] for row in crosses}) == 5, "each is seen"
    assert all(row["y"] < 0 for row in crosses)
    assert [row["label"] for row in rows(figure, "tick")][-1] == "diverged"
    labels = {row["label"] for row in rows(figure, "name")}
    assert labels == {"RNN", "LSTM", "GRU, 2 of 3 seeds"}
    assert not rows(drawn(outcomes("rnn", FIGURES["rnn"])), "cross")
    assert "diverged" not in [row["label"] for row in rows(drawn([]), "tick")]


def test_words_of_the_seeds():
    assert seeds_words(outcomes("gru", {50: [1.0, 0.25, 0.5]})) == (
        "median 50 %, seeds 25 % to 100 %, 1 of 3 solved it"
    )
    assert seeds_words(outcomes("gru", {50: [NAN, 0.25, 0.5]})) == (
        "median 37.5 %, seeds 25 % to 50 %, 1 of 3 seeds diverged, 0 of 3 solved it"
    )
    assert seeds_words([outcome("gru", 50, NAN)]) == "1 of 1 seeds diverged, 0 of 1 solved it"
    assert seeds_words([outcome("gru", 50, 0.995)]) == "99.5 %, 1 of 1 solved it"


def test_ticks_stand_at_the_lags_on_a_log_axis_only_where_they_span_a_decade():
    assert places([5, 50]) == {5: 0.0, 50: 1.0}
    assert places([5, 20, 50])[20] == pytest.approx(1 / 3)  # a decade exactly
    assert places([5, 20, 51])[20] == pytest.approx(math.log(4) / math.log(10.2))
    assert places([7]) == {7: 0.5}
    for lengths, log in (([10, 20, 101], True), ([10, 20, 100], False)):
        figure = drawn([], lengths=lengths)
        ticks = {row["label"]: row["x"] for row in rows(figure, "lag")}
        assert ticks == {str(lag): x for lag, x in places(lengths).items()}
        titles = json.dumps(figure.spec)
        assert ("log scale" in titles) == log
        assert "lag: steps to wait" in titles
    assert [row["label"] for row in rows(drawn([], lengths=[200, 1000]), "lag")] == ["200", "1,000"]


@pytest.mark.parametrize(("task", "words"), [("recall", "12.5 %"), ("parity_running", "51 to 60 %")])
def test_chance_is_a_line_through_every_lag_with_its_words(task, words):
    lengths = [5, 10, 50]
    figure = drawn([], lengths=lengths, task=task)
    for one, other in pairwise(rows(figure, "chance")):
        assert (one["x2"], one["y2"]) == (other["x"], other["y"])
    corners = {(row["x"], row["y"]) for row in rows(figure, "chance")}
    corners |= {(row["x2"], row["y2"]) for row in rows(figure, "chance")}
    for lag, x in places(lengths).items():
        assert (x, TASKS[task].baseline(lag).metric) in corners
    assert min(x for x, _ in corners) < 0
    assert max(x for x, _ in corners) > 1
    (note,) = rows(figure, "note")
    assert note["label"] == f"without memory: {words}"
    assert words in figure.description


def test_names_stand_apart_at_the_height_of_their_line_s_end():
    figure = drawn()
    beside = rows(figure, "name", "note")
    ys = sorted(row["y"] for row in beside)
    assert min(b - a for a, b in pairwise(ys)) >= module.GAP - 1e-9
    assert ys[0] >= 0
    assert ys[-1] <= 1
    assert next(row for row in beside if row["label"].startswith("GRU"))["y"] == pytest.approx(0.9955)
    assert len(rows(drawn([]), "name")) == 0


def test_a_scheme_is_a_shape_and_a_dash_and_a_cell_its_colour():
    lines = [("rnn", "torch"), ("gru", "torch"), ("gru", "chrono")]
    found = [
        *outcomes("rnn", {10: [0.3, 0.2, 0.1]}),
        *outcomes("gru", {10: [0.9, 0.8, 0.7], 20: [0.5, 0.5, 0.5]}),
        *outcomes("gru", {10: [1.0, 1.0, 1.0]}, scheme="chrono"),
    ]
    figure = drawn(found, lines)
    looks = {(row["cell"], row["scheme"]) for row in rows(figure, "median")}
    assert looks == {("rnn", "0"), ("gru", "0"), ("gru", "1")}
    chrono = [row for row in rows(figure, "median") if row["line"] == 2]
    assert [row["y"] for row in chrono] == [1.0]
    assert {row["label"] for row in rows(figure, "name")} == {"RNN, PyTorch", "GRU, PyTorch", "GRU, Chrono"}
    assert "GRU, Chrono" in figure.description
    layers = figure.spec["layer"]
    domains = [
        layer["encoding"][c]["scale"]["domain"]
        for layer in layers
        for c in ("color", "stroke")
        if "scale" in layer["encoding"].get(c, {})
    ]
    assert domains
    assert all({name: domain.index(name) for name in CELL} == CELL for domain in domains)
    assert "#" not in json.dumps(layers)
    assert_drawable(figure)


@pytest.mark.parametrize("found", [[], EVERY[:1], EVERY[:4]], ids=len)
def test_what_is_there_so_far_is_drawn_with_one_specification(found):
    figure = drawn(found)
    assert figure.spec == drawn().spec
    assert len(rows(figure, "lag")) == 5
    assert len(figure.table["seed"]) == len(found)
    assert ("nothing yet" in figure.description) == (len(found) < 13)
    assert_drawable(figure)


def test_one_seed_is_its_own_median():
    figure = drawn([outcome("gru", 10, 0.75, seeds=(0,))])
    assert [row["y"] for row in rows(figure, "median")] == [0.75]
    assert not rows(figure, "seed")


def test_the_table_holds_every_seed_in_full():
    back = list(csv.DictReader(io.StringIO(table_csv(drawn().table).decode())))
    assert len(back) == len(EVERY)
    for row, one in zip(back, EVERY, strict=True):
        config = one.config
        assert (row["cell"], row["scheme"], row["lag"]) == (config.cell, "torch", str(config.length))
        assert (row["learning_rate"], row["seed"]) == ("0.01", str(one.seed))
        assert row["metric"] == repr(one.metric)
        assert row["solved_at"] == ("" if one.solved_at is None else str(one.solved_at))
        assert (row["steps"], row["diverged"]) == (str(one.steps), str(one.diverged))


def test_the_table_for_people():
    assert by_lag(LAGS, EVERY, WORDS) == {
        "cell": ["RNN", "LSTM", "GRU"],
        "lag 10": ["99.9 % (2 of 3)", "100 % (3 of 3)", "100 % (3 of 3)"],
        "lag 20": ["50 % (0 of 3)", "100 % (2 of 3)", "—"],
        "lag 50": ["13 % (0 of 3)", "—", "99.6 % (2 of 3, 1 diverged)"],
        "lag 100": ["12.5 % (0 of 3)", "30 % (0 of 3, 1 diverged)", "—"],
        "lag 200": ["—", "12 % (0 of 3)", "— (0 of 3, 3 diverged)"],
    }
    two = [*outcomes("gru", {10: [1.0]}), *outcomes("gru", {10: [0.5]}, scheme="chrono")]
    assert by_lag([10], two, WORDS)["weights"] == ["PyTorch", "Chrono"]
    rates = [*outcomes("gru", {10: [1.0]}, lr=0.1), *outcomes("gru", {20: [0.5]}, lr=0.001)]
    assert by_lag([10, 20], rates, WORDS, rates=True) == {
        "learning rate": ["0.001", "0.1"],
        "lag 10": ["—", "100 % (1 of 1)"],
        "lag 20": ["50 % (0 of 1)", "—"],
    }
