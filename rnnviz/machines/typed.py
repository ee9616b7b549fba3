"""What is typed for a machine, read character by character: anything else than what is allowed is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from rnnviz.machines.machine import Given

LONGEST = 200  # steps
LARGEST = 999  # of typed numbers


@dataclass(frozen=True)
class Typed:
    """A kind of input.

    Attributes:
        label: what its field is called.
        default: what stands there at first.
        help: what may stand there.
        read: the text -> `Given`; raises ValueError naming field, value and what is allowed.
    """

    label: str
    default: str
    help: str
    read: Callable[[str], Given]


def bits(text: str) -> Given:
    """``10110``, the first bit first; spaces do not count."""
    kept = "".join(text.split())
    _refuse_unless(bool(re.fullmatch("[01]+", kept)), "Bits", text, "0 and 1")
    _check_length("Bits", len(kept))
    return Given(tuple((int(bit),) for bit in kept), f"bits {_shortened(kept)}")


def numbers(text: str) -> Given:
    """``3 1 4``: whole numbers."""
    parts = re.split(r"[\s,;]+", text.strip())
    fine = all(re.fullmatch(r"[+\-−]?[0-9]{1,3}", part) for part in parts)
    _refuse_unless(fine, "Numbers", text, f"whole numbers from -{LARGEST} to {LARGEST}")
    _check_length("Numbers", len(parts))
    values = [int(part.replace("−", "-")) for part in parts]
    return Given(tuple((v,) for v in values), f"numbers {_shortened(' '.join(map(str, values)))}")


def sum_of_two(text: str) -> Given:
    """``1011 + 110``; the machine reads both from their last bit on, and a step more for the carry."""
    found = re.fullmatch(r"\s*([01]+)\s*\+\s*([01]+)\s*", text)
    _refuse_unless(bool(found), "Sum", text, "two binary numbers with a plus between them, as 1011 + 110")
    a, b = found.groups() if found else ("", "")
    T = max(len(a), len(b)) + 1
    _check_length("Sum", T)
    pairs = zip(a.zfill(T)[::-1], b.zfill(T)[::-1], strict=True)
    return Given(tuple((int(u), int(v)) for u, v in pairs), f"{_shortened(a)} + {_shortened(b)}")


def letters(label: str, alphabet: str) -> Callable[[str], Given]:
    """Strings over an alphabet, each letter a unit vector; ``a^12`` stands for twelve of them."""

    def read(text: str) -> Given:
        kept = "".join(text.split())
        one = rf"([{re.escape(alphabet)}])(?:\^([0-9]{{1,3}}))?"
        what = f"{', '.join(alphabet[:-1])} and {alphabet[-1]}, and {alphabet[0]}^12 for twelve of them"
        _refuse_unless(bool(re.fullmatch(f"(?:{one})+", kept)), label, text, what)
        whole = "".join(letter * int(count or 1) for letter, count in re.findall(one, kept))
        _check_length(label, len(whole))
        rows = tuple(tuple(int(letter == other) for other in alphabet) for letter in whole)
        return Given(rows, f"{label.lower()} {_shortened(kept)}", tuple(whole))

    return read


def _refuse_unless(fine: bool, label: str, text: str, allowed: str) -> None:
    if not fine:
        raise ValueError(f"{label} is “{_shortened(text)}”; allowed: {allowed}.")


def _check_length(label: str, T: int) -> None:
    if not 2 <= T <= LONGEST:
        raise ValueError(f"{label} takes {T} steps; allowed: 2 to {LONGEST}.")


def _shortened(text: str, longest: int = 30) -> str:
    return text if len(text) <= longest else text[:longest] + "…"


TYPED = {
    "numbers": Typed("Numbers", "3 1 4 1 5 9 2 6", f"Whole numbers up to ±{LARGEST}.", numbers),
    "bits": Typed("Bits", "1011001110", "0 and 1.", bits),
    "sum": Typed(
        "Sum", "1011 + 110", "Two binary numbers; they are read from their last bits on.", sum_of_two
    ),
    "word": Typed("String", "aaaabbbb", "Of a and b; a^12 b^12 for more.", letters("String", "ab")),
    "pulses": Typed("Signal", "..s...r..s.r", "s sets, r resets, a dot holds.", letters("Signal", "sr.")),
}
