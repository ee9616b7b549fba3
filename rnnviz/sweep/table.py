"""A sweep's outcomes as a table, and out of one again."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from rnnviz.engine.outcome import Outcome
from rnnviz.engine.stack import parameter_count
from rnnviz.engine.train_config import TrainConfig
from rnnviz.run_config import run_id

READ = ("run", "seed", "metric", "solved_at", "steps", "diverged")  # what an outcome is made of again
_TRUTH = {"True": True, "False": False}

id_of = lru_cache(maxsize=4096)(lambda config: run_id((config,)))  # a page asks at every rerun


def columns(outcomes: Sequence[Outcome]) -> dict[str, list[Any]]:
    """A row a seed, as equally long lists; ``solved_at`` is "" where a seed never solved the task."""
    rows = [_row(outcome) for outcome in outcomes]
    return {name: [row[name] for row in rows] for name in _NAMES}


def as_csv(outcomes: Sequence[Outcome]) -> str:
    """The same as CSV; numbers as they are, to the last digit."""
    table = columns(outcomes)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*table.values(), strict=True))
    return text.getvalue()


def outcomes_in(text: str, configs: Sequence[TrainConfig]) -> tuple[Outcome, ...]:
    """The outcomes of these configurations that a CSV holds, in their order; rows of others are left out.

    Raises:
        ValueError: a table without these columns, a value that cannot be, a seed missing or twice.
    """
    rows = rows_in(text)
    return tuple(
        one
        for config in configs
        if id_of(config) in rows
        for one in outcomes_from(rows[id_of(config)], config)
    )


def rows_in(text: str) -> dict[str, list[dict[str, str]]]:
    """The rows of a CSV by run, only those columns that say what came of it; raises as `outcomes_in`."""
    try:
        reader = csv.DictReader(io.StringIO(text), strict=True)
        missing = [name for name in READ if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(f"the table has no column {missing[0]!r}; needed: {', '.join(READ)}")
        runs: dict[str, list[dict[str, str]]] = {}
        for row in reader:
            if None in row or None in row.values():
                raise ValueError(
                    f"line {reader.line_num} of the table has not as many values as it has columns"
                )
            runs.setdefault(row["run"], []).append({name: row[name] for name in READ})
    except csv.Error as error:
        raise ValueError(f"the table is no CSV ({error})") from None
    return runs


def outcomes_from(rows: Sequence[Mapping[str, str]], config: TrainConfig) -> tuple[Outcome, ...]:
    """One outcome a seed from the rows of its run; raises as `outcomes_in`."""
    found = {}
    for row in rows:
        one = _outcome(row, config)
        if one.seed in found:
            raise ValueError(f"seed {one.seed} of run {row['run']} stands in the table twice")
        found[one.seed] = one
    missing = [seed for seed in config.seeds if seed not in found]
    if missing:
        raise ValueError(f"seed {missing[0]} of run {id_of(config)} is missing in the table")
    return tuple(found[seed] for seed in config.seeds)


def _outcome(row: Mapping[str, str], config: TrainConfig) -> Outcome:
    def whole(name: str, low: int, high: int) -> int:
        value = row[name]
        if not (value.isascii() and value.isdecimal() and len(value) < 20 and low <= int(value) <= high):
            raise ValueError(f"{name} is {value[:40]!r}; allowed: a whole number from {low} to {high:,}")
        return int(value)

    seed = whole("seed", 0, 2**63 - 1)
    if seed not in config.seeds:
        raise ValueError(f"seed is {seed}; run {row['run']} has {', '.join(map(str, config.seeds))}")
    if row["diverged"] not in _TRUTH:
        raise ValueError(f"diverged is {row['diverged'][:40]!r}; allowed: True, False")
    try:
        metric = float(row["metric"])
    except ValueError:
        raise ValueError(f"metric is {row['metric'][:40]!r}; allowed: a number") from None
    solved_at = whole("solved_at", 0, config.steps) if row["solved_at"] else None
    return Outcome(config, seed, metric, solved_at, whole("steps", 0, config.steps), _TRUTH[row["diverged"]])


def _row(outcome: Outcome) -> dict[str, Any]:
    config, task = outcome.config, outcome.config.memory_task
    return {
        "run": id_of(config),
        "task": config.task,
        "length": config.length,
        "cell": config.cell,
        "conventions": _pairs(config.options),
        "init": config.scheme,
        "init_options": _pairs(config.scheme_options),
        "forget_bias": "" if config.forget_bias is None else float(config.forget_bias),
        "H": config.hidden_size,
        "parameters": parameter_count(config.spec, task.input_size, config.hidden_size, task.output_size),
        "optimizer": config.optimizer,
        "lr": float(config.lr),
        "clip": "" if config.clip is None else float(config.clip),
        "batch": config.batch_size,
        "seed": outcome.seed,
        "metric": outcome.metric,
        "chance": float(task.baseline(config.length).metric),
        "success": float(task.metric.success),
        "solved_at": "" if outcome.solved_at is None else outcome.solved_at,
        "steps": outcome.steps,
        "diverged": outcome.diverged,
    }


def _pairs(options: Sequence[tuple[str, object]]) -> str:
    return " ".join(
        f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in options
    )


_NAMES = tuple(_row(Outcome(TrainConfig("adding", 10), 0, 0.0, None, 0, False)))
