"""Worker processes that know nothing of the program that starts them, and end with it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import connection, parent_process, popen_spawn_posix, spawn
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

NICE = 10  # so that who watches a page is served first
_one_at_a_time = threading.Lock()


class _Popen(popen_spawn_posix.Popen):
    def _launch(self, process_obj: Any) -> None:
        with _plainly():
            super()._launch(process_obj)  # type: ignore[misc]  # no part of its types


class _Process(SpawnProcess):
    @staticmethod
    def _Popen(process_obj: Any) -> _Popen:
        return _Popen(process_obj)


class Spawning(SpawnContext):
    """Starts processes anew, not as forks, which would be unsafe in a server with threads.

    Attributes:
        started: the processes.
    """

    def __init__(self) -> None:
        """None yet."""
        super().__init__()
        self.started: list[SpawnProcess] = []

    def Process(self, *args: Any, **kwargs: Any) -> SpawnProcess:  # type: ignore[override]  # a class there
        """A process, not started."""
        self.started.append(_Process(*args, **kwargs))
        return self.started[-1]

    def kill(self) -> None:
        """End all of them at once."""
        for process in self.started:
            if process.pid is not None and process.is_alive():
                process.kill()


def begin() -> None:
    """What a worker process does first: be modest, and end when its parent does, however that ends."""
    os.nice(NICE)
    threading.Thread(target=_end_with_parent, daemon=True, name="parent").start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


@contextmanager
def _plainly() -> Iterator[None]:
    """Start a process without the main module, and deaf to the terminal's Ctrl-C.

    A spawned process runs its parent's main script first. Ours needs nothing of it, and in a server that is
    a page. Ctrl-C goes to every process of a terminal; the parent alone decides what it means.
    """
    with _one_at_a_time:
        whole = spawn.get_preparation_data

        def without_main(name: str) -> dict[str, Any]:
            data = whole(name)
            return {key: value for key, value in data.items() if not key.startswith("init_main")}

        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        spawn.get_preparation_data = without_main
        try:
            yield
        finally:
            spawn.get_preparation_data = whole
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
