"""Several processes on one store: one writes a run at a time, and nobody ever reads half of one."""

import os
import signal
import threading
import time
from dataclasses import replace

import pytest

from rnnviz.keeper import StoreError
from rnnviz.store import Store
from tests.store.making import TINY, everything, half, whole
from tests.store.processes import PATIENCE, begun, hold, shuffle_often, write_often

SECONDS = 3.0
ID = half(TINY).id
OTHER = half(replace(TINY, lr=0.5))


def test_one_keeps_a_run_at_a_time(tmp_path):
    store = Store(tmp_path)
    store.save(half(TINY))
    before = store.path(ID).read_bytes()
    process, pipe = begun(hold, tmp_path, ID)
    assert pipe.poll(PATIENCE)
    for act in (
        lambda: store.save(whole(TINY)),
        lambda: store.delete(ID),
        lambda: store.undo(ID),
        lambda: store.keeping(ID).__enter__(),
    ):
        with pytest.raises(StoreError) as caught:
            act()
        assert str(caught.value) == (
            f"It is not kept from here: another run or server that shares the store ({tmp_path}) "
            "trains this very configuration, and keeps it."
        )
    assert store.busy(ID)
    assert not store.busy(OTHER.id)
    store.save(OTHER)  # others are free
    store.save(half(replace(TINY, lr=0.25)))
    assert ID not in store.trim(0)
    assert store.path(ID).read_bytes() == before
    assert everything(store.load(ID)) == everything(half(TINY))  # and may be read
    os.kill(process.pid, signal.SIGKILL)
    process.join(PATIENCE)
    assert not store.busy(ID)  # at once
    store.save(whole(TINY))
    assert store.load(ID).status == "finished"


def test_two_keepers_in_one_process_are_two(tmp_path):
    store = Store(tmp_path)
    with store.keeping(ID), pytest.raises(StoreError, match="keeps it"), Store(tmp_path).keeping(ID):
        pass
    with pytest.raises(ZeroDivisionError), store.keeping(ID):
        raise ZeroDivisionError
    assert not store.busy(ID)  # whatever ended it


def test_who_only_looks_is_waited_for(tmp_path):
    """The list asks whether a run is busy, and holds its lock for that moment."""
    store, stop = Store(tmp_path), threading.Event()

    def look():
        while not stop.is_set():
            Store(tmp_path).busy(ID)
            time.sleep(0.001)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(100):
            with store.keeping(ID):
                pass
    finally:
        stop.set()
        thread.join()


def test_nobody_reads_half_a_run(tmp_path):
    store = Store(tmp_path)
    versions = tuple(replace(half(TINY, steps=steps), status="running") for steps in (2, 5, 9, 12))
    allowed = [everything(kept) for kept in versions] + [everything(replace(versions[-1], status="paused"))]
    writer, written = begun(write_often, tmp_path, versions, SECONDS)
    shuffler, shuffled = begun(shuffle_often, tmp_path, OTHER, SECONDS)
    seen, there = set(), []
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        kept = store.load(ID)
        assert kept is None or everything(kept) in allowed
        seen.add(kept and (kept.cells[0].learning.step, kept.status))
        other = store.load(OTHER.id)
        assert other is None or everything(other) == everything(OTHER)
        there.append(other is not None)
        assert all(run.problem == "" and run.id in (ID, OTHER.id) for run in store.listed())
        assert ID not in store.trim(1e12)
    turns = []
    for process, pipe in ((writer, written), (shuffler, shuffled)):
        assert pipe.poll(PATIENCE)
        turns.append(pipe.recv())
        process.join(PATIENCE)
    assert all(isinstance(turn, int) and turn > 3 for turn in turns), turns
    assert len(seen) >= 3
    assert {True, False} == set(there)
