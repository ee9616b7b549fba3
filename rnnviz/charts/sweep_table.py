"""What came of a sweep as tables: a row a seed for files, a row a cell and a column a lag for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnviz.charts.courses import say
from rnnviz.charts.figure import Columns

if TYPE_CHECKING:
    from rnnviz.engine.outcome import Outcome

NONE = "—"


def sweep_table(outcomes: Sequence[Outcome]) -> Columns:
    """Every seed of a sweep, one row each, in full precision."""
    configs = [one.config for one in outcomes]
    return {
        "cell": [config.cell for config in configs],
        "scheme": [config.scheme for config in configs],
        "lag": [config.length for config in configs],
        "learning_rate": [config.lr for config in configs],
        "seed": [one.seed for one in outcomes],
        "metric": [one.metric for one in outcomes],
        "solved_at": ["" if one.solved_at is None else one.solved_at for one in outcomes],
        "steps": [one.steps for one in outcomes],
        "diverged": [one.diverged for one in outcomes],
    }


def by_lag(
    lengths: Sequence[int], outcomes: Sequence[Outcome], words: Mapping[str, str], rates: bool = False
) -> Columns:
    """A row a cell and scheme, or a learning rate, a column a lag: the median and how many solved it.

    Args:
        lengths: the lags, increasing.
        outcomes: what is there so far.
        words: scheme -> what people call it.
        rates: whether rows are learning rates.
    """
    groups: dict[tuple[Any, ...], dict[int, list[Outcome]]] = {}
    for one in outcomes:
        config = one.config
        key = (config.lr,) if rates else (config.cell, config.scheme)
        groups.setdefault(key, {}).setdefault(config.length, []).append(one)
    keys = sorted(groups) if rates else list(groups)
    columns: dict[str, list[Any]] = {}
    if rates:
        columns["learning rate"] = [f"{lr:g}" for (lr,) in keys]
    else:
        first = [next(iter(groups[key].values()))[0].config for key in keys]
        columns["cell"] = [config.spec.title for config in first]
        if len({config.scheme for config in first}) > 1:
            columns["weights"] = [words.get(config.scheme, config.scheme) for config in first]
    for lag in lengths:
        columns[f"lag {lag:,}"] = [_result(groups[key].get(lag, [])) for key in keys]
    return columns


def seeds_words(outcomes: Sequence[Outcome]) -> str:
    """What came of the seeds of one configuration, in words."""
    there = [one.metric for one in outcomes if not one.diverged]
    gone = len(outcomes) - len(there)
    parts = [f"{gone} of {len(outcomes)} seeds diverged"] if gone else []
    if there:
        middle = f"{'median ' if len(there) > 1 else ''}{say(float(np.median(there)), True)}"
        span = f", seeds {say(min(there), True)} to {say(max(there), True)}" if len(there) > 1 else ""
        parts.insert(0, middle + span)
    return ", ".join(parts) + f", {solved(outcomes)} of {len(outcomes)} solved it"


def solved(outcomes: Sequence[Outcome]) -> int:
    """How many seeds solved the task."""
    return sum(one.solved_at is not None for one in outcomes)


def _result(own: Sequence[Outcome]) -> str:
    there = [one.metric for one in own if not one.diverged]
    if not own:
        return NONE
    gone = f", {len(own) - len(there)} diverged" if len(there) < len(own) else ""
    middle = say(float(np.median(there)), True) if there else NONE
    return f"{middle} ({solved(own)} of {len(own)}{gone})"
