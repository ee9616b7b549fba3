"""Which of many words along an axis of steps can be written without one running into the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import ceil

import numpy as np
from numpy.typing import NDArray

from rnnviz.charts.log_axis import spread

ROOM = 780  # pixels that an axis has on a slide and on a wide page
LETTER = 8.0  # pixels that a letter of 14 px takes on average
BESIDE = 4  # pixels between words
RARE = 8  # what stands at one step of so many, or fewer, is rare


@dataclass(frozen=True)
class Word:
    """What is written, of which steps (from 1), and where its middle stands: at theirs, or beside it."""

    text: str
    steps: tuple[int, ...]
    at: float


def fitting(words: Sequence[str], matter: set[int]) -> list[Word]:
    """The words to write, in order.

    All of them where there is room; else those at steps that matter, neighbouring letters drawn together
    and words moved apart where they meet; else every n-th.

    Args:
        words: one a step, blank where nothing stands.
        matter: steps, from 1, that are written where not all fit.
    """
    there = [Word(word, (t,), t) for t, word in enumerate(words, 1) if word.strip()]
    if _apart(there, len(words)) == there:
        return there
    first = [word for word in there if word.steps[0] in matter]
    if first:
        return _moved(_joined(first), len(words))
    widest = max(map(_width, there))
    return there[:: ceil(widest * len(words) / ROOM)]


def rare(words: Sequence[str], common: float = 0.0) -> set[int]:
    """Steps, from 1, of words that stand at few steps; none unless one word has the share ``common``."""
    counts = Counter(word for word in words if word.strip())
    total = sum(counts.values())
    if max(counts.values(), default=0) < common * total:
        return set()
    return {t for t, word in enumerate(words, 1) if 0 < counts[word] * RARE <= total}


def left_out(what: str, words: Sequence[str], written: Sequence[Word]) -> str:
    """For a caption: how many words found no room."""
    there, kept = sum(bool(word.strip()) for word in words), sum(len(word.steps) for word in written)
    return f" · {what} written at {kept} of {there} steps" if kept < there else ""


def spread_within(places: NDArray[np.float64], gap: float, low: float, high: float) -> NDArray[np.float64]:
    """`log_axis.spread`, moved in from beyond the axis as long as there is room."""
    moved = spread(places, gap)
    order = np.argsort(moved, kind="stable")
    gaps = gap * np.arange(len(places))
    room = max(low, high - gaps[-1]) if len(places) else high
    moved[order] = np.clip(moved[order] - gaps, low, room) + gaps
    return moved


def _width(word: Word) -> float:
    return LETTER * len(word.text) + BESIDE


def _joined(words: list[Word]) -> list[Word]:
    """Letters at steps that follow each other as one word."""
    runs = groupby(enumerate(words), lambda pair: (pair[1].steps[0] - pair[0], len(pair[1].text) == 1))
    result = []
    for (_, letters), run in runs:
        own = [word for _, word in run]
        steps = tuple(word.steps[0] for word in own)
        both = Word("".join(word.text for word in own), steps, (steps[0] + steps[-1]) / 2)
        result += [both] if letters else own
    return result


def _moved(words: list[Word], T: int) -> list[Word]:
    """The same, moved apart; where even that finds no room, those that stand clear of the one before."""
    gap = max(map(_width, words)) / ROOM * T
    if gap * len(words) > T:
        return _apart(words, T)
    at = spread_within(np.array([word.at for word in words], dtype=float), gap, 1.0, T)
    return [replace(word, at=place) for word, place in zip(words, at.tolist(), strict=True)]


def _apart(words: list[Word], T: int) -> list[Word]:
    """Those that stand clear of the one before."""
    kept: list[Word] = []
    end = float("-inf")
    for word in words:
        middle, half = (word.at - 0.5) / T * ROOM, _width(word) / 2
        if middle - half >= end - 1e-9:
            kept.append(word)
            end = middle + half
    return kept
