"""A worker process, seen from its server."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from rnnviz.runs.pipe import receive, send

_ROOT = Path(__file__).resolve().parents[2]


class Worker:
    """A process and its pipes."""

    def __init__(self) -> None:
        """Start it."""
        # In a session of its own: Ctrl-C in the server's terminal is not for it; it ends with its input.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "rnnviz.runs.worker"],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def say(self, message: tuple[object, ...]) -> None:
        """Send a message; a process that is gone is noticed by who listens to it."""
        try:
            send(self._pipe(self._process.stdin), message)
        except OSError:
            self.kill()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self.end()

    def hear(self) -> tuple[Any, ...] | None:
        """Its next message; None at its end."""
        return receive(self._pipe(self._process.stdout))

    def end(self) -> str:
        """How it ended, in words."""
        code = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what it was still to be told
                self._pipe(pipe).close()
        if code >= 0:
            return f"code {code}"
        try:
            return f"signal {signal.Signals(-code).name}"
        except ValueError:
            return f"signal {-code}"

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None  # both were asked for
        return pipe
