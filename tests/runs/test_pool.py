"""Runs in processes of their own: the same curves as here, whatever happens to them in between."""

import os
import signal
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from rnnviz.engine.learning import learning_of
from rnnviz.engine.train import TrainConfig, train
from rnnviz.runs import Job, Pool, limits
from rnnviz.runs.worker import save_every
from rnnviz.store import Store

QUICK = TrainConfig(
    task="adding", length=10, cell="gru", hidden_size=4, seeds=(0, 1), steps=40, eval_every=10, batch_size=5
)
LONG = replace(QUICK, steps=20_000, eval_every=1000, length=40)
PATIENCE = 60.0
module = sys.modules[Pool.__module__]


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    return Pool(1, Store(tmp_path_factory.mktemp("home")))


def wait(ready):
    deadline = time.monotonic() + PATIENCE
    while not ready():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def rest(run):
    wait(lambda: not run.active)
    return run


def assert_same(learning, config, steps=None):
    """What came over the pipe is what the trainer yields in this process."""
    want = learning_of(config, train(config)) if steps is None else None
    if want is None:
        records = train(config)
        want = learning_of(config, [next(records) for _ in range(steps)])
    for name in ("steps", "loss", "grad_norm", "clipped", "eval_steps", "metric", "state_grad_norms"):
        np.testing.assert_array_equal(getattr(learning, name), getattr(want, name))


def test_a_run_elsewhere_is_the_run_here(pool):
    job = Job((QUICK, replace(QUICK, cell="lstm", state_grads_every=7), replace(QUICK, cell="rnn")))
    run = rest(pool.submit(job, "a"))
    assert (run.status, run.why, run.share, run.step) == ("finished", "", 1.0, 40)
    for learning, config in zip(run.learnings, job.configs, strict=True):
        assert learning.finished
        assert_same(learning, config)
    assert [run.saved_steps(k) for k in range(3)] == [[0, 10, 20, 30, 40]] * 3
    for k, config in enumerate(job.configs):
        training = train(config)
        for step in range(41):
            if step in run.weights[k]:
                for name, value in training.params.items():
                    assert np.array_equal(run.weights[k][step][name], value)
            if step < 40:
                next(training)
    assert run.seconds_left() == 0.0
    assert pool.find(run.id) is run
    assert pool.of(Job(job.configs)) is run
    assert pool.of(Job(job.configs[:1])) is None
    assert pool.find("nobody") is None


def test_pausing_and_resuming_changes_no_bit(pool):
    config = replace(QUICK, steps=400, eval_every=50)
    run = pool.submit(Job((config, replace(config, cell="rnn"))), "a")
    for _ in range(2):
        step = run.step
        wait(lambda step=step, run=run: run.step > step or not run.active)
        pool.pause(run)
        rest(run)
        assert run.status == "paused"
        assert {learning.step for learning in run.learnings} == {run.checkpoints[0].step}
        pool.resume(run)
    assert rest(run).status == "finished"
    for learning in run.learnings:
        assert_same(learning, learning.config)


def test_cancelling_keeps_what_was_shown_and_frees_the_worker(pool):
    run = pool.submit(Job((LONG,)), "a")
    wait(lambda: run.step > 5)
    left = run.seconds_left()
    assert left is not None
    assert left > 0
    pool.cancel(run)
    assert rest(run).status == "cancelled"
    assert 5 < run.step < LONG.steps
    assert_same(run.learnings[0], LONG, run.step)
    assert rest(pool.submit(Job((QUICK,)), "a")).status == "finished"


def test_a_queue_has_places_and_one_may_leave_it(pool):
    first = pool.submit(Job((LONG,)), "a")
    wait(lambda: first.status == "running")
    second, third = (pool.submit(Job((replace(QUICK, seeds=(k,)),)), "b") for k in (5, 6))
    assert (pool.ahead(first), pool.ahead(second), pool.ahead(third)) == (None, 0, 1)
    assert second.status == third.status == "queued"
    pool.pause(second)
    assert (second.status, pool.ahead(third)) == ("paused", 0)
    pool.cancel(second)
    assert second.status == "cancelled"
    pool.cancel(first)
    assert rest(third).status == "finished"
    assert rest(first).status == "cancelled"
    pool.resume(second)
    assert rest(second).status == "finished"  # a cancelled run may be taken up again
    assert_same(second.learnings[0], second.job.configs[0])


