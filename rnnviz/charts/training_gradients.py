"""Gradients over training: their norm before clipping, and how often they are clipped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rnnviz.charts.courses import averaged, course, long_table, points_of
from rnnviz.charts.figure import Figure
from rnnviz.charts.seed_curves import Words, curves

if TYPE_CHECKING:
    from rnnviz.engine.learning import Learning


def gradient_history(runs: Sequence[Learning], clip: float | None, caption: str) -> Figure:
    """The gradient's global norm before clipping against training steps, log axis.

    Args:
        runs: one a cell; without records they give an empty axis.
        clip: the threshold; None for no line.
        caption: the configuration and seeds.
    """
    n = points_of([len(run.steps) for run in runs])
    words = Words(
        "gradient-history",
        "How large are the gradients while it learns?",
        averaged(caption, n),
        "gradient norm before clipping, log scale",
    )
    courses = [course(run, run.steps, run.grad_norm, n) for run in runs]
    lines = [] if clip is None else [(clip, f"clipped above θ = {clip:g}")]
    table = long_table(runs, "grad_norm", [run.steps for run in runs], [run.grad_norm for run in runs])
    return curves(courses, words, lines, table)


def clip_history(runs: Sequence[Learning], caption: str) -> Figure:
    """Share of the updates that were clipped, in bins of steps, in % from 0 to 100; arguments as above."""
    n = max(10, points_of([len(run.steps) for run in runs]))  # of fewer a share says little
    words = Words(
        "clip-history",
        "How often are they clipped?",
        averaged(caption, n),
        "share of the updates",
        percent=True,
    )
    # A model that rests after a divergence is not one that needs no clipping.
    clipped = [np.where(np.isnan(run.grad_norm), np.nan, run.clipped) for run in runs]
    courses = [course(run, run.steps, values, n) for run, values in zip(runs, clipped, strict=True)]
    return curves(courses, words, [], long_table(runs, "clipped", [run.steps for run in runs], clipped))
