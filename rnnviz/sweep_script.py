"""A sweep as a PyTorch script: the same trainings one after another, with nothing of this package in it."""

from __future__ import annotations

from collections.abc import Sequence

from rnnviz.engine.train import TrainConfig
from rnnviz.sweep import Sweep
from rnnviz.training_script import NAMES, cell_functions, head, settings_of, sources_of, task_lines
from rnnviz.training_template import OUTCOMES, TRAIN

_VARIES = ("lr", "reach_every")  # what one line for all cannot say, or nobody asks for


def sweep_script(sweep: Sweep, title: str, caption: str) -> str:
    """A script that trains every point of a sweep's grid and prints what came of each seed."""
    task = sweep.base.memory_task
    groups: dict[tuple[str, str], list[TrainConfig]] = {}
    for config in sweep.configs:
        groups.setdefault((config.cell, config.scheme), []).append(config)
    several = len({scheme for _, scheme in groups}) > 1
    names = {key: "_".join(key) if several else key[0] for key in groups}
    reserved = [*names.values(), *(f"draw_{name}" for name in names.values())]
    sources = sources_of(task, [*NAMES, *reserved, "success", "lags", "lrs", "cells"])
    sources.add("import math")
    draw, loss, measure = map(sources.expression, (task.draw, task.loss, task.metric.of))
    lines, unseen = task_lines(task, sources)
    reached = ">=" if task.metric.higher_is_better else "<="
    parts = {name: part.replace("REACHED", reached) for name, part in OUTCOMES.items()}
    settings = {name: said for name, said in settings_of(sweep.configs[0]).items() if name not in _VARIES}
    body = [
        lines,
        f"\n\nmeasure = {measure}  # {task.metric.title}\n",
        f"D, O = {task.input_size}, {task.output_size}  # numbers in and out at each step\n",
        TRAIN.format(loss=loss, draw=draw, reached=reached, **parts),
        *(_cell(names[key], configs) for key, configs in groups.items()),
        "\n\n" + "\n".join(f"{name} = {said}" for name, said in settings.items()) + "\n",
        f"success = {task.metric.success!r}  # where the task counts as solved\n",
        f"lags, lrs = {_row(sorted(sweep.lengths))}, {_row(sweep.lrs)}\n",
        "cells = (\n",
        *(
            f'    ("{cell},{scheme}", {names[cell, scheme]}, draw_{names[cell, scheme]}),\n'
            for cell, scheme in groups
        ),
        ")\n",
        "for length in lags:\n",
        f"    unseen = {unseen}\n",
        "    for name, cell, draw in cells:\n        for lr in lrs:\n            train(name, cell, draw)\n",
    ]
    what = (
        "Trains every cell at every lag and learning rate, and prints what came of each seed as CSV.\n"
        "The same numbers but for rounding, which many updates can amplify."
    )
    return head(title, caption, what, sources) + "".join(body)


def _cell(name: str, configs: Sequence[TrainConfig]) -> str:
    """One cell's functions; a scheme's option that changes with the lag is looked up by it."""
    options: dict[str, str] = {}
    for option, _ in configs[0].scheme_options:
        values = {config.length: dict(config.scheme_options)[option] for config in configs}
        if len(set(values.values())) > 1:
            options[option] = f"{values!r}[length]"
    about = f"# {configs[0].spec.title}" + "".join(f", {k}: {v}" for k, v in configs[0].spec.options)
    return f"\n\n{about}{cell_functions(name, configs[0], options)}"


def _row(values: Sequence[float]) -> str:
    return f"({', '.join(map(repr, values))},)"