def test_a_worker_that_dies_is_reported_and_the_next_run_gets_a_new_one(pool):
    run = pool.submit(Job((LONG,)), "a")
    wait(lambda: run.checkpoints and run.step > 20)
    (process,) = pool.processes()
    os.kill(process, signal.SIGKILL)
    assert rest(run).status == "died"
    assert "SIGKILL" in run.why
    assert run.step > 20
    other = rest(pool.submit(Job((QUICK,)), "b"))
    assert other.status == "finished"
    kept = run.checkpoints[0].step
    assert 0 < kept <= run.step
    pool.resume(run)
    wait(lambda: run.step > kept + 5)
    pool.cancel(run)
    rest(run)
    assert_same(run.learnings[0], LONG, run.step)  # no gap and nothing twice where it was taken up


def test_a_cell_that_has_stopped_stays_so_over_a_pause(pool):
    early = replace(QUICK, steps=20_000, eval_every=10, stop_at=1e6)  # any figure is past it
    run = pool.submit(Job((early, replace(LONG, length=10))), "a")
    wait(lambda: run.learnings[0].finished and run.step > 30)
    pool.pause(run)
    rest(run)
    share = run.share
    pool.resume(run)
    wait(lambda: run.status == "running")
    assert run.learnings[0].finished
    assert run.share >= share > 0.5
    assert run.learnings[0].step == 10
    pool.cancel(run)
    rest(run)
    assert_same(run.learnings[0], early)


def test_a_worker_that_died_idle_is_replaced(pool):
    first = rest(pool.submit(Job((replace(QUICK, seeds=(11,)),)), "a"))
    assert first.status == "finished"
    run = pool.submit(Job((LONG,)), "a")
    wait(lambda: pool.processes())
    (process,) = pool.processes()
    pool.cancel(run)
    rest(run)
    os.kill(process, signal.SIGKILL)
    assert rest(pool.submit(Job((replace(QUICK, seeds=(12,)),)), "a")).status in ("finished", "died")
    assert rest(pool.submit(Job((replace(QUICK, seeds=(13,)),)), "a")).status == "finished"


def test_a_worker_that_cannot_start_is_a_sentence_and_the_next_run_works(pool, monkeypatch):
    class Broken:
        def __init__(self):
            raise OSError("no more processes")

    with monkeypatch.context() as patch:
        patch.setattr(module, "Worker", Broken)
        other = Pool(0, pool.store)
        threading.Thread(target=other._serve, args=(False,), daemon=True).start()
        run = rest(other.submit(Job((QUICK,)), "a"))
        assert (run.status, run.why) == ("died", "The run failed (OSError).")
    other.resume(run)
    assert rest(run).status == "finished"
    assert_same(run.learnings[0], QUICK)


def test_cancelling_before_a_worker_has_begun_is_no_race(pool):
    for act, status in ((pool.cancel, "cancelled"), (pool.pause, "paused")):
        run = pool.submit(Job((replace(LONG, seeds=(21,)),)), "a")
        act(run)
        act(run)
        assert rest(run).status == status
    pool.cancel(run)


def test_starting_twice_is_one_run_and_only_one_s_own(pool):
    run = pool.submit(Job((LONG,)), "a")
    assert pool.submit(Job((LONG,)), "a") is run
    other = pool.submit(Job((LONG,)), "b")
    assert other is not run
    assert pool.unfinished("b") == [other]
    assert run in pool.unfinished("a")
    for each in (other, run):
        pool.cancel(each)
        rest(each)


