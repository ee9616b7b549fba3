"""A sweep's life: what is finished is never trained again, and nothing that happens to it goes unsaid."""

import re
import threading
from concurrent.futures import BrokenExecutor, Future
from dataclasses import replace

import pytest
import torch

from rnnviz import run_file
from rnnviz.engine.outcome import outcomes_of
from rnnviz.keeper import StoreError
from rnnviz.run_config import run_id
from rnnviz.run_file import unpack
from rnnviz.runs import limits
from rnnviz.store import Store
from rnnviz.sweep import Sweep, Sweeping, as_csv, executors, finished, known
from rnnviz.sweep import sweeping as sweeping_module
from rnnviz.sweep.grid import work_of
from rnnviz.sweep.work import train_one
from tests.sweep.ground import QUICK, SMALL, Here, rest, table_here, wait


@pytest.fixture(scope="module")
def small_table():
    return table_here(SMALL)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def test_a_training_elsewhere_is_the_training_here():
    config = replace(SMALL.configs[2], steps=25)
    kept = run_file.unpack(train_one(config))
    assert (kept.configs, kept.status, kept.owner, kept.apart) == ((config,), "finished", "", ())
    (cell,) = kept.cells
    assert cell.learning.finished
    assert cell.checkpoint is None
    assert sorted(cell.weights) == [0, 25]
    assert cell.seconds > 0
    assert as_csv(outcomes_of(cell.learning)) == table_here(Sweep(config, (5,), ("lstm",), ("chrono",)))


def test_training_leaves_torch_as_it_was(monkeypatch):
    set_to, threads = [], [3]
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads[0])
    monkeypatch.setattr(torch, "set_num_threads", lambda n: (set_to.append(n), threads.__setitem__(0, n)))
    train_one(replace(QUICK, steps=1))
    assert set_to == [1, 3]


def test_it_trains_all_keeps_all_and_says_whose_they_are(monkeypatch, store, small_table):
    here = Here().instead_of(monkeypatch)
    sweeping = rest(Sweeping(SMALL, store, owner="me"))
    assert (sweeping.status, sweeping.why, sweeping.note) == ("finished", "", "")
    assert (sweeping.done, sweeping.total, sweeping.share) == (10, 10, 1.0)
    assert sweeping.seconds_left() == 0.0
    assert as_csv(sweeping.outcomes) == as_csv(known(SMALL, store)) == small_table
    assert here.given == list(SMALL.configs)
    kept = store.load(run_id(SMALL.configs[3:4]))
    assert (kept.owner, kept.status) == ("me", "finished")


def test_what_is_finished_is_taken_and_not_trained_again(monkeypatch, store, small_table):
    ready = threading.Event()

    def instead(config):
        ready.wait()
        if len(here.given) == 4:
            sweeping.cancel()

    here = Here(instead).instead_of(monkeypatch)
    sweeping = Sweeping(SMALL, store)
    ready.set()
    rest(sweeping)
    assert (sweeping.status, sweeping.why) == ("cancelled", "")
    assert sweeping.done == len(here.given) == 4  # what had ended when it was cancelled counts
    assert sweeping.seconds_left() is None
    there = {one.config for one in known(SMALL, store)}
    assert there == {one.config for one in sweeping.outcomes}
    assert 0 < sweeping.share < 1

    again = Here().instead_of(monkeypatch)
    sweeping = rest(Sweeping(SMALL, store))
    assert sweeping.status == "finished"
    assert again.given == [config for config in SMALL.configs if config not in there]
    assert as_csv(sweeping.outcomes) == small_table
    nothing = Here().instead_of(monkeypatch)
    assert as_csv(rest(Sweeping(SMALL, store)).outcomes) == small_table
    assert (nothing.given, nothing.opened) == ([], 0)


def test_what_somebody_else_finishes_meanwhile_is_not_trained_again(monkeypatch, store):
    last = SMALL.configs[-1]
    here = Here(lambda config: store.save(run_file.unpack(train_one(last)))).instead_of(monkeypatch)
    sweeping = rest(Sweeping(SMALL, store))
    assert sweeping.done == 10
    assert here.given == list(SMALL.configs[:-1])


def test_a_store_that_cannot_be_written_costs_nothing_but_a_note(monkeypatch, store, small_table):
    def full(kept):
        raise StoreError("The store in X could not be written: the disk is full.")

    monkeypatch.setattr(store, "save", full)
    Here().instead_of(monkeypatch)
    sweeping = rest(Sweeping(SMALL, store))
    assert (sweeping.status, sweeping.note) == (
        "finished",
        "The store in X could not be written: the disk is full.",
    )
    assert as_csv(sweeping.outcomes) == small_table
    assert known(SMALL, store) == ()


