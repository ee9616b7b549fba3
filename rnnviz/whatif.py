"""What if: gates held, units silenced or inputs changed, as plain frozen values and as typed text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor

from rnnviz.engine import CellSpec, Clamp, lesion
from rnnviz.signals import Signal

ALL = "all"
_RANGE = re.compile(r"(\d{1,6})(?:\s*[-–]\s*(\d{1,6}))?")


@dataclass(frozen=True)
class WhatIf:
    """What differs from the run as it is.

    Attributes:
        clamps: gates and states that are held.
        silenced: units, from 0, that carry nothing.
        edits: (step from 1, feature or None, value): an input replaced; a feature stands for its one-hot.
    """

    clamps: tuple[Clamp, ...] = ()
    silenced: tuple[int, ...] = ()
    edits: tuple[tuple[int, int | None, float], ...] = ()

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.clamps or self.silenced or self.edits)

    def held(self, spec: CellSpec) -> tuple[Clamp, ...]:
        """Everything that is held, silenced units last."""
        return (*self.clamps, *(lesion(spec, self.silenced) if self.silenced else ()))

    def input(self, x: Tensor) -> Tensor:
        """The input (T,1,D) with its edits; a new tensor where there are any."""
        if self.edits:
            x = x.clone()
        for step, feature, value in self.edits:
            if feature is not None:
                x[step - 1] = 0
            x[step - 1, 0, feature or 0] = value
        return x

    def caption(self) -> str:
        """In a few words; empty where nothing differs."""
        parts = []
        for clamp in self.clamps:
            where = "" if clamp.units is None else f" at units {said([u + 1 for u in clamp.units])}"
            when = "" if clamp.steps is None else f", steps {said(clamp.steps)}"
            parts.append(f"{clamp.name} = {clamp.value:g}{where}{when}")
        if self.silenced:
            parts.append(f"units {said([u + 1 for u in self.silenced])} silenced")
        if self.edits:
            parts.append(f"input changed at {said({step for step, _, _ in self.edits})}")
        return f"what if: {'; '.join(parts)}" if parts else ""


def places(text: str, what: str, high: int) -> tuple[int, ...] | None:
    """Numbers from 1 as people write them, ``3, 5-8``; None for ``all``.

    Raises:
        ValueError: naming the field, what is wrong and what is allowed.
    """
    if text.strip().lower() in ("", ALL):
        return None
    found: set[int] = set()
    for part in filter(None, (part.strip() for part in re.split(r"[,;]", text))):
        match = _RANGE.fullmatch(part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last <= high:
            raise ValueError(
                f"{what} “{part[:30]}” cannot be; allowed: numbers from 1 to {high} such as 3, 5-8, or all."
            )
        found.update(range(first, last + 1))
    if not found:
        raise ValueError(
            f"{what} “{text.strip()[:30]}” names none; "
            f"allowed: numbers from 1 to {high} such as 3, 5-8, or all."
        )
    return tuple(sorted(found))


def edits(text: str, signal: Signal) -> tuple[tuple[int, int | None, float], ...]:
    """Inputs to change as people write them, ``3 = e, 7 = s`` or, for a series, ``3 = 0.5``.

    Raises:
        ValueError: naming the field, what is wrong and what is allowed.
    """
    T, alphabet = len(signal.x), sorted(set(signal.symbols))
    if signal.symbols and signal.features:
        alphabet = list(signal.features)
    example = "3 = e" if alphabet else "3 = 0.5"
    found: list[tuple[int, int | None, float]] = []
    for part in re.findall(r"\s*\d+\s*=\s*(?:[^,;]*[^,;\s]|,|;| )|[^,;\s][^,;]*", text):
        match = re.fullmatch(r"\s*(\d{1,6})\s*=\s?(.+)", part)
        if not match or not 1 <= int(match[1]) <= T:
            raise ValueError(
                f"Changed input “{part.strip()[:30]}” cannot be; allowed: step = value, "
                f"steps from 1 to {T}, such as {example}."
            )
        step, value = int(match[1]), match[2]
        if alphabet:
            letter = " " if not value.strip() or value.strip() == "␣" else value.strip()
            if letter not in alphabet:
                raise ValueError(
                    f"Changed input at step {step} is “{letter[:10]}”; allowed: a character of the text, "
                    "as the cell knows no other."
                )
            found.append((step, alphabet.index(letter), 1.0))
        else:
            try:
                number = float(value.replace("−", "-"))
            except ValueError:
                number = float("nan")
            if not abs(number) <= 1e6:
                raise ValueError(
                    f"Changed input at step {step} is “{value.strip()[:20]}”; "
                    "allowed: a number from -1e6 to 1e6."
                )
            found.append((step, None, number))
    return tuple(found)


def said(numbers: Iterable[int]) -> str:
    """Numbers in few words: ``3, 5–8``."""
    runs: list[list[int]] = []
    for k in sorted(numbers):
        if runs and k == runs[-1][1] + 1:
            runs[-1][1] = k
        else:
            runs.append([k, k])
    return ", ".join(f"{a}" if a == b else f"{a}–{b}" for a, b in runs)
