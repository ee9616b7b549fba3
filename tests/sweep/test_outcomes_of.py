"""What came of a run, seed by seed, against plain loops over its records."""

import math
from dataclasses import replace

import numpy as np
import pytest

from rnnviz.engine.learning import learning_of
from rnnviz.engine.outcome import outcomes_of
from rnnviz.engine.train import Divergence, TrainConfig, train
from tests.charts.learnings import learning
from tests.sweep.ground import QUICK


@pytest.mark.parametrize(
    "config",
    [
        QUICK,
        replace(QUICK, length=1, hidden_size=16, steps=300, seeds=(3, 1, 2)),
        TrainConfig(
            "adding", 10, "rnn", hidden_size=4, steps=60, eval_every=7, optimizer="sgd", lr=3.0, clip=None
        ),
        TrainConfig("adding", 10, "gru", hidden_size=4, steps=40, eval_every=100, seeds=(4,)),
    ],
)
def test_each_seed_is_what_its_records_say(config):
    records = list(train(config))
    goal, higher = config.memory_task.metric.success, config.memory_task.metric.higher_is_better
    found = outcomes_of(learning_of(config, records))
    assert [one.seed for one in found] == list(config.seeds)
    for k, one in enumerate(found):
        figures = [(0, records[0].untrained[k].item())]
        figures += [(r.step, r.metric[k].item()) for r in records if r.evaluated]
        gone = [d.step for r in records for d in r.diverged if d.seed == one.seed]
        reached = [step for step, v in figures if (v >= goal if higher else v <= goal)]
        assert one.config == config
        assert one.solved_at == (reached[0] if reached else None)
        assert one.diverged == bool(gone)
        assert one.steps == (gone[0] - 1 if gone else records[-1].step)
        assert one.metric == figures[-1][1] or (gone and math.isnan(one.metric))


def test_seeds_solve_diverge_and_stop_each_on_its_own():
    run = learning(K=3, N=400)
    metric = run.metric.copy()
    metric[:, 0] = 1.0
    metric[3:, 1] = 0.009
    metric[5, 2] = 0.01
    metric[6:, 2] = 0.02
    dead = Divergence(1, 390, "the loss is nan", 1.0)
    first, second, third = outcomes_of(replace(run, metric=metric, diverged=(dead,)))
    assert (first.solved_at, first.metric, first.steps, first.diverged) == (None, 1.0, 400, False)
    # It had learned it before it broke; its last figure is from before, and does not count.
    assert (second.solved_at, second.steps, second.diverged) == (run.eval_steps[3], 389, True)
    assert math.isnan(second.metric)
    assert (third.solved_at, third.metric) == (run.eval_steps[5], 0.02)


def test_a_run_that_nobody_judged_has_no_figure():
    (one,) = outcomes_of(learning_of(replace(QUICK, seeds=(9,))))
    assert (one.seed, one.solved_at, one.steps, one.diverged) == (9, None, 0, False)
    assert np.isnan(one.metric)
