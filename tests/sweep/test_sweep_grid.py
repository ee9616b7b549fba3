"""The grid of a sweep: every point once, the short ones first, each cell with what it can take."""

from dataclasses import replace

import pytest

from rnnviz.engine.train import TrainConfig
from rnnviz.runs import Job, limits
from rnnviz.sweep import Sweep
from rnnviz.sweep.grid import work_of
from tests.sweep.ground import QUICK

CELLS = ("rnn", "lstm", "gru")


def points(sweep):
    return [(c.length, c.cell, c.scheme, c.lr) for c in sweep.configs]


def test_the_product_comes_short_sequences_first_then_in_the_order_given():
    sweep = Sweep(QUICK, (20, 5, 10), ("gru", "lstm"), ("orthogonal", "torch"), (0.1, 0.01))
    assert points(sweep) == [
        (length, cell, scheme, lr)
        for length in (5, 10, 20)
        for cell in ("gru", "lstm")
        for scheme in ("orthogonal", "torch")
        for lr in (0.1, 0.01)
    ]
    for config in sweep.configs:
        changed = {"length", "cell", "options", "scheme", "lr", "forget_bias"}
        for name in set(vars(QUICK)) - changed:
            assert getattr(config, name) == getattr(QUICK, name)


def test_chrono_remembers_as_long_as_is_asked_and_cells_without_gates_stay_as_they_are():
    sweep = Sweep(QUICK, (1, 5, 40), CELLS, ("torch", "chrono"), (0.01,))
    found = {(c.length, c.cell, c.scheme): c for c in sweep.configs}
    assert len(found) == len(sweep.configs) == 3 * 5
    assert {scheme for _, cell, scheme in found if cell == "rnn"} == {"torch"}
    for (length, _, scheme), config in found.items():
        want = (("t_max", float(max(2, length))),) if scheme == "chrono" else ()
        assert config.scheme_options == want
    assert {key for key, c in found.items() if c.forget_bias is not None} == {
        (length, "lstm", "torch") for length in (1, 5, 40)
    }
    assert Sweep(QUICK, (5,), ("rnn",), ("chrono",), (0.01,)).configs[0].scheme == "torch"
    assert sweep.config(40, "rnn", "chrono", 0.01) is not None
    assert sweep.config(40, "rnn", "chrono", 0.01) == sweep.config(40, "rnn", "torch", 0.01)


def test_chrono_asks_for_no_more_than_the_task_has_steps():
    base = TrainConfig("reber", 12)
    assert base.memory_task.steps(12) == 11
    (config,) = Sweep(base, (12,), ("gru",), ("chrono",), (0.01,)).configs
    assert config.scheme_options == (("t_max", 11.0),)


def test_what_the_base_says_is_for_its_own_cell_and_scheme():
    base = TrainConfig("recall", 5, "gru", options=(("reset", "before"),), scheme="orthogonal")
    base = replace(base, scheme_options=(("gain", 1.5),))
    found = {(c.cell, c.scheme): c for c in Sweep(base, (5,), CELLS, ("torch", "orthogonal")).configs}
    assert dict(found["gru", "torch"].options) == {"reset": "before", "z": "keeps"}
    assert dict(found["rnn", "torch"].options) == {"activation": "tanh"}
    assert {c.scheme_options for (_, scheme), c in found.items() if scheme == "torch"} == {()}
    assert {c.scheme_options for (_, scheme), c in found.items() if scheme != "torch"} == {(("gain", 1.5),)}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lengths": ()}, r"lengths is \(\); allowed: at least one, and each once"),
        ({"lengths": (5, 10, 5)}, r"lengths is \(5, 10, 5\); allowed"),
        ({"lengths": (5, 1001)}, "length is 1001; Delayed recall allows 1 to 1000 steps to wait"),
        ({"lengths": (5.0,)}, "length is 5.0; Delayed recall allows"),
        ({"cells": ()}, r"cells is \(\); allowed: at least one of 'rnn', 'lstm', 'gru', and each once"),
        ({"cells": ("gru", "gru")}, r"cells is \('gru', 'gru'\); allowed"),
        ({"cells": ("gru", "dog")}, r"cells is \('gru', 'dog'\); allowed"),
        ({"schemes": ()}, r"schemes is \(\); allowed: at least one of 'torch'"),
        ({"schemes": ("dog",)}, r"schemes is \('dog',\); allowed"),
        ({"lrs": ()}, r"lrs is \(\); allowed"),
        ({"lrs": (0.1, 0.10)}, r"lrs is \(0.1, 0.1\); allowed"),
        ({"lrs": (0.0,)}, "lr is 0.0; allowed: a number from"),
        ({"lengths": tuple(range(1, 202))}, "Trainings of a sweep: 201; allowed here: up to 200, so that it"),
        ({"base": replace(QUICK, steps=20_001)}, "Training steps: 20,001; allowed here"),
    ],
)
def test_what_cannot_be_is_one_sentence(change, said):
    given = {"base": QUICK, "lengths": (5,), "cells": ("gru",), "schemes": ("torch",), "lrs": (0.1,)}
    with pytest.raises(ValueError, match=said) as caught:
        Sweep(**{**given, **change})
    assert "\n" not in str(caught.value)


def test_its_owner_may_raise_the_limit(monkeypatch):
    monkeypatch.setenv(limits.VARIABLE, "sweep=201")
    assert len(Sweep(QUICK, tuple(range(1, 202)), ("gru",)).configs) == 201


def test_every_training_is_within_the_limits_of_a_run():
    slow = replace(QUICK, hidden_size=200, batch_size=500, steps=20_000)
    limits.check(Job((replace(slow, length=1),)))
    with pytest.raises(ValueError, match="Bytes that training works with"):
        Sweep(slow, (1, 1000), ("lstm",))


def test_the_sum_of_a_sweep_is_limited_too():
    slow = replace(QUICK, hidden_size=44, batch_size=50, steps=20_000, seeds=tuple(range(10)))
    lengths = tuple(range(91, 101))
    assert len(Sweep(slow, lengths[:1], ("lstm",)).configs) == 1
    with pytest.raises(ValueError, match=r"of a sweep: .* billion; allowed here: up to 1e\+05 billion"):
        Sweep(slow, lengths, ("lstm",), lrs=tuple(0.001 * k for k in range(1, 11)))


def test_work_grows_with_everything_that_takes_time():
    for change in (
        {"length": 50},
        {"steps": 60},
        {"hidden_size": 8},
        {"batch_size": 50},
        {"seeds": (0, 1, 2)},
    ):
        assert work_of(replace(QUICK, **change)) > work_of(QUICK)
