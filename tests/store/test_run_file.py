"""A run through a file: every bit of it comes back, and the file is what its format says."""

import io
import itertools
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy
import torch

import rnnviz
from rnnviz import run_file
from rnnviz.engine.learning import learning_of
from rnnviz.engine.train import Divergence, TrainConfig, train
from rnnviz.run_file import Kept, KeptCell, UnreadableError
from tests.store.making import TINY, WILD, bits, curves, everything, half, told, upto, whole


def run(name):
    cells = {
        "one cell": lambda: half(TINY),
        "three cells": lambda: half(*(replace(TINY, cell=cell) for cell in ("rnn", "lstm", "gru"))),
        "float64": lambda: half(replace(TINY, dtype="float64", cell="lstm")),
        "no update yet": lambda: half(TINY, steps=0),
        "one update": lambda: half(TINY, steps=1),
        "finished": lambda: whole(TINY),
        "norms of states": lambda: half(replace(TINY, state_grads_every=2)),
        "norms, lengths that vary": lambda: half(replace(TINY, task="reber", length=14, state_grads_every=1)),
        "sgd": lambda: half(replace(TINY, optimizer="sgd")),
        "rmsprop": lambda: half(replace(TINY, optimizer="rmsprop", dtype="float64")),
        "conventions": lambda: half(
            replace(
                TINY,
                options=(("reset", "before"), ("z", "takes")),
                scheme="orthogonal",
                scheme_options=(("gain", 2),),
                truncate=3,
                stop_at=0.1,
                lr=1,
            )
        ),
        "diverged": lambda: half(WILD, steps=30),
        "diverged and finished": lambda: whole(WILD),
        "one seed": lambda: half(replace(TINY, seeds=(2**63 - 1,))),
        "no weights, nowhere to go on": lambda: Kept(
            (KeptCell(half(TINY).cells[0].learning, {}, 0.0),), "died", "It died.", ""
        ),
        "words": lambda: replace(
            half(TINY),
            status="died",
            why='“Σ” "\\\u2028\ud800\x00',
            owner="ö" * 300,
            versions={"rnnviz": "9"},
        ),
        "weights elsewhere": lambda: Kept(
            (replace(half(TINY).cells[0], weights={}),), "running", apart=((0, 4),)
        ),
        "strange numbers": strange,
    }
    return cells[name]() if name else list(cells)


def strange():
    """Bits that arithmetic would not keep: NaN with a payload, infinities, -0.0, the smallest number."""
    kept = half(TINY)
    odd = np.frombuffer(
        np.array([0x7FF8000000000123, 0xFFF0000000000000, 0x8000000000000000, 1], np.uint64).tobytes(),
        np.float64,
    )
    learning = kept.cells[0].learning
    loss, norm = learning.loss.copy(), learning.grad_norm.copy()
    loss[:4, 0], norm[:4, 1] = odd, odd[::-1]
    gone = (
        Divergence(0, 3, "the loss is nan", float("nan")),
        Divergence(4, 6, "the gradient is inf", float("inf")),
    )
    learning = replace(learning, loss=loss, grad_norm=norm, diverged=gone, solved=True)
    return replace(kept, cells=(replace(kept.cells[0], learning=learning, seconds=0.1 + 0.2),))


@pytest.fixture(autouse=True)
def no_pickle(monkeypatch):
    """Nothing here may ever unpickle."""

    def never(*_, **__):
        raise AssertionError("a pickle was loaded")

    class Never(pickle.Unpickler):  # others derive from it
        load = never

    monkeypatch.setattr(pickle, "Unpickler", Never)
    for module, name in (
        (pickle, "loads"),
        (pickle, "load"),
        (torch, "load"),
        (torch.serialization, "load"),
        (np, "load"),
    ):
        monkeypatch.setattr(module, name, never)


@pytest.mark.parametrize("name", run(None))
def test_every_bit_comes_back(name):
    kept = run(name)
    again = run_file.unpack(run_file.pack(kept))
    if kept.apart:
        assert again.apart == ((0, 4),)
    assert everything(again) == everything(kept)
    assert again.id == kept.id
    assert again.configs == kept.configs


def test_the_runs_above_are_what_they_say():
    learning = run("diverged").cells[0].learning
    assert learning.diverged
    assert np.isnan(learning.loss).any()
    assert run("norms, lengths that vary").cells[0].learning.state_grad_norms.size > 0
    assert run("no update yet").cells[0].learning.step == 0
    assert run("finished").cells[0].learning.finished
    assert np.isnan(run("strange numbers").cells[0].learning.loss[0, 0])


