"""Gradients over training: norms, and how often they are clipped, against plain loops."""

import math
import statistics

import numpy as np
import pytest

from rnnviz.charts.training_gradients import clip_history, gradient_history
from tests.charts.learnings import learning, three
from tests.charts.test_learning import assert_drawable, bins, rows


def test_norms_are_those_of_the_records_and_the_threshold_is_named():
    runs = three(400)
    figure = gradient_history(runs, 0.5, "seed 4")
    assert_drawable(figure)
    (rule,) = rows(figure, "rule")
    assert (rule["place"], rule["label"]) == (pytest.approx(math.log10(0.5)), "clipped above θ = 0.5")
    for k, run in enumerate(runs):
        drawn = [row["place"] for row in rows(figure, "median") if row["run"] == k]
        means = [[m for m in line if m is not None] for _, line in bins(run.steps, run.grad_norm.tolist(), 5)]
        assert drawn == pytest.approx([math.log10(statistics.median(m)) for m in means], abs=1e-12)
    np.testing.assert_array_equal(
        figure.table["grad_norm"], np.concatenate([r.grad_norm.ravel() for r in runs])
    )
    assert not rows(gradient_history(runs, None, ""), "rule")
    assert gradient_history(three(7), None, "").spec == figure.spec


@pytest.mark.parametrize(("N", "n"), [(0, 10), (7, 10), (100, 10), (1601, 20)])
def test_shares_clipped_are_counted_over_the_living(N, n):
    run = learning("rnn", N, dies=(2, N // 2) if N > 10 else None)
    figure = clip_history([run], "")
    assert_drawable(figure)
    assert figure.caption.endswith(f"the mean of {n} steps")
    drawn = rows(figure, "seed")
    for seed in range(3):
        shares = []
        for start in range(0, N, n):
            alive = [k for k in range(start, min(start + n, N)) if not math.isnan(run.grad_norm[k, seed])]
            clipped = sum(bool(run.clipped[k, seed]) for k in alive)
            shares.append(pytest.approx(clipped / len(alive)) if alive else None)
        assert [row["place"] for row in drawn if row["seed"] == seed] == shares
    assert len(figure.table["clipped"]) == 3 * N
    assert [row["place"] for row in rows(figure, "span")] == [0.0, 1.0]
    assert clip_history([learning("rnn", 3)], "").spec == figure.spec


def test_exploding_and_vanishing_norms_are_drawn():
    run = learning("gru", 4)
    run.grad_norm[:, 0], run.grad_norm[:, 1], run.grad_norm[:, 2] = 0.0, 1e-300, 1e300
    figure = gradient_history([run], 1.0, "")
    assert_drawable(figure)
    assert {row["place"] for row in rows(figure, "seed")} == {-38.0, 38.0}
    assert {row["label"] for row in rows(figure, "edge")} == {"< 1e-38", "> 1e38"}
    assert "exactly 0" in rows(figure, "median")[0]["label"]
