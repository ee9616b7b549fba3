"""Sequences as people read them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from rnnviz.engine.task import Batch, Example


def number(value: float, digits: int = 2) -> str:
    """With a minus sign rather than a hyphen.

    >>> number(-0.314)
    '−0.31'
    """
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")  # + 0.0: no minus before a zero


def symbols(x: Tensor, names: Sequence[str]) -> tuple[str, ...]:
    """The names of one sequence's one-hot symbols, (T,D), empty where there is none."""
    rows = zip(x.argmax(-1).tolist(), x.any(-1).tolist(), strict=True)
    return tuple(names[k] if there else "" for k, there in rows)


def asked(batch: Batch, b: int, names: Sequence[str]) -> tuple[str, ...]:
    """The class asked for at each step of sequence b, empty where nothing is."""
    rows = zip(batch.y[:, b].tolist(), batch.mask[:, b].tolist(), strict=True)
    return tuple(names[k] if counts else "" for k, counts in rows)


def next_symbols(
    batch: Batch, b: int, inputs: Sequence[str], outputs: Sequence[str], sentence: str
) -> Example:
    """Sequence b of a next-symbol task: beside each symbol those that may follow, as in "T/P"."""
    assert batch.legal is not None
    may = ["/".join(outputs[k] for k in row.nonzero().flatten()) for row in batch.legal[:, b]]
    counts = batch.mask[:, b].tolist()
    targets = tuple(text if there else "" for text, there in zip(may, counts, strict=True))
    return Example(symbols(batch.x[:, b], inputs), targets, sentence)