def test_it_is_made_by_these_versions():
    versions = run_file.unpack(run_file.pack(half(TINY))).versions
    assert versions["rnnviz"] == rnnviz.__version__
    assert versions["torch"] == torch.__version__
    assert versions["numpy"] == np.__version__


@pytest.mark.parametrize("task", sorted(rnnviz.tasks.TASKS))
def test_every_task_can_be_kept(task):
    """Its gradient norms over time, too: no sequence that trains is longer than its length says."""
    low = rnnviz.tasks.TASKS[task].lengths.low
    kept = half(replace(TINY, task=task, length=low, state_grads_every=1), steps=3)
    assert everything(run_file.unpack(run_file.pack(kept))) == everything(kept)


@pytest.mark.parametrize(
    "config",
    [
        replace(TINY, cell=cell, optimizer=optimizer, dtype=dtype, state_grads_every=3)
        for cell, optimizer, dtype in itertools.product(
            ("rnn", "lstm", "gru"), ("adam", "sgd", "rmsprop"), ("float32", "float64")
        )
    ]
    + [replace(WILD, seeds=(0, 1, 2)), replace(TINY, task="reber", length=14, truncate=2)],
    ids=lambda config: f"{config.task}-{config.cell}-{config.optimizer}-{config.dtype}",
)
@pytest.mark.parametrize("at", [0, 7])
def test_going_on_from_a_file_changes_no_bit(config, at):
    straight = train(config)
    want = learning_of(config, straight)
    first = train(config)
    before = learning_of(config, upto(first, at))
    kept = Kept((KeptCell(before, {}, 0.0, first.checkpoint()),), "paused")
    cell = run_file.unpack(run_file.pack(kept)).cells[0]
    second = train(config, resume=cell.checkpoint)
    joined = cell.learning.then(learning_of(config, second))
    assert curves(joined) == curves(want)
    assert told(joined.diverged) == told(want.diverged)
    for name, value in straight.params.items():
        assert bits(second.params[name]) == bits(value)


def test_it_is_plain_safetensors(tmp_path):
    kept = half(TINY, replace(TINY, cell="rnn", state_grads_every=2))
    path = tmp_path / "run.safetensors"
    path.write_bytes(run_file.pack(kept))
    arrays = safetensors.numpy.load_file(path)
    for k, cell in enumerate(kept.cells):
        for name in ("steps", "loss", "grad_norm", "clipped", "metric", "state_grad_norms"):
            assert bits(arrays.pop(f"{k}.learning.{name}")) == bits(getattr(cell.learning, name))
        assert arrays.pop(f"{k}.saved").tolist() == [0, 4]
        for name in ("W_ih", "W_hh", "b_ih", "b_hh", "W_hy", "b_y"):
            stacked = arrays.pop(f"{k}.weights.{name}")
            for s, step in enumerate((0, 4)):
                assert bits(stacked[s]) == bits(cell.weights[step][name])
        for name, value in cell.checkpoint.tensors.items():
            assert bits(arrays.pop(f"{k}.checkpoint.{name}")) == bits(value)
    assert set(arrays) == {f"{k}.learning.{n}" for k in (0, 1) for n in ("eval_steps", "asked_steps")}
    with safetensors.safe_open(path, "np") as file:
        head = json.loads(file.metadata()["rnnviz"])
    assert head["status"] == "paused"
    assert [TrainConfig(**_tuples(cell["config"])) for cell in head["cells"]] == list(kept.configs)
    assert [cell["step"] for cell in head["cells"]] == [6, 6]


def _tuples(plain):
    return {name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()}


class Trap:
    """A pickle that acts when it is loaded."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


def test_a_pickle_is_no_run():
    buffer, old, arrays = io.BytesIO(), io.BytesIO(), io.BytesIO()
    torch.save({"a": torch.zeros(3)}, buffer)
    torch.save({"a": torch.zeros(3)}, old, _use_new_zipfile_serialization=False)
    np.savez(arrays, a=np.zeros(3))
    files = [pickle.dumps(Trap(), protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    files += [buffer.getvalue(), old.getvalue(), arrays.getvalue()]
    for data in files:
        with pytest.raises(UnreadableError, match="no run of this program"):
            run_file.unpack(data)


def test_what_comes_out_of_a_file_is_its_own():
    """Tensors have memory of their own: training on from them changes nothing else."""
    data = run_file.pack(half(TINY))
    kept = run_file.unpack(data)
    before = everything(kept)
    for value in kept.cells[0].checkpoint.tensors.values():
        value.zero_()
    for value in kept.cells[0].weights[0].values():
        value.zero_()
    assert everything(run_file.unpack(data)) == before
