"""Runs on disk, each under the hash of its configuration.

A run at rest is one file, ``runs/<id>.safetensors``. While it learns, that file holds curves and where to go
on, and the saved weights lie beside it in ``runs/<id>.parts/``, each written once. A file appears under its
name only when it is whole, so a kill at any moment leaves the file as it was a moment earlier.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from rnnviz import run_file
from rnnviz.keeper import ENDING, Keeper, StoreError, head_of, parts_of, said
from rnnviz.run_file import Kept, UnreadableError

VARIABLE = "RNNVIZ_HOME"
SHELF = Path(__file__).resolve().parents[1] / "assets" / "lectures"  # runs that come with the program
BIN_LASTS = 24 * 3600.0  # seconds that a deleted run can be had back


@dataclass(frozen=True)
class Listed:
    """A run in the list.

    Attributes:
        id: its name.
        head: what its file says of itself; empty where it cannot be read.
        problem: why it cannot be read, or "".
        nbytes: its size.
        when: when it was written last, seconds since 1970.
    """

    id: str
    head: dict[str, Any]
    problem: str
    nbytes: int
    when: float


class Store:
    """A folder of runs.

    Args:
        home: where; made when the first run is kept.
    """

    def __init__(self, home: Path) -> None:
        """Touch nothing yet."""
        self.home = home
        self.runs, self.bin, self._locks = home / "runs", home / "deleted", home / "locks"
        self._heads: dict[tuple[str, int, int], tuple[dict[str, Any], str]] = {}

    def load(self, id: str) -> Kept | None:
        """A run, of one's own or one that came with the program; None where there is none.

        Raises:
            UnreadableError: it is damaged, or of a newer version.
            StoreError: the folder cannot be read.
        """
        path = self.find(id)
        if path is None:
            return None
        try:
            kept = run_file.unpack(path.read_bytes())
            if kept.apart:
                kept = self._gathered(id, kept)
        except FileNotFoundError:
            return None  # deleted a moment ago
        except OSError as error:
            raise StoreError(f"Run “{id}” cannot be read from {path.parent} ({error.strerror}).") from None
        if kept.id != id:
            raise UnreadableError("it is damaged: its configuration belongs to another name")
        return kept

    def find(self, id: str) -> Path | None:
        """The file of a run: one's own before the program's."""
        if not (id.isalnum() and id.isascii()):
            return None
        return next((p for p in (self.path(id), SHELF / f"{id}{ENDING}") if p.is_file()), None)

    def path(self, id: str) -> Path:
        """Where a run of this name is kept."""
        return self.runs / f"{id}{ENDING}"

    def save(self, kept: Kept) -> None:
        """Keep a run at rest, whole; a finished run is not replaced by an unfinished one.

        Raises:
            StoreError: a full disk, a folder that is read-only, a run of a newer version in its place, or
                one that another process keeps at this moment.
        """
        with self.keeping(kept.id) as keeper:
            keeper.whole(kept)

    @contextmanager
    def keeping(self, id: str) -> Iterator[Keeper]:
        """Keep a run while it learns; nobody else can meanwhile.

        Raises:
            StoreError: as `save`.
        """
        with said(self.home):
            self._locks.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._locks / f"{id}.lock", thread_local=False)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise StoreError(
                    "It is not kept from here: another run or server that shares the store "
                    f"({self.home}) trains this very configuration, and keeps it."
                ) from None
        try:
            yield Keeper(self.path(id))
        finally:
            lock.release()

    def busy(self, id: str) -> bool:
        """Whether somebody keeps a run of this name at this moment."""
        try:
            with self.keeping(id):
                return False
        except StoreError:
            return True

    def listed(self) -> list[Listed]:
        """One's own runs, the newest first; those that cannot be read are among them, with the reason."""
        found = [self._listed(entry) for entry in _files(self.runs)]
        return sorted(found, key=lambda run: -run.when)

    def delete(self, id: str) -> None:
        """Put a run into the bin; whatever was there under its name is gone.

        Raises:
            StoreError: a run that is being trained, or a folder that is read-only.
        """
        thrown = self.bin / f"{id}{ENDING}"
        with self.keeping(id), said(self.home):
            self.bin.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(parts_of(thrown), ignore_errors=True)
            with suppress(FileNotFoundError):
                os.replace(parts_of(self.path(id)), parts_of(thrown))
            with suppress(FileNotFoundError):
                os.replace(self.path(id), thrown)
                os.utime(thrown)

    def undo(self, id: str) -> bool:
        """Take a run out of the bin again, unless it has been trained anew; whether it was there.

        Raises:
            StoreError: as `delete`.
        """
        thrown = self.bin / f"{id}{ENDING}"
        with self.keeping(id), said(self.home):
            if self.path(id).exists() or not (thrown).exists():
                return False
            with suppress(FileNotFoundError):
                os.replace(parts_of(thrown), parts_of(self.path(id)))
            os.replace(thrown, self.path(id))
            return True

    def export(self, id: str) -> bytes:
        """A run as one file, for another machine; it does not say who trained it.

        Raises:
            UnreadableError, StoreError: as `load`; a run that is not here.
        """
        kept = self.load(id)
        if kept is None:
            raise StoreError(f"Run “{id}” is not here any more.")
        return run_file.pack(replace(kept, owner="", apart=()))

    def trim(self, most: float) -> list[str]:
        """Make room: empty the bin of what is older than a day, then let the oldest runs go.

        Args:
            most: bytes that may stay.

        Returns:
            Names of the runs that went.
        """
        now = time.time()
        gone = []
        with suppress(OSError):
            thrown, kept = _files(self.bin), _files(self.runs)
            total = sum(_size(entry) for entry in (*thrown, *kept))
            old = [(entry, True) for entry in sorted(thrown, key=_age)]
            for entry, binned in old + [(entry, False) for entry in sorted(kept, key=_age)[:-1]]:
                outlived = binned and now - _age(entry) > BIN_LASTS
                if total <= most and not outlived:
                    continue
                size, id = _size(entry), entry.name.removesuffix(ENDING)
                if self._remove(entry, id, binned):
                    total -= size
                    gone += [] if binned else [id]
        return gone

    def _remove(self, entry: os.DirEntry[str], id: str, binned: bool) -> bool:
        """Delete for good, unless it is being trained."""
        try:
            with self.keeping(id):
                Path(entry.path).unlink(missing_ok=True)
                shutil.rmtree(parts_of(Path(entry.path)), ignore_errors=True)
                return True
        except StoreError:
            return False

    def _gathered(self, id: str, kept: Kept) -> Kept:
        """With the weights that lie beside it."""
        cells = []
        for k, (cell, steps) in enumerate(zip(kept.cells, kept.apart, strict=True)):
            weights = dict(cell.weights)
            for step in steps:
                try:
                    arrays, _ = run_file.unpack_arrays(
                        (parts_of(self.path(id)) / f"{k}-{step}{ENDING}").read_bytes()
                    )
                except FileNotFoundError:
                    raise UnreadableError(f"its weights of step {step} are missing") from None
                weights[step] = {name: run_file.tensor(value) for name, value in arrays.items()}
            cells.append(replace(cell, weights=weights))
        # Packed and read again: what lies beside it is checked as the rest is.
        return run_file.unpack(run_file.pack(replace(kept, cells=tuple(cells), apart=())))

    def _listed(self, entry: os.DirEntry[str]) -> Listed:
        stat = entry.stat()
        key = entry.name, stat.st_mtime_ns, stat.st_size
        if key not in self._heads:
            try:
                self._heads[key] = head_of(entry.path), ""
            except UnreadableError as error:
                self._heads[key] = {}, str(error)
            except OSError as error:
                return Listed(entry.name.removesuffix(ENDING), {}, str(error.strerror), 0, stat.st_mtime)
        head, problem = self._heads[key]
        return Listed(entry.name.removesuffix(ENDING), head, problem, stat.st_size, stat.st_mtime)


def _files(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [e for e in entries if e.name.endswith(ENDING) and not e.name.startswith(".")]
    except FileNotFoundError:
        return []


def _age(entry: os.DirEntry[str]) -> float:
    return entry.stat().st_mtime


def _size(entry: os.DirEntry[str]) -> int:
    parts = parts_of(Path(entry.path))
    return entry.stat().st_size + sum(part.stat().st_size for part in parts.glob("*"))


@cache
def store() -> Store:
    """The store of this machine: in ``RNNVIZ_HOME``, else in the user's cache folder."""
    given = os.environ.get(VARIABLE)
    return Store(Path(given).expanduser().resolve() if given else user_cache_path("rnnviz"))
