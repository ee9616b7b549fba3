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
    assert other.of(Job(job.configs)) is found
    assert other.of(Job(job.configs[:1])) is None
    assert other.unfinished("me") == []


def test_a_paused_run_goes_on_after_a_restart_whoever_resumes_it(here):
    job = Job((replace(MIDDLE, seeds=(3, 4)), replace(MIDDLE, cell="rnn", seeds=(3, 4))))
    run = here.submit(job, "me")
    wait(lambda: run.step > 50)
    here.pause(run)
    step = rest(run).step
    assert 50 < step < MIDDLE.steps
    second = Pool(1, here.store)
    found = second.of(job)
    assert (found.status, found.step) == ("paused", step)
    assert_trained(found, step)
    second.resume(found, "you")
    assert found in second.unfinished("you")
    assert rest(found).status == "finished"
    assert_trained(found)
    # The server that had it paused sees what became of it.
    again = here.of(job)
    assert again.status == "finished"
    assert_trained(again)


SERVER = """
import sys, time
from rnnviz.runs import Job, Pool
from rnnviz.store import Store
from tests.runs.test_pool_store import MORTAL
if __name__ == "__main__":
    pool = Pool(1, Store(__import__("pathlib").Path(sys.argv[1])))
    run = pool.of(Job((MORTAL,)))
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
        found = after_restart(store).of(Job((MORTAL,)))
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
    assert_trained(after_restart(here.store).of(job))


def test_training_again_and_cancelling_loses_nothing(here):
    job = Job((replace(MIDDLE, length=40, seeds=(7,)),))
    run = rest(here.submit(job, "me"))
    again = here.submit(job, "me")
    assert again is not run
    assert again.key == run.key
    wait(lambda: again.step > 5)
    here.cancel(again)
    assert rest(again).status == "cancelled"
    found = after_restart(here.store).of(job)
    assert found.status == "finished"
    assert_trained(found)
    assert here.of(job) is run


def test_a_run_that_learns_is_shown_as_it_is_to_who_asks_for_the_same(here):
    job = Job((replace(LONG, seeds=(40,)),))
    run = here.submit(job, "a")
    wait(lambda: here.store.find(run.key))
    assert here.of(job) is run
    assert here.find(run.key) is run
    other = after_restart(here.store)
    found = other.of(job)
    assert (found.status, found.why) == ("died", "Another server trains it at this moment.")
    assert found.elsewhere
    other.resume(found, "b")
    assert not found.active
    here.cancel(run)
    rest(run)
    found = other.find(run.key)
    assert (found.status, found.elsewhere) == ("cancelled", False)
    other.resume(found, "b")
    assert found.active


def test_what_another_server_made_of_a_run_is_seen_under_every_name(here):
    job = Job((replace(LONG, steps=2000, seeds=(41,)),))
    run = here.submit(job, "a")
    wait(lambda: run.step > 20)
    here.pause(run)
    rest(run)
    other = Pool(1, here.store)
    found = other.find(run.key)
    other.resume(found, "b")
    assert rest(found).status == "finished"
    third = after_restart(here.store)
    assert third.find(run.key).status == "finished"
    assert here.find(run.key).status == "finished"
    assert here.of(job).status == "finished"
    assert here.find(run.id) is run  # its own link shows what it was
    other.store.delete(run.key)
    assert third.find(run.key) is None
    assert third.of(job) is None


def test_who_starts_the_same_anew_takes_nothing_from_a_paused_run(here):
    job = Job((replace(LONG, seeds=(42,)),))
    run = here.submit(job, "a")
    wait(lambda: run.step > 300)
    here.pause(run)
    step = rest(run).step
    assert here.of(job) is run
    other = here.submit(job, "b")
    wait(lambda: other.step > 20)
    here.cancel(other)
    assert rest(other).step < step
    found = after_restart(here.store).find(run.key)
    assert (found.status, found.step, found.owner) == ("paused", step, "a")
    here.cancel(run)
    assert after_restart(here.store).find(run.key).status == "cancelled"


def test_resuming_twice_is_one_run_and_cancelling_in_the_queue_is_remembered(here):
    job = Job((replace(LONG, seeds=(43,)),))
    run = here.submit(job, "a")
    wait(lambda: run.step > 20)
    here.pause(run)
    rest(run)
    other = Pool(1, here.store)
    first = other.find(run.key)
    path = here.store.path(run.key)
    path.touch()  # as if another server had looked after it: it is read anew
    second = other.find(run.key)
    other.resume(second, "b")
    other.resume(first, "c")
    assert [each.status for each in (first, second)].count("paused") == 1
    assert len(other.unfinished("b") + other.unfinished("c")) == 1
    other.cancel(first)
    rest(second)
    assert second.status == "cancelled"
    busy = other.submit(Job((replace(LONG, seeds=(44,)),)), "x")
    wait(lambda: busy.status == "running")
    again = other.submit(job, "b")
    other.cancel(again)
    third = other.find(run.key)
    other.resume(third, "b")
    assert third.status == "queued"
    other.cancel(third)
    assert after_restart(here.store).find(run.key).status == "cancelled"
    other.cancel(busy)
    rest(busy)


def test_runs_that_were_only_looked_at_make_room_in_memory(here, monkeypatch):
    keys = [rest(here.submit(Job((replace(QUICK, seeds=(k,)),)), "me")).key for k in (50, 51, 52)]
    monkeypatch.setenv(limits.VARIABLE, "kept=1")
    other = after_restart(here.store)
    for key in keys:
        assert other.find(key).status == "finished"
    assert list(other._runs) == keys[-1:]


def test_a_run_says_under_which_versions_it_was_trained(here):
    run = here.submit(Job((replace(LONG, seeds=(45,)),)), "a")
    wait(lambda: run.step > 20)
    here.pause(run)
    kept = here.store.load(rest(run).key)
    here.forget(run.key)
    here.store.save(replace(kept, versions={**kept.versions, "torch": "1.0"}))
    other = Pool(1, here.store)
    found = other.find(run.key)
    assert found.versions["torch"] == "1.0"
    other.resume(found, "a")
    step = found.step
    wait(lambda: found.step > step + 5)
    other.cancel(found)
    rest(found)
    assert here.store.load(run.key).versions["torch"] == f"1.0, then {kept.versions['torch']}"


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
    for find in (lambda: other.find(run.id), lambda: other.of(job)):
        with pytest.raises(ValueError, match=f"Run “{run.key}” cannot be shown: it is damaged"):
            find()
    again = rest(other.submit(job, "me"))
    assert (again.status, again.unkept) == ("finished", "")
    assert_trained(after_restart(here.store).of(job))


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
    assert here.of(run.job) is None
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
