"""Numbers as people have them: typed, pasted, or a column of a CSV file."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Collection

MAX_BYTES = 2 * 1024**2  # what the upload field takes, too
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
    lines = [line for line in _as_text(content).splitlines() if line.strip()]
    if not lines:
        raise SeriesError("The table is empty; allowed: at least two rows with a column of numbers.")
    if len(lines) == 1:
        return {"numbers": parse_numbers(lines[0])}
    rows = _cells(lines)
    has_names = _has_names(rows)
    names = rows.pop(0) if has_names else [""] * len(rows[0])
    if len(rows) < 2:
        raise SeriesError("The table has one row of numbers; allowed: at least two.")
    columns: dict[str, tuple[float, ...]] = {}
    problems: list[str] = []
    for k, name in enumerate(names):
        label = _label(name, k + 1, columns)
        try:
            columns[label] = tuple(
                _number(row[k] if k < len(row) else "", f"row {j}, column “{label}”")
                for j, row in enumerate(rows, 1 + has_names)
            )
        except SeriesError as problem:
            problems.append(str(problem))
    if not columns:
        raise SeriesError(f"No column holds numbers only: {problems[0]}")
    return columns


def compact(values: tuple[float, ...]) -> str:
    """A series as text for a link, six significant digits a number."""
    return " ".join(f"{value:.6g}" for value in values)


def _cells(lines: list[str]) -> list[list[str]]:
    """Rows of cells, without the quotes and blanks around them."""
    delimiter = next((d for d in _DELIMITERS if d in lines[0]), None)
    if delimiter is None:
        rows = [line.split() for line in lines]
        if max(map(len, rows[1:])) == 1:  # one column, and its name may be of several words
            rows[0] = [lines[0]]
    else:
        try:
            rows = [next(csv.reader([line], delimiter=delimiter, skipinitialspace=True)) for line in lines]
        except csv.Error:
            raise SeriesError("A cell of the table is too long; allowed: CSV with short cells.") from None
    rows = [[cell.strip().strip('"') for cell in row] for row in rows]
    if delimiter in ("\t", ";"):
        rows = [[re.sub(r"^([+-]?\d+),(\d+)$", r"\1.\2", cell) for cell in row] for row in rows]
    return rows


def _has_names(rows: list[list[str]]) -> bool:
    """Whether the first row names the columns: over numbers alone stands something that is none."""
    first, *rest = rows
    return any(
        name and not _is_number(name) and all(k < len(row) and _is_number(row[k]) for row in rest)
        for k, name in enumerate(first)
    ) or not any(map(_is_number, first))


def _label(name: str, place: int, taken: Collection[str]) -> str:
    """A column's name, short enough for a menu and a message, and unlike those before it."""
    label = (name if len(name) <= 40 else name[:39] + "…") or f"column {place}"
    if label in taken:
        label = f"{label} ({place})"
    while label in taken:
        label += "′"
    return label


def _as_text(content: str | bytes) -> str:
    size = len(content)
    if size > MAX_BYTES:
        raise SeriesError(f"The table has {size / 2**20:.1f} MB; allowed: up to {MAX_BYTES / 2**20:g} MB.")
    if isinstance(content, bytes):
        if b"\0" in content:
            raise SeriesError("The file is not text; allowed: CSV with a column of numbers.")
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            return content.decode("latin-1")
    return content.removeprefix("\ufeff")


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
