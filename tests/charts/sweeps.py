"""Outcomes of sweeps that nobody trained, for the charts' tests."""

import math

from rnnviz.engine.outcome import Outcome
from rnnviz.engine.train import TrainConfig


def outcome(cell, lag, metric, seed=0, scheme="torch", lr=0.01, task="recall", seeds=(0, 1, 2)):
    """What came of one seed; a metric of NaN is a model that diverged."""
    config = TrainConfig(task, lag, cell, hidden_size=4, seeds=seeds, steps=500, lr=lr, scheme=scheme)
    gone = math.isnan(metric)
    solved_at = 300 if metric >= config.memory_task.metric.success else None
    return Outcome(config, seed, metric, solved_at, 17 if gone else 500, gone)


def outcomes(cell, figures, **more):
    """Lag -> figures of its seeds."""
    return [
        outcome(cell, lag, metric, seed, **more)
        for lag, metrics in figures.items()
        for seed, metric in enumerate(metrics)
    ]
