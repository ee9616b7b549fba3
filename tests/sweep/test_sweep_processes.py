"""A sweep in processes of this machine: the same bits, through kills, and nothing left behind."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from rnnviz.store import Store
from rnnviz.sweep import Sweep, Sweeping, as_csv, executors
from tests.sweep.ground import LONG, QUICK, alive, rest, table_here, wait

ROOT = Path(__file__).resolve().parents[2]
LONGER = Sweep(replace(QUICK, steps=60), (20, 30, 40), ("rnn", "lstm"), ("torch", "chrono"))


@pytest.fixture
def crews(monkeypatch):
    """The executors that sweeps make, with what each was given."""
    made = []

    class Seen(executors.Local):
        def __init__(self, workers):
            super().__init__(workers)
            self.given = []
            made.append(self)

        def submit(self, fn, /, *args):
            future = super().submit(fn, *args)
            self.given.append((*args, future))
            return future

        @property
        def pids(self):
            return [process.pid for process in self._spawning.started if process.pid]

    monkeypatch.setattr(executors, "Local", Seen)
    return made


def test_a_killed_worker_costs_what_was_not_finished_and_no_bit(crews, tmp_path):
    sweeping = Sweeping(LONGER, Store(tmp_path), workers=2)
    wait(lambda: sweeping.done >= 2)
    os.kill(crews[0].pids[0], signal.SIGKILL)
    rest(sweeping)
    assert (sweeping.status, sweeping.why) == ("finished", "")
    assert len(crews) == 2
    well = [config for config, future in crews[0].given if not future.exception()]
    again = [config for config, _ in crews[1].given]
    assert len(well) >= 2
    assert sorted(map(repr, [*well, *again])) == sorted(map(repr, LONGER.configs))
    assert as_csv(sweeping.outcomes) == table_here(LONGER)
    wait(lambda: not any(alive(pid) for crew in crews for pid in crew.pids))


def test_cancelling_stops_what_runs(crews, tmp_path):
    sweeping = Sweeping(LONG, Store(tmp_path), workers=2)
    wait(lambda: crews and len(crews[0].pids) == 2)
    sweeping.cancel()
    rest(sweeping)
    assert (sweeping.status, sweeping.done, len(crews)) == ("cancelled", 0, 1)
    wait(lambda: not any(map(alive, crews[0].pids)))


@pytest.mark.parametrize("end", ["exit", "stay"])
def test_workers_end_with_their_parent_however_that_ends(tmp_path, end):
    program = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("endless.py"), tmp_path, end],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with program:
        pids = [int(pid) for pid in program.stdout.readline().split()]
        assert len(pids) == 2
        if end == "stay":
            program.kill()
        assert program.wait(100) == (-signal.SIGKILL if end == "stay" else 0)
        wait(lambda: not any(map(alive, pids)))
        assert end == "stay" or not program.stderr.read()


def test_a_worker_is_modest_deaf_to_the_terminal_and_runs_no_page(monkeypatch, tmp_path):
    page, trace = tmp_path / "page.py", tmp_path / "it_ran"
    page.write_text(f"open({str(trace)!r}, 'w')", encoding="utf-8")
    main = ModuleType("__main__")
    main.__file__ = str(page)  # as a Streamlit server has it, whose main module is the page that ran last
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with executors.opened(workers=1) as workers:
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "__main__", main)
            nice = workers.submit(os.nice, 0)
        deaf = workers.submit(signal.pthread_sigmask, signal.SIG_BLOCK, [])
        assert nice.result() == min(19, os.nice(0) + 10)
        assert signal.SIGINT in deaf.result()
    assert not trace.exists()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask
