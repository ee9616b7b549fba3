"""How one run gets to disk: whole or not at all, and no oftener than it can afford."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from rnnviz import run_file
from rnnviz.run_file import Kept, UnreadableError

ENDING = ".safetensors"
FINISHED = "finished"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR)


class StoreError(Exception):
    """What the store could not do, in a sentence."""


class Keeper:
    """Writes one run, which nobody else can write meanwhile.

    A run that learns is written as often as costs at most a fiftieth of its time.
    """

    COSTS = 0.015  # of the time
    EVERY = 0.4  # seconds at least

    def __init__(self, file: Path) -> None:
        """Nothing is written yet."""
        self._file, self._parts = file, parts_of(file)
        self._apart: set[tuple[int, int]] = set()
        self._next = 0.0
        self._read_before = False
        self._blocked = False

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
                self._file.parent.mkdir(parents=True, exist_ok=True)
                _write(self._file, run_file.pack(replace(kept, apart=())), safely=True)
                shutil.rmtree(self._parts, ignore_errors=True)
                self._apart.clear()

    def _write_part(self, k: int, step: int, weights: run_file.Weights) -> None:
        if (k, step) not in self._apart:
            arrays = {name: value.numpy() for name, value in weights.items()}
            _write(self._parts / f"{k}-{step}{ENDING}", run_file.pack_arrays(arrays, {}))
            self._apart.add((k, step))

    def _may_replace(self, kept: Kept) -> bool:
        """Whether what stands in its place may go: not a finished run for an unfinished one."""
        if not self._read_before:
            self._read_before = True
            with suppress(OSError):
                try:
                    self._blocked = head_of(self._file)["status"] == FINISHED
                except UnreadableError as error:
                    if "newer" in str(error):
                        self._read_before = False
                        raise StoreError(f"It is not kept: in its place stands a run, and {error}.") from None
                    # A damaged one says nothing that this run does not say again.
        return kept.status == FINISHED or not self._blocked


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
        else:
            why = error.strerror or type(error).__name__
        raise StoreError(f"The store in {home} could not be written: {why}.") from None


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
    except OSError:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise


def parts_of(file: Path) -> Path:
    """Where the saved weights of a run that learns lie: beside its file."""
    return file.with_name(file.name.removesuffix(ENDING) + ".parts")


def head_of(path: str | Path) -> dict[str, Any]:
    """What a run's file says of itself; raises as `run_file.read_head` and ``open``."""
    with open(path, "rb") as file:
        data = file.read(8)
        size = int.from_bytes(data, "little")
        return run_file.read_head(data + file.read(min(size, run_file.MOST_HEAD)))
