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
from rnnviz.keeper import ENDING, Keeper, StoreError, clean, head_of, parts_of, read, said, size_of, why_of
from rnnviz.run_file import Kept, UnreadableError

VARIABLE = "RNNVIZ_HOME"
SHELF = Path(__file__).resolve().parents[1] / "assets" / "lectures"  # runs that come with the program
BIN_LASTS = 24 * 3600.0  # seconds that a deleted run can be had back
PATIENCE = 0.3  # seconds: who lists or trims holds a run's lock for a moment
_Heads = dict[
    tuple[str, int, int, int], tuple[dict[str, Any], str]
]  # name, inode, time, size -> head, problem


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
        self._heads: _Heads = {}

    def load(self, id: str) -> Kept | None:
        """A run, of one's own or one that came with the program; None where there is none.

        Raises:
            UnreadableError: it is damaged, or of a newer version.
            StoreError: the folder cannot be read.
        """
        for path in self._places(id):
            try:
                kept = read(path)
                if kept.id == id:
                    return kept
                raise UnreadableError("it is damaged: its configuration belongs to another name")
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                continue  # it is not there, or was deleted a moment ago
            except UnreadableError:
                if path == self._places(id)[-1] or not self._places(id)[-1].is_file():
                    raise
            except OSError as error:
                raise StoreError(f"Run “{id}” cannot be read from {path.parent} ({why_of(error)}).") from None
        return None

    def find(self, id: str) -> Path | None:
        """The file of a run: one's own before the program's."""
        return next((path for path in self._places(id) if os.path.isfile(path)), None)

    def _places(self, id: str) -> tuple[Path, ...]:
        return (self.path(id), SHELF / f"{id}{ENDING}") if _is_name(id) else ()

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
    def keeping(self, id: str, patience: float = PATIENCE) -> Iterator[Keeper]:
        """Keep a run while it learns; nobody else can meanwhile.

        Args:
            id: its name.
            patience: seconds to wait for others who only look after it for a moment.

        Raises:
            StoreError: as `save`.
        """
        if not _is_name(id):
            raise StoreError(f"“{id[:40]!r}” is no name of a run; allowed: up to 64 letters and digits.")
        with said(self.home):
            self._locks.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._locks / f"{id}.lock", thread_local=False)
            try:
                lock.acquire(timeout=patience, poll_interval=0.01)
            except Timeout:
                raise TakenError(
                    "It is not kept from here: another run or server that shares the store "
                    f"({self.home}) trains this very configuration, and keeps it."
                ) from None
        try:
            yield Keeper(self.path(id), (SHELF / f"{id}{ENDING}").is_file())
        finally:
            lock.release()

    def busy(self, id: str) -> bool:
        """Whether somebody keeps a run of this name at this moment."""
        try:
            with self.keeping(id, patience=0):
                return False
        except StoreError as error:
            return isinstance(error, TakenError)

    def listed(self) -> list[Listed]:
        """One's own runs, the newest first; those that cannot be read are among them, with the reason.

        Raises:
            StoreError: the folder cannot be read.
        """
        try:
            entries = _files(self.runs)
        except OSError as error:
            raise StoreError(f"The store in {self.home} cannot be read ({why_of(error)}).") from None
        found, heads = [], self._heads
        self._heads = {}
        for entry in entries:
            with suppress(FileNotFoundError):  # deleted a moment ago
                found.append(self._listed(entry, heads))
        return sorted(found, key=lambda run: (-run.when, run.id))

    def delete(self, id: str) -> None:
        """Put a run into the bin; whatever was there under its name is gone.

        Raises:
            StoreError: a run that is being trained, or a folder that is read-only.
        """
        thrown = self.bin / f"{id}{ENDING}"
        with self.keeping(id), said(self.home):
            if not self.path(id).exists():
                return
            self.bin.mkdir(parents=True, exist_ok=True)
            thrown.unlink(missing_ok=True)
            shutil.rmtree(parts_of(thrown), ignore_errors=True)
            os.utime(self.path(id))  # it ages in the bin from now on
            os.replace(self.path(id), thrown)  # before its parts: without them it would be half a run
            with suppress(FileNotFoundError):
                os.replace(parts_of(self.path(id)), parts_of(thrown))

    def undo(self, id: str) -> bool:
        """Take a run out of the bin again, unless it has been trained anew; whether it was there.

        Raises:
            StoreError: as `delete`.
        """
        thrown = self.bin / f"{id}{ENDING}"
        with self.keeping(id), said(self.home):
            if self.path(id).exists() or not thrown.exists():
                return False
            if parts_of(thrown).is_dir():
                shutil.rmtree(parts_of(self.path(id)), ignore_errors=True)  # beside no run: left by a kill
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

        Returns the names of the runs that went, so that ``most`` bytes stay.
        """
        now = time.time()
        gone = []
        with suppress(OSError):
            self._clean()
            thrown, kept = _oldest(self.bin), _oldest(self.runs)
            total = sum(size for _, size, _ in (*thrown, *kept))
            for when, size, path in (*thrown, *kept[:-1]):
                binned = path.parent == self.bin
                outlived = binned and now - when > BIN_LASTS
                if (total > most or outlived) and self._remove(path, when):
                    total -= size
                    gone += [] if binned else [path.name.removesuffix(ENDING)]
        return gone

    def _remove(self, path: Path, when: float) -> bool:
        """Delete for good, unless it is being trained, or was written meanwhile."""
        try:
            with self.keeping(path.name.removesuffix(ENDING), patience=0):
                if path.stat().st_mtime != when:
                    return False
                path.unlink()
                shutil.rmtree(parts_of(path), ignore_errors=True)
                return True
        except (StoreError, OSError):
            return False

    def _clean(self) -> None:
        """Away with what killed processes left: files half written, and weights that no file needs."""
        for folder in (self.runs, self.bin):
            names = os.listdir(folder) if folder.is_dir() else []
            for id in {name.lstrip(".").split(".")[0] for name in names if name.endswith((".new", ".parts"))}:
                file = folder / f"{id}{ENDING}"
                with suppress(StoreError, UnreadableError, OSError), self.keeping(id, patience=0):
                    clean(file)
                    # A kill amid delete leaves a run in the bin and its weights here.
                    alone = not file.exists() and not (self.bin / file.name).exists()
                    if alone or (file.exists() and not head_of(file)["apart"]):
                        shutil.rmtree(parts_of(file), ignore_errors=True)

    def _listed(self, entry: os.DirEntry[str], heads: _Heads) -> Listed:
        stat, id = entry.stat(), entry.name.removesuffix(ENDING)
        key = entry.name, stat.st_ino, stat.st_mtime_ns, stat.st_size
        try:
            head, problem = heads.get(key) or (head_of(entry.path), "")
        except UnreadableError as error:
            head, problem = {}, str(error)
        except FileNotFoundError:
            raise
        except OSError as error:
            return Listed(id, {}, why_of(error), 0, stat.st_mtime)
        self._heads[key] = head, problem
        size = size_of(Path(entry.path)) if head.get("apart") else stat.st_size
        return Listed(id, head, problem, size, head.get("when", stat.st_mtime))


class TakenError(StoreError):
    """Somebody else keeps the run."""


def _is_name(id: str) -> bool:
    return id.isalnum() and id.isascii() and len(id) <= 64


def _files(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [e for e in entries if e.name.endswith(ENDING) and not e.name.startswith(".")]
    except FileNotFoundError:
        return []


def _oldest(folder: Path) -> list[tuple[float, int, Path]]:
    """When each run was written, its size and its file, the oldest first."""
    found = []
    for entry in _files(folder):
        with suppress(FileNotFoundError):  # deleted a moment ago
            found.append((entry.stat().st_mtime, size_of(Path(entry.path)), Path(entry.path)))
    return sorted(found)


@cache
def store() -> Store:
    """The store of this machine: in ``RNNVIZ_HOME``, else in the user's cache folder."""
    given = os.environ.get(VARIABLE)
    return Store(Path(given).expanduser().resolve() if given else user_cache_path("rnnviz"))
