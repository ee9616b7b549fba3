"""How one run gets to disk: whole or not at all, and no oftener than it can afford."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

from rnnviz import run_file
from rnnviz.run_file import Kept, NewerError, UnreadableError
from rnnviz.run_shapes import check_head

ENDING = ".safetensors"
FINISHED = "finished"
TRIES, AGAIN = 10, 0.005  # seconds between tries to read a run that is being moved
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


class StoreError(Exception):
    """What the store could not do, in a sentence."""


class Keeper:
    """Writes one run, which nobody else can write meanwhile.

    A run that learns is written as often as costs at most a fiftieth of its time.
    """

    COSTS = 0.015  # of the time
    EVERY = 0.4  # seconds at least

    def __init__(self, file: Path, shipped: bool = False) -> None:
        """Nothing is written yet; of a run that comes with the program nothing unfinished is."""
        self._file, self._parts, self._shipped = file, parts_of(file), shipped
        self._apart: set[tuple[int, int]] = set()
        self._next = 0.0
        self._read_before = False
        self._there: float = 0  # updates of what stands in its place
        self._cleaned = False

    @property
    def due(self) -> bool:
        """Whether it is time to write again."""
        return time.monotonic() >= self._next

    def going(self, kept: Kept) -> None:
        """Write where a run stands that goes on.

        Raises:
            StoreError: a full disk, a read-only folder, a run of a newer version in its place.
        """
        start = time.monotonic()
        if self._may_replace(kept):
            with said(self._file.parent):
                self._clean()
                self._parts.mkdir(parents=True, exist_ok=True)
                for k, cell in enumerate(kept.cells):
                    for step in sorted(cell.weights):
                        self._write_part(k, step, cell.weights[step])
                steps = tuple(tuple(sorted(cell.weights)) for cell in kept.cells)
                _write(self._file, run_file.pack(replace(kept, apart=steps)))
        took = time.monotonic() - start
        self._next = start + max(self.EVERY, took / self.COSTS)

    def whole(self, kept: Kept) -> None:
        """Write a run at rest as one file.

        Raises:
            StoreError: as `going`.
        """
        if self._may_replace(kept):
            with said(self._file.parent):
                self._clean()
                self._file.parent.mkdir(parents=True, exist_ok=True)
                _write(self._file, run_file.pack(replace(kept, apart=())), safely=True)
                shutil.rmtree(self._parts, ignore_errors=True)
                self._apart.clear()

    def _clean(self) -> None:
        """Away with what killed processes left half written, before the first write."""
        if not self._cleaned:
            clean(self._file)
            self._cleaned = True

    def _write_part(self, k: int, step: int, weights: run_file.Weights) -> None:
        if (k, step) not in self._apart:
            arrays = {name: value.numpy() for name, value in weights.items()}
            _write(self._parts / f"{k}-{step}{ENDING}", run_file.pack_arrays(arrays, {}))
            self._apart.add((k, step))

    def _may_replace(self, kept: Kept) -> bool:
        """Whether what stands in its place may go: not a run that is further for one that is less far."""
        if not self._read_before:
            self._read_before = True
            with suppress(OSError):
                try:
                    there = read(self._file)
                    self._there = _far(there) if there.id == kept.id else 0
                except NewerError as error:
                    self._read_before = False
                    raise StoreError(f"It is not kept: in its place stands a run, and {error}.") from None
                except UnreadableError:
                    pass  # what is damaged says nothing that this run does not say again
        return _far(kept) >= (inf if self._shipped else self._there)


def _far(kept: Kept) -> float:
    """How far a run is, in updates; without end if it is finished."""
    return inf if kept.status == FINISHED else sum(cell.learning.step for cell in kept.cells)


@contextmanager
def said(home: Path) -> Iterator[None]:
    """What the system refuses, as a sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            why = "the disk is full"
        elif error.errno in _READ_ONLY:
            why = "the folder is read-only"
        elif error.errno in (errno.ENOTDIR, errno.EEXIST):
            why = "a file stands where a folder is needed"
        else:
            why = why_of(error)
        raise StoreError(f"The store in {home} could not be written: {why}.") from None


def why_of(error: OSError) -> str:
    """What the system says."""
    return error.strerror or type(error).__name__


def _write(path: Path, data: bytes, safely: bool = False) -> None:
    """The whole file or none; with ``safely`` it outlives the machine's power, too."""
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with open(new, "wb") as file:
            file.write(data)
            if safely:
                file.flush()
                os.fsync(file.fileno())
        os.replace(new, path)
    except BaseException:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise


def clean(file: Path) -> None:
    """Delete what killed processes left half written of a run; whoever asks holds its lock."""
    for folder in (file.parent, parts_of(file)):
        for left in folder.glob(f".{file.name if folder == file.parent else ''}*.new"):
            left.unlink(missing_ok=True)


def read(file: Path) -> Kept:
    """A run with the weights that lie beside it, though it be finished, deleted or had back meanwhile.

    Raises:
        UnreadableError: it is damaged, or of a newer version.
        OSError: as ``open``.
    """
    for _ in range(TRIES):
        kept = run_file.unpack(file.read_bytes())
        try:
            return _gathered(kept, parts_of(file)) if kept.apart else kept
        except FileNotFoundError as error:
            missing = Path(error.filename).stem.partition("-")[2]
            time.sleep(AGAIN)
    raise UnreadableError(f"its weights of step {missing} are missing")


def _gathered(kept: Kept, parts: Path) -> Kept:
    """With the weights that lie beside it."""
    cells = []
    for k, (cell, steps) in enumerate(zip(kept.cells, kept.apart, strict=True)):
        weights = dict(cell.weights)
        for step in steps:
            arrays, _ = run_file.unpack_arrays((parts / f"{k}-{step}{ENDING}").read_bytes())
            weights[step] = {name: run_file.tensor(value) for name, value in arrays.items()}
        kinds = [{name: (v.shape, v.dtype) for name, v in each.items()} for each in weights.values()]
        if any(kind != kinds[0] for kind in kinds):
            raise UnreadableError(f"its saved weights of cell {k} have not all the same names and shapes")
        cells.append(replace(cell, weights=weights))
    # Packed and read again: what lies beside it is checked as the rest is.
    return run_file.unpack(run_file.pack(replace(kept, cells=tuple(cells), apart=())))


def parts_of(file: Path) -> Path:
    """Where the saved weights of a run that learns lie: beside its file."""
    return file.with_name(file.name.removesuffix(ENDING) + ".parts")


def size_of(file: Path) -> int:
    """Bytes of a run, with the weights that lie beside it."""
    total = 0
    with suppress(FileNotFoundError):
        for part in (file, *parts_of(file).glob("*")):
            total += part.stat().st_size
    return total


def head_of(path: str | Path) -> dict[str, Any]:
    """What a run's file says of itself, complete; raises as `run_file.read_head` and ``open``."""
    with open(path, "rb") as file:
        data = file.read(8)
        size = int.from_bytes(data, "little")
        head = run_file.read_head(data + file.read(min(size, run_file.MOST_HEAD)))
    try:
        check_head(head)
    except ValueError as error:
        raise UnreadableError(f"what it says of itself cannot be: {error}") from None
    return head
