"""Files that are damaged, or made to harm: each is refused in a sentence, at no cost, and none is misread."""

import copy
import json
import random
import struct
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnviz import run_file
from rnnviz.run_file import MOST_HEAD, Kept, KeptCell, UnreadableError
from tests.store.making import TINY, everything, forged, half, whole
from tests.store.processes import spawned, unpacked_within

SMALL = replace(TINY, hidden_size=1, seeds=(0,), cell="rnn", optimizer="sgd", state_grads_every=5)


def small() -> Kept:
    return half(SMALL)


def refused(data: bytes) -> str:
    """The sentence that a file is refused with; nothing but that may come."""
    with pytest.raises(UnreadableError) as caught:
        run_file.unpack(data)
    sentence = str(caught.value)
    assert 10 < len(sentence) < 400
    assert "Error" not in sentence
    return sentence


def raw(text: str | bytes, tail: bytes = b"") -> bytes:
    """A file of nothing but this header."""
    head = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(head)) + head + tail


def headed(head: str) -> bytes:
    return raw(json.dumps({"__metadata__": {"rnnviz": head}}))


def test_a_file_cut_anywhere_is_refused():
    data = run_file.pack(small())
    places = {*range(64), *range(64, len(data), 13), *range(len(data) - 64, len(data))}
    for n in sorted(places):
        with pytest.raises(UnreadableError):
            run_file.unpack(data[:n])
    refused(data + b"\0")


def test_a_flipped_bit_is_refused_or_changes_nothing():
    kept = small()
    data, want = run_file.pack(kept), everything(kept)
    draw = random.Random(0)
    refusals = 0
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 1 << draw.randrange(8)
        try:
            got = run_file.unpack(bytes(flipped))
        except UnreadableError:
            refusals += 1
        else:
            assert everything(got) == want, place
    assert refusals >= 0.99 * len(data)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_damage_of_any_kind_is_refused_or_changes_nothing(data):
    kept = small()
    file = bytearray(run_file.pack(kept))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(file)))
        end = data.draw(st.integers(start, min(len(file), start + 200)))
        file[start:end] = data.draw(st.binary(max_size=200))
    try:
        got = run_file.unpack(bytes(file))
    except UnreadableError:
        return
    assert everything(got) == everything(kept)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(max_size=300))
def test_random_bytes_are_no_run(data):
    refused(data)
    refused(raw(data))


def test_files_that_are_no_runs():
    huge = "9" * 5000
    for data in (
        b"",
        b"\0",
        b"\0" * 8,
        b"\xff" * 8,
        b"\xff" * 1000,
        raw(""),
        raw("{}"),
        raw("[]"),
        raw("null"),
        raw("5"),
        raw('"text"'),
        raw("\ufeff{}"),
        raw(b"\xff\xfe{}"),
        raw(huge),
        raw("[" * 100_000),
        raw('{"__metadata__": ' + "[" * 100_000),
        raw('{"__metadata__": null}'),
        raw('{"__metadata__": {"rnnviz": null}}'),
        raw('{"__metadata__": {"rnnviz": {}}}'),
        raw('{"__metadata__": {"other": "{}"}}'),
        headed(""),
        headed("null"),
        headed("[]"),
        headed("[" * 100_000),
        headed('{"format": 1, "a": ' + "[" * 500 + "]" * 500 + "}"),
        headed("{}"),
        headed('{"format": "1"}'),
        headed('{"format": true}'),
        headed('{"format": 1.0}'),
        headed('{"format": NaN}'),
        headed('{"format": 0}'),
        headed('{"format": -1}'),
        headed(f'{{"format": {huge}}}'),
        headed('{"format": 1}'),
        headed('{"format": 1, "sum": NaN}'),
        headed('{"format": 1, "sum": null}'),
        headed('{"format": 1, "sum": []}'),
    ):
        assert "damaged" in refused(data), data[:80]
    refused(struct.pack("<Q", MOST_HEAD + 1) + b" " * (MOST_HEAD + 1))
    refused(struct.pack("<Q", 2**63) + b"{}")


def test_a_newer_file_says_so():
    newer = json.dumps({"format": 2, "versions": {"rnnviz": "9.8.7"}, "cells": "in some new way"})
    said = refused(headed(newer))
    assert "newer version of this program (9.8.7)" in said
    assert "its format is 2, and this version reads format 1" in said
    for versions in ('"x"', "null", "[]", "{}", '{"rnnviz": []}', '{"rnnviz": {"a": 1}}'):
        assert "newer" in refused(headed(f'{{"format": 3, "versions": {versions}}}'))


def cell(name, value):
    return lambda head: head["cells"][0].__setitem__(name, value)


def config(**changes):
    return lambda head: head["cells"][0]["config"].update(changes)


def top(name, value):
    return lambda head: head.__setitem__(name, value)


def checkpoint(name, value):
    return lambda head: head["cells"][0]["checkpoint"].__setitem__(name, value)


GONE = {"seed": 0, "step": 2, "what": "the loss is nan", "grad_norm_before": 1.0}


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (top("status", 5), "status of its head is a int; expected: str"),
        (top("why", None), "why of its head is a NoneType; expected: str"),
        (top("owner", ["a"]), "owner of its head is a list; expected: str"),
        (top("versions", []), "versions of its head is a list; expected: dict"),
        (top("cells", {}), "cells of its head is a dict; expected: list"),
        (top("cells", []), "cells is empty; expected: at least one"),
        (top("cells", [5]), "cell 0 is a int; expected: an object"),
        (top("apart", [[0], [0]]), "apart is of 2 cells; expected: 1, or none"),
        (top("apart", [["../x"]]), "apart holds what is no list of steps"),
        (top("apart", [5]), "apart holds what is no list of steps"),
        (lambda head: head.pop("status"), "its head has no “status”"),
        (lambda head: head["cells"].append(head["cells"][0]), "“asked_steps” is missing"),
        (lambda head: head["cells"][0].pop("config"), "cell 0 has no “config”"),
        (cell("config", []), "config of cell 0 is a list; expected: dict"),
        (cell("seconds", "1"), "seconds of cell 0 is a str; expected: float"),
        (cell("seconds", float("nan")), "seconds of cell 0 is nan; expected: a number from 0 up"),
        (cell("seconds", float("inf")), "seconds of cell 0 is inf"),
        (cell("seconds", -1), "seconds of cell 0 is -1"),
        (cell("seconds", 10**400), "seconds of cell 0 is too large"),
        (cell("solved", 1), "solved of cell 0 is a int; expected: bool"),
        (cell("finished", None), "finished of cell 0 is a NoneType; expected: bool"),
        (cell("step", 7), "its head says step 7; its curves end at step 6"),
        (cell("step", True), "step of cell 0 is a bool; expected: int"),
        (cell("diverged", [5]), "a divergence of cell 0 is a int"),
        (cell("diverged", [{**GONE, "seed": "0"}]), "seed of a divergence of cell 0 is a str"),
        (cell("diverged", [{**GONE, "seed": 9}]), "seed 9 diverged at step 2; expected: a seed and a step"),
        (cell("diverged", [{**GONE, "step": 7}]), "seed 0 diverged at step 7"),
        (cell("diverged", [{**GONE, "step": 0}]), "seed 0 diverged at step 0"),
        (cell("checkpoint", None), "the checkpoint of cell 0 is a NoneType"),
        (lambda head: head["cells"][0].pop("checkpoint"), "“checkpoint.*” is not of this cell"),
        (checkpoint("step", 6.0), "step of the checkpoint of cell 0 is a float; expected: int"),
        (checkpoint("step", 7), "its checkpoint is of step 7; allowed: 0 to 6"),
        (checkpoint("step", -1), "its checkpoint is of step -1"),
        (checkpoint("finished", 0), "finished of the checkpoint of cell 0 is a int"),
        (checkpoint("diverged", [{**GONE, "seed": 9}]), "seed 9 diverged"),
        (config(colour="red"), "its configuration cannot be: “colour” is no setting that this version knows"),
        (config(task="chess"), "its configuration cannot be: task is 'chess'; allowed: 'adding'"),
        (config(lr=float("nan")), "its configuration cannot be: lr is nan; allowed: a number"),
        (config(hidden_size=-1), "its configuration cannot be: hidden_size is -1; allowed: a whole number"),
        (config(hidden_size=[[[1]]]), "its configuration cannot be: hidden_size is"),
        (config(seeds={"a": 1}), "its configuration cannot be: seeds is"),
        (config(options=[["reset", ["before"]]]), "its configuration cannot be"),
        (config(scheme_options=[["dtype", 1]]), "its configuration cannot be"),
        (config(cell="gru"), "its numbers do not fit .*the weights are .*the configuration has"),
        (config(hidden_size=2), "its numbers do not fit .*the weights are 7 numbers; the configuration has"),
        (config(hidden_size=10**9), "the configuration has 1,000,000,0"),
        (config(seeds=[0, 1]), r"loss is float64 of shape \(6, 1\); the configuration has float64 \(6, 2\)"),
        (config(dtype="float64"), "is float32 of shape .*; the configuration has float64"),
        (config(steps=5), "steps are 6; allowed: 1, 2, 3 … up to 5"),
        (config(optimizer="adam"), "“optimiser.0.exp_avg” is missing"),
        (config(length=4), "state_grad_norms are of 8 time steps; allowed: up to 4"),
    ],
)
def test_a_head_that_cannot_be_is_named(head, said):
    with pytest.raises(UnreadableError, match=said):
        run_file.unpack(forged(small(), head))


def put(name, change):
    return lambda arrays: arrays.__setitem__(name, change(arrays[name]))


def without(name):
    return lambda arrays: arrays.pop(name)


def stepped(steps):
    return lambda old: np.array(steps, np.int64)


def blunt(state):
    """A generator's state whose counter is out of range."""
    bad = state.copy()
    bad[8:16] = 255
    return bad


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        (without("0.saved"), "“saved” is missing"),
        (without("0.learning.loss"), "“loss” is missing"),
        (without("0.weights.W_hh"), "the weights are 6 numbers; the configuration has 7"),
        (without("0.checkpoint.alive"), "“alive” is missing"),
        (without("0.checkpoint.stream.0"), "“stream.0” is missing"),
        (lambda a: a.update({"0.learning.joy": a["0.learning.loss"]}), "“joy” is not of this cell"),
        (lambda a: a.update({"0.weights.W": a.pop("0.weights.W_hh")}), "“W” is not of this cell"),
        (lambda a: a.update({"0.weights.X": a["0.saved"][:, None][:, :0]}), "“X” is not of this cell"),
        (lambda a: a.update({"0.checkpoint.X": a["0.saved"]}), "“X” is not of this cell"),
        (lambda a: a.update({"0.other": a["0.saved"]}), "“other” is not of this cell"),
        (lambda a: a.update({"other": a["0.saved"]}), "it holds “other.”, which no run has"),
        (lambda a: a.update({"1.saved": a["0.saved"]}), "it holds “1.saved”, which no run has"),
        (lambda a: a.update({"00.saved": a["0.saved"]}), "it holds “00.saved”, which no run has"),
        (put("0.learning.steps", stepped([1, 2, 3, 4, 6, 5])), "steps are 6; allowed: 1, 2, 3"),
        (put("0.learning.steps", stepped([2, 1, 3, 4, 5, 6])), "steps are 6; allowed: 1, 2, 3"),
        (put("0.learning.steps", stepped([0, 2, 3, 4, 5, 6])), "steps are 6; allowed: 1, 2, 3"),
        (put("0.learning.steps", lambda v: v.astype(np.int32)), "steps is int32 .*has int64"),
        (put("0.learning.steps", lambda v: v[:, None]), r"steps is int64 of shape \(6, 1\)"),
        (put("0.learning.eval_steps", stepped([5, 0])), "eval_steps are not increasing from 0 to 6"),
        (put("0.learning.eval_steps", stepped([0, 7])), "eval_steps are not increasing from 0 to 6"),
        (put("0.learning.asked_steps", stepped([0, 6])), "asked_steps are not increasing from 1 to 6"),
        (put("0.learning.loss", lambda v: v[:5]), r"loss is float64 of shape \(5, 1\)"),
        (put("0.learning.loss", lambda v: v.astype(np.float32)), "loss is float32"),
        (put("0.learning.loss", lambda v: v.ravel()), r"loss is float64 of shape \(6,\)"),
        (put("0.learning.clipped", lambda v: v.astype(np.uint8)), "clipped is uint8"),
        (put("0.learning.clipped", lambda v: np.full(v.shape, 7, np.uint8).view(bool)), "neither true nor"),
        (put("0.learning.state_grad_norms", lambda v: v[..., 0]), "state_grad_norms has 2 axes; allowed: 3"),
        (put("0.learning.state_grad_norms", lambda v: v.repeat(2, 2)), "are of 16 time steps; .*up to 8"),
        (put("0.saved", stepped([4, 0])), "saved are not increasing from 0 to 6"),
        (put("0.saved", stepped([0, 7])), "saved are not increasing from 0 to 6"),
        (put("0.saved", stepped([0])), r"is of shape \(2, .*; expected: \(1, …\)"),
        (put("0.saved", stepped([])), r"is of shape \(2, .*; expected: \(0, …\)"),
        (put("0.saved", lambda v: v.astype(np.float64)), "saved is float64"),
        (put("0.saved", lambda v: v[None]), "saved is int64 of shape"),
        (put("0.saved", lambda v: v[0]), "saved is int64 of shape"),
        (put("0.weights.W_hh", lambda v: v.astype(np.float64)), "W_hh is float64 .*has float32"),
        (put("0.weights.W_hh", lambda v: v.repeat(2, 1)), "the weights are 8 numbers; .* has 7"),
        (put("0.weights.W_ih", lambda v: v.swapaxes(2, 3)), "W_ih is float32 of shape"),
        (put("0.checkpoint.params.W_hh", lambda v: v.ravel()), "params.W_hh is float32 of shape"),
        (put("0.checkpoint.params.W_hh", lambda v: v.astype(np.float64)), "params.W_hh is float64"),
        (put("0.checkpoint.metric", lambda v: v.repeat(2)), "metric is float64 of shape"),
        (put("0.checkpoint.stream.0", lambda v: v[:-1]), "stream.0 is uint8 of shape"),
        (put("0.checkpoint.stream.0", blunt), "stream 0 of random numbers has no valid state"),
        (put("0.checkpoint.stream.0", np.zeros_like), "stream 0 of random numbers has no valid state"),
    ],
)
def test_tensors_that_do_not_fit_are_named(arrays, said):
    with pytest.raises(UnreadableError, match=said):
        run_file.unpack(forged(small(), arrays=arrays))


