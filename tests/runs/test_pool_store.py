"""Runs that outlive their server: what another one finds of them, and what it says where it cannot."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rnnviz import run_file
from rnnviz.engine.learning import learning_of
from rnnviz.engine.train import TrainConfig, train
from rnnviz.keeper import Keeper, StoreError
from rnnviz.runs import Job, Pool, limits
from rnnviz.store import Store

ROOT = Path(__file__).resolve().parents[2]
QUICK = TrainConfig(
    task="adding", length=10, cell="gru", hidden_size=4, seeds=(0, 1), steps=40, eval_every=10, batch_size=5
)
MIDDLE = replace(QUICK, steps=800, eval_every=200, state_grads_every=100)
MORTAL = replace(QUICK, steps=4000, eval_every=1000, length=20)
LONG = replace(QUICK, steps=20_000, eval_every=1000, length=40)
CURVES = ("steps", "loss", "grad_norm", "clipped", "eval_steps", "metric", "asked_steps", "state_grad_norms")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "home")


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return Pool(1, Store(tmp_path_factory.mktemp("here")))


def wait(ready):
    deadline = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def rest(run):
    wait(lambda: not run.active)
    return run


def after_restart(store):
    """Another server over the same store; without a worker it can only read."""
    return Pool(0, store)


def assert_trained(run, steps=None):
    """Every curve is, bit for bit, what the trainer yields in this process."""
    for learning, config in zip(run.learnings, run.job.configs, strict=True):
        records = train(config)
        want = learning_of(config, records if steps is None else [next(records) for _ in range(steps)])
        for name in CURVES:
            np.testing.assert_array_equal(getattr(learning, name), getattr(want, name))


def test_a_finished_run_is_there_after_a_restart_without_training(here):
    job = Job((QUICK, replace(QUICK, cell="lstm", state_grads_every=7)))
    run = rest(here.submit(job, "me"))
    other = after_restart(here.store)
    found = other.find(run.id)
    assert found is not run
    assert (found.status, found.owner, found.unkept, found.job) == ("finished", "me", "", job)
    assert_trained(found)
    assert [found.saved_steps(k) for k in (0, 1)] == [[0, 10, 20, 30, 40]] * 2
    for k in (0, 1):
        for step, kept in run.weights[k].items():
            for name, value in kept.items():
                assert np.array_equal(found.weights[k][step][name], value)
    assert other.find(run.key) is found
    assert other.at_rest(Job(job.configs)) is found
    assert other.at_rest(Job(job.configs[:1])) is None
    assert other.unfinished("me") == []


def test_a_paused_run_goes_on_after_a_restart_whoever_resumes_it(here):
    job = Job((replace(MIDDLE, seeds=(3, 4)), replace(MIDDLE, cell="rnn", seeds=(3, 4))))
    run = here.submit(job, "me")
    wait(lambda: run.step > 50)
    here.pause(run)
    step = rest(run).step
    assert 50 < step < MIDDLE.steps
    second = Pool(1, here.store)
    found = second.at_rest(job)
    assert (found.status, found.step) == ("paused", step)
    assert_trained(found, step)
    second.resume(found, "you")
    assert found in second.unfinished("you")
    assert rest(found).status == "finished"
    assert_trained(found)
    # The server that had it paused sees what became of it.
    again = here.at_rest(job)
    assert again.status == "finished"
    assert_trained(again)


SERVER = """
import sys, time
from rnnviz.runs import Job, Pool
from rnnviz.store import Store
from tests.runs.test_pool_store import MORTAL
if __name__ == "__main__":
    pool = Pool(1, Store(__import__("pathlib").Path(sys.argv[1])))
    run = pool.at_rest(Job((MORTAL,)))
    if run is None:
        run = pool.submit(Job((MORTAL,)), "me")
    else:
        pool.resume(run)
    while True:
        print(run.step, run.status, flush=True)
        time.sleep(0.02)
"""


def test_a_server_that_is_killed_again_and_again_loses_less_than_a_second(tmp_path, store):
    """Each life begins where the last one's file ended; at the end no bit is other than without deaths."""
    rng, kept, finished = np.random.default_rng(0), 0, False
    for life in range(5):  # the last one may live
        server = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(store.home)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        steps, deadline = [], None
        for line in server.stdout:
            step, status = line.split()
            if status == "running" and int(step) > kept and deadline is None:
                deadline = time.monotonic() + (rng.uniform(0, 0.7) if life < 4 else 120)
            steps.append((time.monotonic(), int(step)))
            finished = status == "finished"
            if finished or (deadline and time.monotonic() > deadline):
                break
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        server.stdout.close()
        killed = steps[-1][0]
        found = after_restart(store).at_rest(Job((MORTAL,)))
        a_second_ago = max((step for at, step in steps if at <= killed - 1.0), default=0)
        if found is None:
            assert kept == 0
            assert a_second_ago == 0
            continue
        going_on = found.step if finished else found.checkpoints[0].step
        assert going_on >= max(kept, a_second_ago)
        assert_trained(found, found.step)
        kept = going_on
        if finished:
            break
        assert (found.status, found.why) == ("died", "Its server ended while it learned.")
    assert finished
    assert life >= 2  # it was killed on its way, more than once
    assert_trained(found)
    assert [path.name for path in store.runs.iterdir()] == [f"{found.key}.safetensors"]


