"""Starts the app as a user would, in a process of its own; used by the browser tests and the benchmarks."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Server:
    """A running app; stops at the end of a `with` block or at `stop()`."""

    url: str
    process: subprocess.Popen[bytes]
    log_file: Path
    home: tempfile.TemporaryDirectory[str] | None = None
    _last_words: str = ""

    def log(self) -> str:
        """Return all that the server said so far, also when it has ended."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else self._last_words

    def stop(self) -> None:
        for sign, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
            if self.process.poll() is None:
                os.killpg(self.process.pid, sign)
                try:
                    self.process.wait(patience)
                except subprocess.TimeoutExpired:
                    continue
        self._last_words = self.log()
        self.log_file.unlink(missing_ok=True)
        if self.home:
            self.home.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start_server(app: Path = ROOT / "app.py", patience: float = 60, home: Path | None = None) -> Server:
    """Start `streamlit run app` on a free port of this machine and return once it is healthy.

    Its runs are kept in ``home``, or else in a folder of its own that goes with it.

    Raises:
        RuntimeError: if the server ended or was not healthy within `patience` seconds; holds its log.

    """
    port = _free_port()
    handle, log_file = tempfile.mkstemp(prefix="rnnviz-", suffix=".log")
    options = ["--server.headless=true", "--server.address=127.0.0.1", f"--server.port={port}"]
    own = None if home else tempfile.TemporaryDirectory(prefix="rnnviz-", ignore_cleanup_errors=True)
    with os.fdopen(handle, "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", str(app), *options],
            env={**os.environ, "RNNVIZ_HOME": str(home) if own is None else own.name},
            cwd=ROOT,  # where .streamlit/config.toml is
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(f"http://127.0.0.1:{port}", process, Path(log_file), own)
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and process.poll() is None:
        if _healthy(server.url):
            return server
        time.sleep(0.1)
    server.stop()
    raise RuntimeError(f"{app} did not start within {patience:g} s; it said:\n{server.log()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
