"""Who learns, and when: the training loss and the validation figure against training steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rnnviz.charts.courses import averaged, course, long_table, points_of, say
from rnnviz.charts.figure import Figure
from rnnviz.charts.seed_curves import Rules, Words, curves

if TYPE_CHECKING:
    from rnnviz.engine.learning import Learning


def learning_curves(runs: Sequence[Learning], lines: Rules, caption: str) -> Figure:
    """Training loss against training steps, log axis.

    Args:
        runs: one a cell; without records they give an empty axis.
        lines: value and words of levels worth a line, as what a model without memory gets.
        caption: the configuration and seeds.
    """
    n = points_of([len(run.steps) for run in runs])
    words = Words(
        "learning", "Who learns the task, and when?", averaged(caption, n), "training loss, log scale"
    )
    courses = [course(run, run.steps, run.loss, n) for run in runs]
    table = long_table(runs, "loss", [run.steps for run in runs], [run.loss for run in runs])
    return curves(courses, words, lines, table)


def metric_curves(
    runs: Sequence[Learning],
    title_of_metric: str,
    percent: bool,
    goal: float | None,
    baseline: tuple[float, str] | None,
    caption: str,
) -> Figure:
    """The validation figure against training steps, in % from 0 to 100 or on a log axis.

    Args:
        runs: one a cell; without records they give an empty axis.
        title_of_metric: as the task says it.
        percent: whether it is a share of 1.
        goal: where the task counts as solved; None for no line.
        baseline: what a model without memory gets, and words; None for no line.
        caption: the configuration and seeds.
    """
    n = points_of([len(run.eval_steps) for run in runs])
    words = Words(
        "metric",
        "How well does it do where it is judged?",
        averaged(caption, n, "validations"),
        title_of_metric if percent else f"{title_of_metric}, log scale",
        percent,
    )
    courses = [course(run, run.eval_steps, run.metric, n) for run in runs]
    lines = [] if goal is None else [(goal, f"solved: {say(goal, percent)}")]
    lines += [] if baseline is None else [baseline]
    table = long_table(runs, "metric", [run.eval_steps for run in runs], [run.metric for run in runs])
    return curves(courses, words, lines, table)