def test_a_store_that_cannot_be_written_stops_no_run_and_says_so(here, monkeypatch):
    def full(*_):
        raise StoreError("The store in /there could not be written: the disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "whole", full)
        patch.setattr(Keeper, "going", full)
        run = rest(here.submit(Job((replace(QUICK, seeds=(5,)),)), "me"))
    assert run.status == "finished"
    assert run.unkept == "The store in /there could not be written: the disk is full."
    assert_trained(run)
    assert after_restart(here.store).find(run.id) is None
    assert here.find(run.id) is run


def test_two_servers_that_train_the_same_keep_it_once_and_say_so(here):
    second = Pool(1, here.store)
    job = Job((replace(MIDDLE, length=40, seeds=(6,)),))
    first, other = here.submit(job, "a"), None
    wait(lambda: first.step > 5)
    other = second.submit(job, "b")
    wait(lambda: other.step > 5 or not other.active)
    assert "trains this very configuration" in other.unkept
    assert first.unkept == ""
    for run in (first, other):
        assert rest(run).status == "finished"
        assert_trained(run)
    assert_trained(after_restart(here.store).at_rest(job))


def test_training_again_and_cancelling_loses_nothing(here):
    job = Job((replace(MIDDLE, length=40, seeds=(7,)),))
    run = rest(here.submit(job, "me"))
    again = here.submit(job, "me")
    assert again is not run
    assert again.key == run.key
    wait(lambda: again.step > 5)
    here.cancel(again)
    assert rest(again).status == "cancelled"
    found = after_restart(here.store).at_rest(job)
    assert found.status == "finished"
    assert_trained(found)
    assert here.at_rest(job) is run


def test_a_paused_run_that_is_cancelled_is_so_after_a_restart(here):
    run = here.submit(Job((replace(LONG, seeds=(8,)),)), "me")
    wait(lambda: run.step > 5)
    here.pause(run)
    rest(run)
    here.cancel(run)
    assert after_restart(here.store).find(run.id).status == "cancelled"


def test_a_run_that_cannot_be_read_is_a_sentence_and_may_be_trained_again(here):
    job = Job((replace(QUICK, seeds=(9,)),))
    run = rest(here.submit(job, "me"))
    path = here.store.path(run.key)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    other = Pool(1, here.store)
    for find in (lambda: other.find(run.id), lambda: other.at_rest(job)):
        with pytest.raises(ValueError, match=f"Run “{run.key}” cannot be shown: it is damaged"):
            find()
    again = rest(other.submit(job, "me"))
    assert (again.status, again.unkept) == ("finished", "")
    assert_trained(after_restart(here.store).at_rest(job))


def test_a_run_of_a_newer_version_is_left_as_it_is(here, monkeypatch):
    job = Job((replace(QUICK, seeds=(10,)),))
    run = rest(here.submit(job, "me"))
    path, kept = here.store.path(run.key), here.store.load(run.key)
    with monkeypatch.context() as later:
        later.setattr(run_file, "FORMAT", 2)
        path.write_bytes(run_file.pack(kept))
    written = path.read_bytes()
    other = Pool(1, here.store)
    with pytest.raises(ValueError, match=r"cannot be shown: it was written by a newer version"):
        other.find(run.id)
    again = rest(other.submit(job, "me"))
    assert again.status == "finished"
    assert "newer version" in again.unkept
    assert path.read_bytes() == written


def test_the_oldest_runs_make_room_on_disk(here, monkeypatch):
    old = [rest(here.submit(Job((replace(QUICK, seeds=(k,)),)), "me")) for k in (20, 21)]
    size = sum(run.nbytes for run in here.store.listed())
    monkeypatch.setenv(limits.VARIABLE, f"stored={size - 10}")
    os.utime(here.store.path(old[1].key), (1, 1))
    new = rest(here.submit(Job((replace(QUICK, seeds=(22,)),)), "me"))
    wait(lambda: here.store.find(old[1].key) is None)
    assert here.store.find(new.key)
    monkeypatch.setenv(limits.VARIABLE, "stored=1")
    last = rest(here.submit(Job((replace(QUICK, seeds=(23,)),)), "me"))
    wait(lambda: len(here.store.listed()) == 1)
    assert after_restart(here.store).find(last.id)


def test_a_deleted_run_is_forgotten_and_an_active_one_is_not(here):
    run = rest(here.submit(Job((replace(QUICK, seeds=(30,)),)), "me"))
    here.store.delete(run.key)
    here.forget(run.key)
    assert here.find(run.id) is None
    assert here.at_rest(run.job) is None
    here.store.undo(run.key)
    assert_trained(here.find(run.id))
    active = here.submit(Job((replace(LONG, seeds=(31,)),)), "me")
    wait(lambda: active.step > 50)
    with pytest.raises(StoreError, match="trains this very configuration"):
        here.store.delete(active.key)
    here.forget(active.key)
    assert here.find(active.id) is active
    here.cancel(active)
    rest(active)