def test_a_training_that_is_refused_fails_the_sweep_and_keeps_the_rest(monkeypatch, store):
    def instead(config):
        if config == SMALL.configs[2]:
            raise ValueError("x is 1; allowed: 2")

    Here(instead).instead_of(monkeypatch)
    sweeping = rest(Sweeping(SMALL, store))
    assert sweeping.status == "failed"
    assert sweeping.why == (
        "The training of LSTM at length 5, learning rate 0.01, chrono weights was refused: x is 1; allowed: 2"
    )
    assert sweeping.done == 9
    assert len(known(SMALL, store)) == 18


@pytest.mark.parametrize(
    ("instead", "said"),
    [
        (lambda config: b"nothing", r"What came back for .* cannot be read: it is damaged"),
        (
            lambda config: train_one(replace(config, steps=3)),
            r"What came back for .* at length 5, learning rate 0.01 is something else",
        ),
        (lambda config: 1 / 0, r"at length 5, .* failed: ZeroDivisionError: division by zero\.$"),
    ],
)
def test_a_result_that_is_none_fails_the_sweep(monkeypatch, store, instead, said):
    Here(instead).instead_of(monkeypatch)
    sweeping = rest(Sweeping(SMALL, store))
    assert (sweeping.status, sweeping.done) == ("failed", 0)
    assert re.search(said, sweeping.why)
    assert known(SMALL, store) == ()


def test_a_result_of_other_versions_is_not_kept(monkeypatch, store):
    def older(config):
        kept = run_file.unpack(train_one(config))
        return run_file.pack(replace(kept, versions={**kept.versions, "torch": "1.0"}))

    Here(older).instead_of(monkeypatch)
    sweeping = rest(Sweeping(SMALL, store))
    assert sweeping.status == "failed"
    assert "has torch 1.0; here it is" in sweeping.why
    assert known(SMALL, store) == ()


def test_workers_that_die_cost_what_was_not_finished_and_only_the_guilty_is_blamed(
    monkeypatch, store, small_table
):
    deaths = {SMALL.configs[1]: 2, SMALL.configs[7]: 1}

    def instead(config):
        if deaths.get(config, 0):
            deaths[config] -= 1
            raise BrokenExecutor

    here = Here(instead).instead_of(monkeypatch)
    sweeping = rest(Sweeping(SMALL, store))
    assert sweeping.status == "finished"
    assert as_csv(sweeping.outcomes) == small_table
    assert here.opened == 4
    assert sorted(map(here.given.count, SMALL.configs)) == [1] * 8 + [2, 3]


def test_a_training_that_always_kills_its_worker_is_named(monkeypatch, tmp_path):
    class OneFate(Here):
        """What flies with the bad one ends with it."""

        def submit(self, fn, config):
            self.given.append(config)
            future = Future()
            if bad in self.given:
                future.set_exception(BrokenExecutor())
            else:
                future.set_result(fn(config))
            return future

        def end(self):
            crews.append(self.given)
            self.given = []

    crews, (bad, other) = [], SMALL.configs[:2]
    OneFate().instead_of(monkeypatch)
    sweeping = rest(Sweeping(SMALL, Store(tmp_path)))
    assert sweeping.status == "failed"
    assert sweeping.why.startswith(
        "The training of RNN at length 5, learning rate 0.01 lost its worker 3 times"
    )
    assert crews == [[bad, other], [bad, other], [bad]]


def test_a_store_s_unfinished_damaged_and_foreign_files_are_not_known(store):
    config = SMALL.configs[0]
    done = run_file.unpack(train_one(config))
    store.save(replace(done, status="cancelled"))
    assert known(SMALL, store) == ()
    store.save(done)
    assert [one.config for one in known(SMALL, store)] == [config] * 2
    store.path(run_id((config,))).write_bytes(b"damaged")
    assert known(SMALL, store) == ()
    store.path(run_id((config,))).write_bytes(train_one(SMALL.configs[1]))
    assert known(SMALL, store) == ()


def test_a_file_is_read_once(monkeypatch, store):
    store.save(run_file.unpack(train_one(SMALL.configs[0])))
    reads = []
    load = store.load
    monkeypatch.setattr(store, "load", lambda id: (reads.append(id), load(id))[1])
    for _ in range(3):
        assert len(known(SMALL, store)) == 2
    assert len(reads) == 1
    store.save(run_file.unpack(train_one(SMALL.configs[0])))
    known(SMALL, store)
    assert len(reads) == 2


