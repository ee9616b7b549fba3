"""What came of a training run: a row a cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rnnviz.charts.figure import Columns

if TYPE_CHECKING:
    from rnnviz.engine.learning import Learning
    from rnnviz.engine.task import Metric

NONE = "—"


def outcomes(
    runs: Sequence[Learning], metric: Metric, parameters: Sequence[int], ms_per_step: Sequence[float]
) -> Columns:
    """Who solved the task, when, and at what price, as equally long lists.

    Args:
        runs: one a cell.
        metric: how the task is judged, and at which figure a seed counts as having solved it.
        parameters: of one model, one a run.
        ms_per_step: of all seeds together, one a run.
    """
    firsts = [first_success(run, metric) for run in runs]
    figure = (lambda v: f"{100 * v:.3g} %") if metric.percent else (lambda v: f"{v:.3g}")
    return {
        "cell": [run.config.spec.title for run in runs],
        "hidden size": [run.config.hidden_size for run in runs],
        "parameters": list(parameters),
        "seeds": [len(run.config.seeds) for run in runs],
        "seeds solved": [
            f"{len(steps)} of {len(run.config.seeds)}" for run, steps in zip(runs, firsts, strict=True)
        ],
        "steps to success": [_steps(run, steps) for run, steps in zip(runs, firsts, strict=True)],
        f"last {metric.title}": [_summary(_final(run), figure) for run in runs],
        "updates clipped": [_clip_rate(run) for run in runs],
        "ms per step": [round(float(ms), 2) for ms in ms_per_step],
        "diverged": [f"{len(run.diverged)} of {len(run.config.seeds)}" for run in runs],
    }


def first_success(run: Learning, metric: Metric) -> list[int]:
    """The step of the first validation at which each seed had reached it; without seeds that never did."""
    firsts = []
    for own in run.metric.T.tolist():
        steps = zip(run.eval_steps.tolist(), own, strict=True)
        firsts += [step for step, value in steps if metric.reached(value, metric.success)][:1]
    return firsts


def _steps(run: Learning, firsts: Sequence[int]) -> str:
    """When seeds succeeded, and how many did not where some did."""
    failed = len(run.config.seeds) - len(firsts)
    said = _summary(np.array(firsts, float), "{:,.0f}".format)
    return f"{said}, {failed} never" if firsts and failed else said


def _final(run: Learning) -> NDArray[np.float64]:
    """The last validation figure of the seeds that are left."""
    if not len(run.metric):
        return np.array([])
    gone = {d.seed for d in run.diverged}
    left = run.metric[-1, [seed not in gone for seed in run.config.seeds]]
    return left[~np.isnan(left)]


def _clip_rate(run: Learning) -> str:
    """Share of the updates that were clipped, over all seeds, while they lived."""
    if run.config.clip is None:
        return "no clipping"
    alive = ~np.isnan(run.grad_norm)
    return f"{100 * run.clipped[alive].mean():.3g} %" if alive.any() else NONE


def _summary(values: NDArray[np.float64], say: Callable[[float], str]) -> str:
    """Median, and the range where there are several."""
    if not len(values):
        return NONE
    middle, low, high = (say(float(v)) for v in (np.median(values), values.min(), values.max()))
    return f"{middle} ({low} to {high})" if len(values) > 1 else middle
