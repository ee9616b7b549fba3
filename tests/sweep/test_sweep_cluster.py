"""A sweep on a real Dask cluster of this machine: the same table, through a kill; what cannot be, said."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from rnnviz.run_file import versions
from rnnviz.store import Store
from rnnviz.sweep import Sweep, Sweeping, as_csv, cluster, executors
from rnnviz.sweep.cluster import ClusterError
from tests.sweep.ground import LONG, QUICK, SMALL, rest, table_here, wait

ROOT = Path(__file__).resolve().parents[2]
SWEEP = Sweep(replace(QUICK, steps=60), (20, 30, 40), ("rnn", "lstm"), ("torch", "chrono"))
HERE = {"PYTHONPATH": str(ROOT)}


class Machines:
    """A scheduler and its workers, as processes."""

    def __init__(self, folder):
        self.folder, self.all = folder, []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        # No failure is allowed, so that a worker's death is not mended before the sweep hears of it.
        self.start("scheduler", "--host", self.address, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0")
        wait(lambda: self._listens())

    def start(self, what, *arguments, **environment):
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        with open(self.folder / f"{len(self.all)}.log", "w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{what}", *arguments, "--no-dashboard"],
                cwd=self.folder,
                env=inherited | environment,
                stdout=log,
                stderr=log,
            )
        self.all.append(process)
        return process

    def worker(self, **environment):
        return self.start(
            "worker", self.address, "--nthreads", "1", "--no-nanny", "--host", "127.0.0.1", **environment
        )

    def end(self, process):
        process.kill()
        process.wait()

    def _listens(self):
        host, port = self.address.removeprefix("tcp://").split(":")
        try:
            socket.create_connection((host, int(port)), 1).close()
        except OSError:
            return False
        return True


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    machines = Machines(tmp_path_factory.mktemp("cluster"))
    yield machines
    for process in reversed(machines.all):
        machines.end(process)


@pytest.fixture
def given(monkeypatch):
    """What clusters are given to train."""
    given, submit = [], cluster.Cluster.submit

    def noted(self, fn, /, *args):
        given.extend(args)
        return submit(self, fn, *args)

    monkeypatch.setattr(cluster.Cluster, "submit", noted)
    return given


def refused(address, patience=60.0):
    with pytest.raises(ClusterError) as caught, executors.opened(address, patience=patience):
        pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_cluster_without_workers_is_a_sentence(machines):
    assert refused(machines.address, 0.2) == (
        f"The cluster at {machines.address} has no workers; start some: dask worker {machines.address}."
    )


def test_workers_that_cannot_do_the_same_are_a_sentence(machines, tmp_path):
    bare = machines.worker()
    said = refused(machines.address)
    machines.end(bare)
    assert said.startswith("The worker tcp://127.0.0.1:")
    assert "cannot import rnnviz: start it in a working copy of rnnviz, with PYTHONPATH=." in said
    shutil.copytree(ROOT / "rnnviz", tmp_path / "rnnviz", ignore=shutil.ignore_patterns("__pycache__"))
    file = tmp_path / "rnnviz" / "__init__.py"
    file.write_text(file.read_text().replace("0.1.0", "0.0.9"))
    old = machines.worker(PYTHONPATH=str(tmp_path))
    wait(lambda: "rnnviz 0.0.9; here it is 0.1.0." in refused(machines.address))
    machines.end(old)


def test_a_worker_killed_midway_changes_no_bit(machines, tmp_path, monkeypatch, given):
    workers = [machines.worker(**HERE) for _ in range(2)]
    monkeypatch.setenv(executors.SCHEDULER, machines.address)
    with executors.opened(patience=60) as crew:
        wait(lambda: len(crew._client.nthreads()) == 2)
    sweeping = Sweeping(SWEEP, Store(tmp_path), patience=60.0)
    wait(lambda: sweeping.done >= 2)
    os.kill(workers[0].pid, signal.SIGKILL)
    done = {one.config for one in sweeping.outcomes}
    rest(sweeping)
    assert (sweeping.status, sweeping.why) == ("finished", "")
    assert as_csv(sweeping.outcomes) == table_here(SWEEP)
    # What was finished is not asked for again; what the scheduler gave up with the worker is.
    assert set(given) == set(SWEEP.configs)
    assert len(given) > len(SWEEP.configs)
    assert {given.count(config) for config in done} == {1}
    machines.end(workers[1])


def test_a_cancelled_sweep_drops_what_waits_and_a_scheduler_that_goes_is_a_sentence(tmp_path, given):
    machines = Machines(tmp_path)
    scheduler = machines.all[0]
    machines.worker(**HERE)
    try:
        sweeping = Sweeping(LONG, Store(tmp_path / "store"), machines.address, patience=60.0)
        wait(lambda: len(given) == 4)
        sweeping.cancel()
        rest(sweeping)
        assert (sweeping.status, sweeping.done) == ("cancelled", 0)
        # Nobody waits for what the worker has begun; the next sweep's first training is behind it.
        sweeping = Sweeping(LONG, Store(tmp_path / "store"), machines.address, patience=60.0)
        wait(lambda: len(given) == 8)
        machines.end(scheduler)
        rest(sweeping)
        assert sweeping.status == "failed"
        assert sweeping.why == "The scheduler is gone. What is finished is kept; start again to go on."
    finally:
        for process in machines.all:
            machines.end(process)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("tcp://127.0.0.1:1", r"Nobody answers at tcp://127.0.0.1:1 (Connection refused)."),
        ("dogs", "'dogs' is no scheduler's address (missing port number in address 'dogs')"),
        ("dogs://a:1", "'dogs://a:1' is no scheduler's address (unknown address scheme 'dogs'"),
        ("tcp://127.0.0.1:123456", "Nobody answers at tcp://127.0.0.1:123456 ("),
    ],
)
def test_an_address_where_no_scheduler_is_is_a_sentence(address, said):
    assert refused(address, 1.0).startswith(said)


def test_something_else_that_listens_is_a_sentence():
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        assert refused(address, 0.2) == f"What listens at {address} does not answer as a Dask scheduler does."


def test_without_the_package_it_is_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "distributed", None)
    sweeping = rest(Sweeping(SMALL, Store(tmp_path), "tcp://127.0.0.1:1"))
    assert sweeping.status == "failed"
    assert sweeping.why == (
        "A cluster needs the package distributed: pip install -r requirements-cluster.txt."
    )


def test_versions_on_which_numbers_depend_must_be_the_same():
    cluster.check_versions("It", versions())
    cluster.check_versions("It", versions() | {"python": "3.99"})
    for name in ("rnnviz", "torch", "numpy"):
        with pytest.raises(ClusterError, match=rf"^It has {name} 0\.1; here it is "):
            cluster.check_versions("It", versions() | {name: "0.1"})
        with pytest.raises(ClusterError, match=f"^It has {name} of no version; here"):
            cluster.check_versions("It", {k: v for k, v in versions().items() if k != name})