def test_optimisers_remember_what_they_should():
    for name in ("adam", "rmsprop"):
        kept = half(replace(SMALL, optimizer=name))
        memory = (
            "0.checkpoint.optimiser.0.exp_avg" if name == "adam" else "0.checkpoint.optimiser.0.square_avg"
        )
        for change, said in (
            (without(memory), "is missing"),
            (put(memory, lambda v: v.astype(np.float64)), "is float64"),
            (put(memory, lambda v: v.ravel()), "of shape"),
        ):
            with pytest.raises(
                UnreadableError, match=f"{memory.partition('.')[2].partition('.')[2]}.*{said}"
            ):
                run_file.unpack(forged(kept, arrays=change))


NASTY = (
    None, True, False, 0, 1, -1, 10**9, 2**63, 10**4000, 0.5, float("nan"), float("inf"), -0.0, "", "x", "0",
    "../x", "x" * 10_000, [], {}, [[]], [None], {"a": 1}, [0] * 1000, [[0, 1]], [["reset", "before"]],
)  # fmt: skip


def test_no_value_anywhere_in_a_head_does_harm():
    """Any entry at any depth, replaced by anything: a refusal, or a run that can be written again."""
    draw = random.Random(1)
    kept = half(SMALL, steps=2)
    values, head = run_file.unpack_arrays(run_file.pack(kept))

    def places(node, path=()):
        yield path
        for key, below in node.items() if isinstance(node, dict) else enumerate(node):
            yield from places(below, (*path, key)) if isinstance(below, dict | list) else [(*path, key)]

    every = [path for path in places(head) if path]
    taken = longest = 0
    for path in every:
        for value in draw.sample(NASTY, 8):
            changed = copy.deepcopy(head)
            node = changed
            for key in path[:-1]:
                node = node[key]
            node[path[-1]] = value
            try:
                got = run_file.unpack(run_file.pack_arrays(values, changed))
            except UnreadableError as error:
                longest = max(longest, len(str(error)))
            else:
                taken += 1
                assert everything(run_file.unpack(run_file.pack(got))) == everything(got)
    assert taken < 0.4 * 8 * len(every)
    assert longest < 500


