"""Other processes that use a store, quickly started: they fork from one that has torch loaded already."""

import multiprocessing
import os
import resource
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
import torch._dynamo  # else every process that trains imports it for itself

from rnnviz import run_file
from rnnviz.engine.learning import learning_of
from rnnviz.engine.train import train
from rnnviz.keeper import Keeper, StoreError
from rnnviz.run_config import run_id
from rnnviz.run_file import Kept, KeptCell, UnreadableError
from rnnviz.store import Store
from tests.store.making import copied, half

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["pytest", "tests.store.processes", "tests.store.making", "rnnviz.store"])
PATIENCE = 60.0


def _answer(out, function, args):
    out.send(function(*args))


def spawned(function, *args):
    """What a function returns in a process of its own."""
    process, pipe = begun(_answer, function, args)
    assert pipe.poll(PATIENCE), "it did not answer in time"
    said = pipe.recv()
    process.join(PATIENCE)
    return said


def begun(function, *args):
    """A process that runs ``function(pipe, *args)``, and the other end of its pipe."""
    here, there = _context.Pipe()
    process = _context.Process(target=function, args=(there, *args), daemon=True)
    process.start()
    there.close()
    return process, here


def unpacked_within(data: bytes, room: int) -> str:
    """What a process says that has only so many bytes beyond those it had."""
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + room, now + room))
    start = time.process_time()
    try:
        run_file.unpack(data)
        return "it was taken"
    except UnreadableError:
        return f"refused after {time.process_time() - start:.1f} s"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"[:200]


SAVE_EVERY = 40  # steps between saved weights


def learn(out, home: Path, configs, pause: float, eager: bool):
    """Train and keep, from where the store has it; tell of every update and of every write."""
    torch.set_num_threads(1)
    if eager:  # so that many a kill comes amid a write
        Keeper.EVERY, Keeper.COSTS = 0.0, 1.0
    store = Store(home)
    with store.keeping(run_id(configs)) as keeper:
        kept = store.load(run_id(configs))
        cells = kept.cells if kept else [KeptCell(learning_of(c), {}, 0.0) for c in configs]
        trainings = [train(cell.learning.config, cell.checkpoint) for cell in cells]
        weights = [dict(cell.weights) or {0: copied(t)} for cell, t in zip(cells, trainings, strict=True)]
        records = [[] for _ in cells]
        step = trainings[0].step

        def now(status):
            return Kept(
                tuple(
                    KeptCell(
                        cell.learning.then(learning_of(t.config, rows)),
                        saved,
                        cell.seconds + len(rows),
                        t.checkpoint(),
                    )
                    for cell, t, rows, saved in zip(cells, trainings, records, weights, strict=True)
                ),
                status,
            )

        while step < configs[0].steps:
            step += 1
            for t, rows, saved in zip(trainings, records, weights, strict=True):
                rows.append(next(t))
                if step % SAVE_EVERY == 0:
                    saved[step] = copied(t)
            out.send(("step", step, time.monotonic()))
            if keeper.due:
                state, start = now("running"), time.monotonic()
                keeper.going(state)
                out.send(("kept", step, time.monotonic() - start))
            time.sleep(pause)
        keeper.whole(now("finished"))
    out.send(("finished", step, time.monotonic()))


def die_at(out, n: int, action, *args):
    """Do something with a store, and be killed just before the n-th thing that the system is asked for."""
    count = 0

    def hook(event: str, said: tuple) -> None:
        nonlocal count
        writes = event == "open" and isinstance(said[1], str) and "r" not in said[1]
        if writes or event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.utime"):
            count += 1
            if count > n:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    action(*args)
    out.send(("done", count))


def go_on(home: Path, config, early: int, late: int):
    """Write a run on its way, and once more further on."""
    with Store(home).keeping(run_id([config])) as keeper:
        for steps in (early, late):
            keeper.going(replace(half(config, steps=steps), status="running"))


def finish(home: Path, kept: Kept):
    Store(home).save(kept)


def delete(home: Path, id: str):
    Store(home).delete(id)


def undo(home: Path, id: str):
    Store(home).undo(id)


def hold(out, home: Path, id: str):
    """Keep a run until somebody puts an end to it."""
    with Store(home).keeping(id):
        out.send("held")
        time.sleep(PATIENCE)


def write_often(out, home: Path, versions, seconds: float):
    """A run that learns and comes to rest, again and again."""
    store, until, writes = Store(home), time.monotonic() + seconds, 0
    try:
        while time.monotonic() < until:
            with store.keeping(versions[0].id, patience=PATIENCE) as keeper:
                for kept in versions:
                    keeper.going(kept)
                    writes += 1
                keeper.whole(replace(versions[-1], status="paused"))
                store.path(versions[0].id).unlink()  # or nothing less far would be written again
        out.send(writes)
    except BaseException as error:
        out.send(f"{type(error).__name__}: {error}")


def shuffle_often(out, home: Path, kept: Kept, seconds: float):
    """A run that is deleted, had back, trimmed and written anew, again and again."""
    store, until, turns = Store(home), time.monotonic() + seconds, 0
    try:
        while time.monotonic() < until:
            with store.keeping(kept.id, patience=PATIENCE) as keeper:
                keeper.going(kept)
            for _ in range(5):
                store.delete(kept.id)
                store.trim(1e12)
                assert store.undo(kept.id)
            store.delete(kept.id)
            store.trim(0)
            turns += 1
        out.send(turns)
    except BaseException as error:
        out.send(f"{type(error).__name__}: {error}")


def write_with_room_for(home: Path, kept: Kept, nbytes: int, going: bool) -> str:
    """Keep a run where the system lets no file grow beyond so many bytes; what the store says."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (nbytes, nbytes))
    try:
        with Store(home).keeping(kept.id) as keeper:
            (keeper.going if going else keeper.whole)(kept)
        return "it was written"
    except StoreError as refusal:
        return str(refusal)
