"""What came of a training run: one figure a seed, and when it was reached."""

from __future__ import annotations

from dataclasses import dataclass

from rnnviz.engine.learning import Learning
from rnnviz.engine.train_config import TrainConfig


@dataclass(frozen=True)
class Outcome:
    """What came of one seed.

    Attributes:
        config: what was trained; the seed is one of its ``seeds``.
        seed: which.
        metric: the last validation figure, in the unit of the task's `Metric`; NaN where the model diverged
            or was never judged.
        solved_at: the step of the first validation at or past ``task.metric.success``, 0 before training;
            None where there was none. A model that diverges later keeps it.
        steps: updates made; of a model that diverged those before it did.
        diverged: whether it became NaN or infinite.
    """

    config: TrainConfig
    seed: int
    metric: float
    solved_at: int | None
    steps: int
    diverged: bool


def outcomes_of(learning: Learning) -> tuple[Outcome, ...]:
    """One outcome a seed, in the order of ``learning.config.seeds``.

    >>> from rnnviz.engine.learning import learning_of
    >>> from rnnviz.engine.train import train
    >>> config = TrainConfig(task="adding", length=10, cell="rnn", hidden_size=4, seeds=(5, 7), steps=2)
    >>> [(outcome.seed, outcome.steps) for outcome in outcomes_of(learning_of(config, train(config)))]
    [(5, 2), (7, 2)]
    """
    judge = learning.config.memory_task.metric
    gone = {d.seed: d.step for d in learning.diverged}
    found = []
    for k, seed in enumerate(learning.config.seeds):
        figures = learning.metric[:, k].tolist()
        judged = zip(learning.eval_steps.tolist(), figures, strict=True)
        firsts = (step for step, figure in judged if judge.reached(figure, judge.success))
        diverged = seed in gone
        metric = figures[-1] if figures and not diverged else float("nan")
        # At the step of a divergence the weights are left as they were.
        steps = gone[seed] - 1 if diverged else learning.step
        found.append(Outcome(learning.config, seed, metric, next(firsts, None), steps, diverged))
    return tuple(found)
