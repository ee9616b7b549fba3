"""The embedded Reber grammar."""

from __future__ import annotations

from math import log

import torch

from rnnviz.engine.task import Baseline, Batch, Example, Lengths, Metric, Task
from rnnviz.tasks.losses import cross_entropy
from rnnviz.tasks.metrics import strings_right
from rnnviz.tasks.text import next_symbols

SYMBOLS = "BTSXPVE"
# The inner grammar after its B: a row a state, a column a branch; where it leads, and by which symbol.
GOES = ((1, 2), (1, 3), (2, 4), (2, 5), (3, 5), (6, 6), (6, 6))
SAYS = ((1, 4), (2, 3), (1, 5), (3, 2), (4, 5), (6, 6), (6, 6))


def reber(batch_size: int, length: int, generator: torch.Generator) -> Batch:
    """Strings B t B … E t E of at most ``length`` symbols, t being T or P; x (T,B,7), the next one asked.

    Each branch is taken with p = 1/2; strings that would be longer are drawn again.
    """
    goes, says = torch.tensor(GOES).flatten(), torch.tensor(SAYS)
    paths, turns, missing = [], [], batch_size
    while missing:
        turn = torch.randint(2, (length - 5, missing), generator=generator)
        path = [torch.zeros(missing, dtype=torch.int64)]
        for branch in turn:
            path.append(goes[2 * path[-1] + branch])
        ends = path[-1] == 6
        paths.append(torch.stack(path)[:, ends])
        turns.append(turn[:, ends])
        missing -= int(ends.sum())
    state, turn, each = torch.cat(paths, 1), torch.cat(turns, 1), torch.arange(batch_size)
    outer = 1 + 3 * torch.randint(2, (batch_size,), generator=generator)  # T or P
    inner = (state[:-1] < 6).sum(0)  # symbols of the inner string after its B

    string = torch.zeros(length, batch_size, dtype=torch.int64)
    string[1], string[3:-2] = outer, says[state[:-1], turn]
    string[3 + inner, each], string[4 + inner, each] = outer, 6
    may = torch.zeros(7, 7, dtype=torch.bool).scatter_(1, says, True)
    legal = torch.zeros(length - 1, batch_size, 7, dtype=torch.bool)
    legal[0, :, [1, 4]] = legal[1, :, 0] = True
    legal[2:-1] = may[state]
    legal[2 + inner, each] = torch.nn.functional.one_hot(outer, 7).bool()
    legal[3 + inner, each] = may[6]

    there = torch.arange(length - 1).unsqueeze(1) < 4 + inner  # (T,B)
    x = torch.nn.functional.one_hot(string[:-1], 7) * there.unsqueeze(-1)
    return Batch(x.float(), string[1:] * there, there.float(), legal & there.unsqueeze(-1))


def lengths_of_strings(longest: int) -> dict[int, float]:
    """The probability of every length up to the longest, by counting on from state to state."""
    at, found = [1.0, 0, 0, 0, 0, 0, 0], {}
    for symbols in range(6, longest + 1):
        after = [0.0] * 7
        for p, targets in zip(at[:6], GOES, strict=False):
            for target in targets:
                after[target] += p / 2
        at, found[symbols] = after, after[6]
    return found


def floors(length: int) -> tuple[float, float]:
    """The loss of one who knows all that can be known, and of one who has forgotten the outer symbol.

    The first is the entropy of a string by the mean number of predictions. A string of L symbols takes
    L - 5 branches, and that strings above ``length`` are drawn again makes all others more probable.
    """
    chances = lengths_of_strings(length)
    kept = sum(chances.values())
    mean = sum(symbols * p for symbols, p in chances.items()) / kept
    entropy = (mean - 5) * log(2) + log(kept)
    return entropy / (mean - 1), (entropy + log(2)) / (mean - 1)


def baseline(length: int) -> Baseline:
    """All but the outer symbol; the second T or P is then a guess, so that no string is right."""
    loss = floors(length)[1]
    return Baseline(loss, 0.0, f"knows the grammar but not the outer symbol: {loss:.4f}")


def landmarks(length: int) -> tuple[tuple[float, str], ...]:
    """The floor, 7 ln 2/11 = 0.4411 for strings of any length."""
    floor = floors(length)[0]
    return ((floor, f"floor: knows everything that can be known: {floor:.4f}"),)


def example(batch: Batch, b: int) -> Example:
    """One string."""
    outer, last = SYMBOLS[int(batch.x[1, b].argmax())], int(batch.mask[:, b].sum())
    sentence = f"The second symbol was {outer}; so must be the last but one, {last - 2} steps later."
    return next_symbols(batch, b, SYMBOLS, SYMBOLS, sentence)


REBER = Task(
    name="reber",
    title="Embedded Reber grammar",
    question="Which symbols may come next, when the last but one must repeat the second?",
    source=(
        "Reber 1967; Cleeremans, Servan-Schreiber & McClelland 1989; Hochreiter & Schmidhuber 1997, "
        "experiment 1: solved when every string is right. Strings above the length are drawn again"
    ),
    inputs=tuple(SYMBOLS),
    outputs=tuple(SYMBOLS),
    lengths=Lengths(12, 200, 40, "symbols at most"),
    steps=lambda length: length - 1,
    draw=reber,
    loss=cross_entropy,
    metric=Metric("strings right", strings_right, higher_is_better=True, success=1.0, percent=True),
    baseline=baseline,
    landmarks=landmarks,
    example=example,
    parts=(f"GOES = {GOES}\nSAYS = {SAYS}",),
)
