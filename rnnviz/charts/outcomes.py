"""What came of a training run: a row a cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rnnviz.charts.figure import Columns

if TYPE_CHECKING:
    from rnnviz.engine.learning import Learning

NONE = "—"


def outcomes(
    runs: Sequence[Learning],
    success: float,
    higher_is_better: bool,
    metric_title: str,
    parameters: Sequence[int],
    ms_per_step: Sequence[float],
) -> Columns:
    """Who solved the task, when, and at what price, as equally long lists.

    Args:
        runs: one a cell.
        success: the validation figure at which a seed counts as having solved it.
        higher_is_better: the direction of success.
        metric_title: what the figure is called.
        parameters: of one model, one a run.
        ms_per_step: of all seeds together, one a run.
    """
    firsts = [first_success(run, success, higher_is_better) for run in runs]
    return {
        "cell": [run.config.spec.title for run in runs],
        "hidden size": [run.config.hidden_size for run in runs],
        "parameters": list(parameters),
        "seeds": [len(run.config.seeds) for run in runs],
        "seeds solved": [
            f"{len(steps)} of {len(run.config.seeds)}" for run, steps in zip(runs, firsts, strict=True)
        ],
        "steps to success": [_summary(np.array(steps, float), "{:,.0f}") for steps in firsts],
        f"final {metric_title}": [_summary(_final(run), "{:.3g}") for run in runs],
        "updates clipped": [_clip_rate(run) for run in runs],
        "ms per step": [round(float(ms), 2) for ms in ms_per_step],
        "diverged": [f"{len(run.diverged)} of {len(run.config.seeds)}" for run in runs],
    }


def first_success(run: Learning, success: float, higher_is_better: bool) -> list[int]:
    """The step of the first validation at which each seed had reached it; without seeds that never did."""
    # As `Metric.reached` has it: NaN never is.
    reached = run.metric >= success if higher_is_better else run.metric <= success
    return [int(run.eval_steps[own.argmax()]) for own in reached.T if own.any()]


def _final(run: Learning) -> NDArray[np.float64]:
    """The last validation figure of the seeds that are left."""
    last: NDArray[np.float64] = run.metric[-1] if len(run.metric) else np.array([])
    left: NDArray[np.float64] = last[~np.isnan(last)]
    return left


def _clip_rate(run: Learning) -> str:
    """Share of the updates that were clipped, over all seeds, while they lived."""
    if run.config.clip is None:
        return "no clipping"
    alive = ~np.isnan(run.grad_norm)
    return f"{100 * run.clipped[alive].mean():.3g} %" if alive.any() else NONE


def _summary(values: NDArray[np.float64], form: str) -> str:
    """Median, and the range where there are several."""
    if not len(values):
        return NONE
    middle, low, high = (form.format(v) for v in (np.median(values), values.min(), values.max()))
    return f"{middle} ({low} to {high})" if len(values) > 1 else middle
