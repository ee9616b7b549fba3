"""The name of a run: everything that it depends on, and nothing else."""

import json
import os
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from rnnviz.engine.train import TrainConfig
from rnnviz.run_config import config_of, plain_of, run_id

ROOT = Path(__file__).resolve().parents[2]
BASE = TrainConfig(task="adding", length=50)
# Every setting at another value than BASE's; one that is missing here fails below.
OTHER = {
    "task": "multiplication",
    "length": 51,
    "cell": "gru",
    "options": (("reset", "before"),),
    "hidden_size": 33,
    "seeds": (0, 1, 3),
    "steps": 1001,
    "batch_size": 51,
    "optimizer": "sgd",
    "lr": 0.02,
    "clip": None,
    "scheme": "glorot",
    "scheme_options": (("gain", 1.5),),
    "forget_bias": 1.0,
    "truncate": 10,
    "stop_at": 0.01,
    "eval_every": 101,
    "state_grads_every": 1,
    "dtype": "float64",
}
# What a setting needs around it to be allowed.
AROUND = {"options": {"cell": "gru"}, "scheme_options": {"scheme": "orthogonal"}}
RICH = TrainConfig(
    task="copy",
    length=10,
    cell="gru",
    options=(("reset", "before"), ("z", "takes")),
    hidden_size=16,
    seeds=(7, 2**63 - 1),
    steps=123,
    batch_size=20,
    optimizer="rmsprop",
    lr=0.001,
    clip=None,
    scheme="orthogonal",
    scheme_options=(("gain", 1.2),),
    truncate=5,
    stop_at=0.5,
    eval_every=50,
    state_grads_every=10,
    dtype="float64",
)
# Links and stores hold these names: they are for ever.
NAMES = {BASE: "301d7a3707ef88d0", RICH: "fb1c94ab154ddcf4"}
EXPLICIT = TrainConfig(
    task="adding",
    length=50,
    cell="lstm",
    options=(),
    hidden_size=32,
    seeds=(0, 1, 2),
    steps=1000,
    batch_size=50,
    optimizer="adam",
    lr=0.01,
    clip=1.0,
    scheme="torch",
    scheme_options=(),
    forget_bias=None,
    truncate=None,
    stop_at=None,
    eval_every=100,
    state_grads_every=0,
    dtype="float32",
)


@pytest.mark.parametrize("name", [f.name for f in fields(TrainConfig)])
def test_every_setting_counts(name):
    base = replace(BASE, **AROUND.get(name, {}))
    changed = replace(base, **{name: OTHER[name]})
    assert changed != base
    assert run_id([changed]) != run_id([base])


def test_the_names_never_change():
    for config, name in NAMES.items():
        assert run_id([config]) == name
    assert run_id([BASE, RICH]) == "6d660527dd8bfe3c"


def test_a_default_that_changes_would_give_old_names_a_new_meaning():
    assert EXPLICIT == BASE
    assert run_id([EXPLICIT]) == NAMES[BASE]


def test_it_is_a_name_for_files_and_links():
    for config in (BASE, RICH):
        assert len(run_id([config])) == 16
        assert set(run_id([config])) <= set("0123456789abcdef")


def test_numbers_that_are_equal_give_one_name():
    gained = {"scheme": "orthogonal"}
    for whole, real in (
        ({"lr": 1}, {"lr": 1.0}),
        ({"clip": 2}, {"clip": 2.0}),
        ({"forget_bias": 1}, {"forget_bias": 1.0}),
        ({"stop_at": 0}, {"stop_at": 0.0}),
        ({"stop_at": -0.0}, {"stop_at": 0.0}),
        ({"scheme_options": (("gain", 2),), **gained}, {"scheme_options": (("gain", 2.0),), **gained}),
    ):
        one, other = replace(BASE, **whole), replace(BASE, **real)
        assert one == other
        assert run_id([one]) == run_id([other])


def test_cells_and_their_order_count():
    other = replace(BASE, cell="rnn")
    names = {run_id(list(configs)) for configs in ((BASE,), (other,), (BASE, other), (other, BASE))}
    assert len(names) == 4


def test_a_configuration_survives_json():
    for config in (BASE, RICH, replace(BASE, lr=0.1 + 0.2, stop_at=1e-9, forget_bias=1)):
        again = config_of(json.loads(json.dumps(plain_of(config))))
        assert again == config
        assert run_id([again]) == run_id([config])
        assert type(again.seeds) is tuple
        assert hash(again) == hash(config)


def test_a_setting_that_comes_later_renames_no_old_run():
    plain = plain_of(BASE)
    for name in ("dtype", "truncate", "state_grads_every", "options"):
        del plain[name]  # as if it had been written before these were settings
    assert run_id([config_of(plain)]) == NAMES[BASE]


def test_another_process_gives_the_same_names():
    code = (
        "from tests.store.test_run_id import BASE, RICH\n"
        "from rnnviz.run_config import run_id\n"
        "print(run_id([BASE]), run_id([RICH]), run_id([BASE, RICH]))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.split() == [run_id([BASE]), run_id([RICH]), run_id([BASE, RICH])]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"colour": 1}, "“colour” is no setting that this version knows"),
        ({"seeds": 5}, "seeds is 5; allowed: a list"),
        ({"seeds": []}, "seeds is"),
        ({"seeds": [[1]]}, r"seed is \(1,\); allowed: a whole number"),
        ({"seeds": [True]}, "seed is True"),
        ({"options": [["reset"]]}, "options is .*pairs"),
        ({"options": None}, "options is None; allowed: a list"),
        ({"options": [[1, 2]]}, "options is .*pairs"),
        ({"scheme_options": {"gain": 1}}, "scheme_options is .*allowed: a list"),
        ({"hidden_size": 3.0}, "hidden_size is 3.0; allowed: a whole number"),
        ({"lr": float("nan")}, "lr is nan; allowed: a number"),
        ({"clip": "1"}, "clip is '1'; allowed: a number"),
        ({"task": ["adding"]}, "task is"),
        ({"dtype": "float16"}, "dtype is 'float16'; allowed: 'float32', 'float64'"),
        ({"length": 10**6}, "length is 1000000"),
    ],
)
def test_a_configuration_that_cannot_be_is_named(change, said):
    with pytest.raises(ValueError, match=said):
        config_of({**json.loads(json.dumps(plain_of(BASE))), **change})
