"""The sweeps that come along: whole, what their commands print, and what their trainings come to here."""

import re
from math import isclose, nan
from pathlib import Path

import pytest

from rnnviz.engine.learning import learning_of
from rnnviz.engine.train import train
from rnnviz.store import Store
from rnnviz.sweep import as_csv, known, outcomes_in
from rnnviz.sweep.__main__ import _parser, _sweep
from rnnviz.sweep.finished import TABLES

ROOT = Path(__file__).resolve().parents[1]
SAID = (ROOT / "assets" / "README.md").read_text(encoding="utf-8")
COMMAND = re.compile(r"rnnviz\.sweep (.+?) --csv assets/sweeps/(\S+?)`")
COMMANDS = {name: arguments for arguments, name in COMMAND.findall(SAID)}


def sweep_of(name):
    return _sweep(_parser().parse_args(COMMANDS[name].split()))


def test_every_table_has_its_command():
    assert COMMANDS.keys() == {path.name for path in TABLES.glob("*.csv")}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_table_is_its_sweep_without_a_store(name, tmp_path):
    sweep = sweep_of(name)
    found = known(sweep, Store(tmp_path))
    assert [(one.config, one.seed) for one in found] == [(c, s) for c in sweep.configs for s in c.seeds]
    assert as_csv(found) == (TABLES / name).read_text(encoding="utf-8")


def test_the_quickest_training_of_each_comes_to_the_same_here():
    """The quickest, since rounding grows with every update; the gated cell solves it in a few hundred."""
    for name in COMMANDS:
        sweep = sweep_of(name)
        rows = outcomes_in((TABLES / name).read_text(encoding="utf-8"), sweep.configs)
        quickest = min(rows, key=lambda one: (one.steps, one.config.length)).config
        learning = learning_of(quickest, train(quickest))
        task = quickest.memory_task
        for k, one in enumerate(one for one in rows if one.config == quickest):
            assert one.seed == quickest.seeds[k]
            assert one.steps == learning.step
            assert isclose(one.metric, learning.metric[-1, k], abs_tol=0.02)
            reached = [
                step
                for step, value in zip(learning.eval_steps, learning.metric[:, k], strict=True)
                if task.metric.reached(value, task.metric.success)
            ]
            assert (one.solved_at or nan) == (reached[0] if reached else nan)