def test_resuming_keeps_within_the_limits_and_the_oldest_make_room(pool, monkeypatch):
    paused = pool.submit(Job((replace(LONG, seeds=(31,)),)), "r")
    pool.pause(paused)
    rest(paused)
    monkeypatch.setenv(limits.VARIABLE, "own=1")
    running = pool.submit(Job((replace(LONG, seeds=(32,)),)), "r")
    with pytest.raises(ValueError, match="Runs of one person at a time: 2"):
        pool.resume(paused)
    assert paused.status == "paused"
    monkeypatch.setenv(limits.VARIABLE, "own=1,kept=1")
    pool.cancel(running)
    rest(running)
    last = rest(pool.submit(Job((replace(QUICK, seeds=(33,)),)), "r"))
    wait(lambda: pool.find(paused.id) is None)
    assert pool.find(last.id) is last
    assert pool.unfinished("r") == []


def test_limits_refuse_before_anything_starts(pool, monkeypatch):
    for change, said in (
        ({"steps": 10**6}, "Training steps: 1,000,000; allowed here: up to 20,000, so that"),
        ({"hidden_size": 20_000}, "Hidden units: 20,000"),
        ({"seeds": tuple(range(11))}, "Seeds: 11"),
        ({"batch_size": 10**6}, "Sequences a batch: 1,000,000"),
    ):
        with pytest.raises(ValueError, match=said):
            pool.submit(Job((replace(QUICK, **change),)), "a")
    monkeypatch.setenv(limits.VARIABLE, "units=1e5, memory=1e18,work=1e20")
    with pytest.raises(ValueError, match=r"Parameters of a model: 1.2 billion; .*RNNVIZ_LIMITS=parameters"):
        pool.submit(Job((replace(QUICK, hidden_size=20_000),)), "a")
    monkeypatch.setenv(limits.VARIABLE, "steps=30")
    with pytest.raises(ValueError, match="Training steps: 40; allowed here: up to 30"):
        pool.submit(Job((QUICK,)), "a")
    monkeypatch.setenv(limits.VARIABLE, "own=1,waiting=1")
    first = pool.submit(Job((LONG,)), "a")
    with pytest.raises(ValueError, match="Runs of one person at a time: 2"):
        pool.submit(Job((QUICK,)), "a")
    wait(lambda: first.status == "running")
    waiting = pool.submit(Job((QUICK,)), "b")
    with pytest.raises(ValueError, match="Runs in the queue: 2"):
        pool.submit(Job((QUICK,)), "c")
    for run in (waiting, first):
        pool.cancel(run)
        rest(run)


@pytest.mark.parametrize("given", ["steps", "steps=", "steps=-1", "steps=many", "units=nan", "dogs=3"])
def test_a_wrong_limit_in_the_environment_is_named(monkeypatch, given):
    monkeypatch.setenv(limits.VARIABLE, given)
    with pytest.raises(ValueError, match=f"RNNVIZ_LIMITS says “{given}”"):
        limits.limits()


def test_the_limit_of_memory_and_work_are_of_the_whole_run():
    big = replace(QUICK, hidden_size=200, length=1000, batch_size=500, cell="lstm")
    with pytest.raises(ValueError, match="Bytes that training works with"):
        limits.check(Job((big,)))
    slow = replace(QUICK, hidden_size=100, length=900, steps=20_000, cell="lstm")
    limits.check(Job((replace(slow, steps=100),)))
    with pytest.raises(ValueError, match="Parameters × time steps × sequences"):
        limits.check(Job((slow, slow, slow)))


def test_a_job_is_one_task():
    with pytest.raises(ValueError, match="none"):
        Job(())
    with pytest.raises(ValueError, match="different tasks"):
        Job((QUICK, replace(QUICK, length=11)))
    assert Job((QUICK,)) == Job((replace(QUICK),)) != Job((replace(QUICK, lr=0.02),))
    assert Job((QUICK,)).parameters() == [3 * (2 * 4 + 4 * 4 + 2 * 4) + 4 + 1]


def test_few_steps_are_saved_and_each_has_its_figure():
    for steps, every in ((40, 10), (20_000, 100), (50, 100), (4100, 100)):
        config = replace(QUICK, steps=steps, eval_every=every)
        saved = save_every(config)
        assert saved % every == 0
        assert steps // saved <= 40
