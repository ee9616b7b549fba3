"""Numbers as people have them: typed, pasted, or a column of a CSV file."""

from __future__ import annotations

import math
import re

MAX_BYTES = 1_000_000
_DELIMITERS = ("\t", ";", ",")


class SeriesError(ValueError):
    """What is wrong with a table, in one sentence for the person who gave it."""


def parse_numbers(text: str) -> tuple[float, ...]:
    """The numbers in a line or column of text, whatever stands between them.

    Raises:
        SeriesError: empty, not a number, or not finite.

    >>> parse_numbers("548, 643, 920")
    (548.0, 643.0, 920.0)
    """
    words = [word for word in re.split(r"[\s,;]+", text) if word]
    if not words:
        raise SeriesError(
            "The series is empty; allowed: numbers with spaces, commas or line ends between them."
        )
    return tuple(_number(word, f"number {k}") for k, word in enumerate(words, 1))


def read_table(content: str | bytes) -> dict[str, tuple[float, ...]]:
    """The numeric columns of a CSV file or a pasted table, by name.

    Tab, semicolon or comma between columns; a first line of names is recognised; with semicolons or
    tabs a comma may stand for the decimal point. A single line is read as one series.

    Raises:
        SeriesError: too large, not text, empty, one row, or no column of numbers, naming the place.
    """
    text = _as_text(content)
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise SeriesError("The table is empty; allowed: at least two rows with a column of numbers.")
    if len(lines) == 1:
        return {"numbers": parse_numbers(lines[0])}
    delimiter = next((d for d in _DELIMITERS if d in lines[0]), None)
    rows = [[cell.strip().strip('"') for cell in line.split(delimiter)] for line in lines]
    if delimiter in ("\t", ";"):
        rows = [[re.sub(r"^([+-]?\d+),(\d+)$", r"\1.\2", cell) for cell in row] for row in rows]
    has_names = not all(_is_number(cell) for cell in rows[0])
    names = rows.pop(0) if has_names else [f"column {k}" for k in range(1, len(rows[0]) + 1)]
    if len(rows) < 2:
        raise SeriesError("The table has one row of numbers; allowed: at least two.")
    columns: dict[str, tuple[float, ...]] = {}
    problems: list[str] = []
    for k, name in enumerate(names):
        try:
            cells = [row[k] if k < len(row) else "" for row in rows]
            label = name or f"column {k + 1}"
            columns[label] = tuple(
                _number(cell, f"row {j}, column “{label}”") for j, cell in enumerate(cells, 1 + has_names)
            )
        except SeriesError as problem:
            problems.append(str(problem))
    if not columns:
        raise SeriesError(f"No column holds numbers only: {problems[0]}")
    return columns


def compact(values: tuple[float, ...]) -> str:
    """A series as text for a link, six significant digits a number."""
    return " ".join(f"{value:.6g}" for value in values)


def _as_text(content: str | bytes) -> str:
    size = len(content)
    if size > MAX_BYTES:
        raise SeriesError(f"The table has {size / 1e6:.1f} MB; allowed: up to {MAX_BYTES / 1e6:g} MB.")
    if isinstance(content, bytes):
        if b"\0" in content:
            raise SeriesError("The file is not text; allowed: CSV with a column of numbers.")
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            return content.decode("latin-1")
    return content


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _number(word: str, place: str) -> float:
    shown = word if len(word) <= 20 else word[:20] + "…"
    if not _is_number(word) or "_" in word:
        raise SeriesError(f"{place[0].upper()}{place[1:]} is “{shown}”; allowed: numbers such as 3 or -0.5.")
    value = float(word)
    if not math.isfinite(value):
        raise SeriesError(f"{place[0].upper()}{place[1:]} is “{shown}”; allowed: finite numbers.")
    return value
