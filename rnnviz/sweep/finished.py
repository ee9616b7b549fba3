"""What is there already of a sweep: in the store, and in the tables that come with the program."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from rnnviz.engine.outcome import Outcome, outcomes_of
from rnnviz.engine.train_config import TrainConfig
from rnnviz.keeper import FINISHED, StoreError
from rnnviz.run_file import UnreadableError
from rnnviz.store import Store
from rnnviz.sweep.grid import Sweep
from rnnviz.sweep.table import id_of, outcomes_from, rows_in

TABLES = Path(__file__).resolve().parents[2] / "assets" / "sweeps"  # finished sweeps, as CSV
MOST = 4096  # runs whose outcomes are remembered
_log = logging.getLogger(__name__)
_read: OrderedDict[tuple[str, int, int], tuple[Outcome, ...] | None] = OrderedDict()


def known(sweep: Sweep, store: Store) -> tuple[Outcome, ...]:
    """What came of those of a sweep's runs that are finished, in the order of its configurations.

    One's own runs count before those that come with the program, and files before tables. Cheap: a file is
    read once, and again only when it has changed.
    """
    tables = tuple(_tables())
    found = (_in_store(config, store) or _in_tables(config, tables) for config in sweep.configs)
    return tuple(one for outcomes in found for one in outcomes or ())


def known_of(config: TrainConfig, store: Store) -> tuple[Outcome, ...] | None:
    """What came of one run, one outcome a seed; None while it is not finished."""
    return _in_store(config, store) or _in_tables(config, tuple(_tables()))


def _in_store(config: TrainConfig, store: Store) -> tuple[Outcome, ...] | None:
    path = store.find(id_of(config))
    if path is None:
        return None
    try:
        stat = path.stat()
    except OSError:
        return None  # deleted a moment ago
    key = str(path), stat.st_mtime_ns, stat.st_size
    if key in _read:
        return _read[key]
    found = _read[key] = _outcomes(config, store)
    if len(_read) > MOST:
        _read.popitem(last=False)
    return found


def _outcomes(config: TrainConfig, store: Store) -> tuple[Outcome, ...] | None:
    try:
        kept = store.load(id_of(config))
    except (UnreadableError, StoreError):
        return None  # it is trained anew, and takes the place of what cannot be read
    if kept is None or kept.status != FINISHED or kept.brought:
        return None  # a file that somebody brought says what it wants
    return outcomes_of(kept.cells[0].learning)


def _in_tables(config: TrainConfig, tables: tuple[tuple[Path, int, int], ...]) -> tuple[Outcome, ...] | None:
    for path, mtime, size in tables:
        rows = _rows(path, mtime, size).get(id_of(config))
        if rows:
            try:
                return outcomes_from(rows, config)
            except ValueError as error:
                _log.warning("%s: %s", path, error)
    return None


def _tables() -> Iterator[tuple[Path, int, int]]:
    for path in sorted(TABLES.glob("*.csv")):
        stat = path.stat()
        yield path, stat.st_mtime_ns, stat.st_size


@lru_cache(maxsize=16)
def _rows(path: Path, mtime: int, size: int) -> dict[str, list[dict[str, str]]]:
    try:
        return rows_in(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        _log.warning("%s: %s", path, error)
        return {}