def test_tables_that_come_with_the_program_are_known_after_the_store(monkeypatch, store, tmp_path, caplog):
    monkeypatch.setattr(finished, "TABLES", tmp_path / "sweeps")
    assert known(SMALL, store) == ()
    (tmp_path / "sweeps").mkdir()
    outcomes = outcomes_of(run_file.unpack(train_one(SMALL.configs[0])).cells[0].learning)
    other = [replace(one, metric=0.5) for one in outcomes]
    (tmp_path / "sweeps" / "a.csv").write_text(as_csv(other), encoding="utf-8")
    assert [one.metric for one in known(SMALL, store)] == [0.5, 0.5]
    here = Here()
    here.instead_of(monkeypatch)
    assert rest(Sweeping(SMALL, store)).done == 10
    assert here.given == list(SMALL.configs[1:])
    store.save(run_file.unpack(train_one(SMALL.configs[0])))
    assert known(SMALL, store)[:2] == outcomes
    (tmp_path / "sweeps" / "a.csv").write_text(as_csv(other[:1]), encoding="utf-8")
    (tmp_path / "sweeps" / "b.csv").write_text("dogs", encoding="utf-8")
    assert known(SMALL, Store(tmp_path / "empty")) == ()
    assert "is missing in the table" in caplog.text
    assert "has no column 'run'" in caplog.text


def test_the_share_is_of_the_work(monkeypatch, store):
    hold, held = threading.Event(), threading.Event()

    def instead(config):
        if config == SMALL.configs[5]:
            held.set()
            hold.wait()

    here = Here(instead)
    here.width = 1.0
    here.instead_of(monkeypatch)
    sweeping = Sweeping(SMALL, store)
    assert sweeping.seconds_left() is None or sweeping.seconds_left() >= 0
    held.wait()
    assert sweeping.status == "running"
    assert sweeping.done in (4, 5)
    done = sum(map(work_of, SMALL.configs[: sweeping.done]))
    assert sweeping.share == pytest.approx(done / sum(map(work_of, SMALL.configs)))
    assert sweeping.share < sweeping.done / sweeping.total  # the short ones came first
    assert sweeping.seconds_left() > 0
    assert [one.config for one in sweeping.outcomes[::2]] == list(SMALL.configs[: sweeping.done])
    hold.set()
    rest(sweeping)


def test_a_sweep_keeps_the_store_within_its_size(store, monkeypatch):
    monkeypatch.setenv(limits.VARIABLE, "stored=1")
    assert rest(Sweeping(SMALL, store)).status == "finished"
    assert len(store.listed()) == 1


def test_a_file_that_somebody_brought_counts_for_nothing(store):
    config = SMALL.configs[0]
    kept = unpack(train_one(config))
    store.save(replace(kept, brought=True))
    assert known(SMALL, store) == ()
    store.save(kept)
    assert {one.config for one in known(SMALL, store)} == {config}


def test_workers_that_are_away_are_told_while_they_are(monkeypatch, store):
    class Away(Here):
        """None of them is there before the sweep has said so."""

        away = "The cluster at X has no workers at this moment."

        def submit(self, fn, config):
            futures.append((Future(), config))
            return futures[-1][0]

        def trouble(self):
            return self.away

    futures = []
    monkeypatch.setattr(sweeping_module, "ASK", 0.0)
    away = Away().instead_of(monkeypatch)
    sweeping = Sweeping(Sweep(QUICK, (5,), ("rnn",)), store)
    wait(lambda: sweeping.note == away.away)
    away.away = ""
    wait(lambda: sweeping.note == "")
    ((future, config),) = futures
    future.set_result(train_one(config))
    assert rest(sweeping).status == "finished"


def test_an_error_of_our_own_is_a_sentence(monkeypatch, store, caplog):
    monkeypatch.setattr(executors, "opened", lambda *where: {}["what"])
    sweeping = rest(Sweeping(SMALL, store))
    assert (sweeping.status, sweeping.why) == ("failed", "The sweep failed (KeyError: 'what').")
    assert "a sweep failed" in caplog.text


def test_the_number_of_workers_is_the_environment_s_or_the_cores(monkeypatch, store):
    for wrong in ("0", "65", "many", "-1"):
        monkeypatch.setenv(executors.WORKERS, wrong)
        sweeping = rest(Sweeping(SMALL, store))
        assert (sweeping.status, sweeping.why) == (
            "failed",
            f"RNNVIZ_WORKERS is “{wrong}”; allowed: 1 to 64.",
        )
    monkeypatch.setenv(executors.WORKERS, "3")
    assert executors.workers_asked() == 3
    monkeypatch.delenv(executors.WORKERS)
    assert 1 <= executors.workers_asked() <= 64
