"""Tables as text for papers, issues and notes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~#$&])")
_BREAK = re.compile(r"\s*[\r\n]+\s*")


def table_markdown(columns: Mapping[str, Sequence[Any] | NDArray[Any]]) -> bytes:
    """Write columns of equal length as a table in GitHub-flavoured Markdown, UTF-8.

    Numbers stand at the right and keep every digit; signs that Markdown would read are escaped.

    Raises:
        ValueError: without columns, or when they are not of one length.

    >>> print(table_markdown({"cell": ["a|b"], "H": [32]}).decode(), end="")
    | cell | H |
    | :--- | ---: |
    | a\\|b | 32 |
    """
    plain = {
        name: column.tolist() if isinstance(column, np.ndarray) else column
        for name, column in columns.items()
    }
    lengths = {name: len(column) for name, column in plain.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError(f"columns must be there and of one length, got {lengths}")
    rules = ["---:" if _numeric(column) else ":---" for column in plain.values()]
    lines = [[_text(name) for name in plain], rules]
    lines += [[_text(value) for value in row] for row in zip(*plain.values(), strict=True)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines).encode()


def _numeric(column: Sequence[Any]) -> bool:
    """Whether it holds numbers, gaps aside."""
    there = [value for value in column if value is not None]
    return bool(there) and all(
        isinstance(value, int | float | np.number) and not isinstance(value, bool) for value in there
    )


def _text(value: Any) -> str:
    """One cell on one line, read as it is written."""
    text = "—" if value is None else str(value)
    return _BREAK.sub(" ", _SPECIAL.sub(r"\\\1", text)).strip()