def bombs() -> dict[str, bytes]:
    """Small files that claim to be large."""
    huge = 10**9
    none = Kept((KeptCell(replace(half(SMALL, steps=0).cells[0].learning), {}, 0.0),), "paused")
    D, O = 2, 1

    def hollow(arrays, H=huge):
        """Weights of the very shapes that such a configuration has, and of no bytes."""
        arrays["0.saved"] = np.zeros(0, np.int64)
        shapes = {"W_ih": (H, D), "W_hh": (H, H), "b_ih": (H,), "b_hh": (H,), "W_hy": (O, H), "b_y": (O,)}
        for name, shape in shapes.items():
            arrays[f"0.weights.{name}"] = np.zeros((0, 1, *shape), np.float32)

    def hollow_first(arrays):
        hollow(arrays, 10**6)
        arrays["0.saved"] = np.zeros(1, np.int64)

    def long(arrays):
        arrays["0.learning.state_grad_norms"] = np.zeros((0, 1, huge))
        arrays["0.learning.asked_steps"] = np.zeros(0, np.int64)

    many = json.dumps({"format": 1, "sum": 0, "cells": [[]] * 1_000_000})
    return {
        "units": forged(small(), config(hidden_size=huge)),
        "units, no weights saved": forged(
            Kept((replace(small().cells[0], weights={}),), "paused"), config(hidden_size=huge)
        ),
        "weights of no bytes": forged(none, config(hidden_size=10**4), lambda a: hollow(a, 10**4)),
        "weights of no bytes, more": forged(none, config(hidden_size=10**6), lambda a: hollow(a, 10**6)),
        "a step, weights of no bytes": forged(half(SMALL, steps=0), config(hidden_size=10**6), hollow_first),
        "time steps": forged(none, arrays=long),
        "cells": headed(many),
        "a tensor of no bytes": raw(
            json.dumps(
                {
                    "__metadata__": {"rnnviz": '{"format": 1, "sum": 0}'},
                    "0.saved": {"dtype": "I64", "shape": [0, 2**62, 2**62], "data_offsets": [0, 0]},
                }
            )
        ),
        "types that numpy has not": raw(
            json.dumps(
                {
                    "__metadata__": {"rnnviz": '{"format": 1, "sum": 0}'},
                    "0.saved": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]},
                }
            ),
            b"\0\0",
        ),
        "optimiser": forged(half(replace(SMALL, optimizer="adam")), config(hidden_size=10**5)),
    }


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not hold a process to its memory")
def test_a_small_file_cannot_ask_for_much():
    for name, data in bombs().items():
        said = spawned(unpacked_within, data, 300_000_000)
        assert said.startswith("refused after"), (name, said)
        assert float(said.split()[2]) < 3.0, (name, said)


def test_a_run_without_numbers_may_name_any_size():
    """It asks for nothing until it is trained, and the limits stand before that."""
    none = Kept((KeptCell(half(SMALL, steps=0).cells[0].learning, {}, 0.0),), "paused")
    assert run_file.unpack(forged(none, config(hidden_size=10**9))).configs[0].hidden_size == 10**9


def test_the_forger_forges_what_is_whole():
    """Else the tests above would refuse for another reason than theirs."""
    for kept in (small(), whole(SMALL)):
        assert everything(run_file.unpack(forged(kept))) == everything(kept)
