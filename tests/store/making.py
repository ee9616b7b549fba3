"""Runs to keep, and what it means that two of them are the same: to the bit."""

import struct
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np

from rnnviz import run_file
from rnnviz.engine.learning import AXES, Learning, learning_of
from rnnviz.engine.train import Record, TrainConfig, Training, train
from rnnviz.run_file import Kept, KeptCell

TINY = TrainConfig(
    task="adding", length=8, cell="gru", hidden_size=3, seeds=(0, 4), steps=12, eval_every=5, batch_size=4
)
WILD = replace(TINY, cell="rnn", optimizer="sgd", lr=1000.0, clip=None, seeds=(0, 1), steps=30)  # diverges
CURVES = tuple(name for axis, names in AXES.items() for name in (axis, *names))
Bits = tuple[str, tuple[int, ...], bytes]


def bits(value) -> Bits:
    """An array or a tensor so that NaN equals NaN, and -0.0 does not equal 0.0."""
    array = np.ascontiguousarray(value)
    return array.dtype.str, tuple(value.shape), array.tobytes()


def curves(learning: Learning) -> dict[str, Bits]:
    return {name: bits(getattr(learning, name)) for name in CURVES}


def told(diverged) -> list[tuple[int, int, str, bytes]]:
    return [(d.seed, d.step, d.what, struct.pack("<d", d.grad_norm_before)) for d in diverged]


def everything(kept: Kept) -> object:
    """All that a run is, as values that compare."""
    return (
        kept.status,
        kept.why,
        kept.owner,
        dict(kept.versions),
        kept.apart,
        [
            (
                cell.learning.config,
                curves(cell.learning),
                told(cell.learning.diverged),
                cell.learning.solved,
                cell.learning.finished,
                cell.seconds,
                {step: {n: bits(v) for n, v in of.items()} for step, of in cell.weights.items()},
                cell.checkpoint
                and (
                    cell.checkpoint.config,
                    cell.checkpoint.step,
                    cell.checkpoint.finished,
                    told(cell.checkpoint.diverged),
                    {name: bits(value) for name, value in cell.checkpoint.tensors.items()},
                ),
            )
            for cell in kept.cells
        ],
    )


def copied(training: Training) -> dict:
    return {name: value.clone() for name, value in training.params.items()}


def learned(config: TrainConfig, steps: int, every: int = 4) -> KeptCell:
    """A cell as it stands after some updates, weights saved every few of them."""
    training = train(config)
    records: list[Record] = []
    weights = {0: copied(training)}
    for record in upto(training, steps):
        records.append(record)
        if record.step % every == 0:
            weights[record.step] = copied(training)
    checkpoint = training.checkpoint()
    return KeptCell(learning_of(config, records), weights, 0.25 * len(records), checkpoint)


def upto(training: Training, steps: int) -> Iterator[Record]:
    while training.step < steps and (record := next(training, None)):
        yield record


@cache
def half(*configs: TrainConfig, steps: int = 6) -> Kept:
    """A run that was stopped on its way."""
    cells = tuple(learned(config, steps) for config in configs or (TINY,))
    return Kept(cells, "paused", "", "somebody")


@cache
def whole(*configs: TrainConfig) -> Kept:
    """A run that has finished."""
    cells = tuple(learned(config, config.steps) for config in configs or (TINY,))
    return Kept(tuple(replace(cell, checkpoint=None) for cell in cells), "finished", "", "somebody")


def forged(kept: Kept, head=lambda head: None, arrays=lambda arrays: None) -> bytes:
    """A file with a right check sum over what no trainer has written; both functions edit in place."""
    values, said = run_file.unpack_arrays(run_file.pack(kept))
    head(said)
    arrays(values)
    return run_file.pack_arrays(values, said)
