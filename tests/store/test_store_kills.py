"""A process that is killed, at any moment and at every step of every act, leaves whole runs behind."""

import random
import shutil
import time
from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest

from rnnviz.engine.learning import learning_of
from rnnviz.engine.train import train
from rnnviz.keeper import Keeper, parts_of
from rnnviz.run_config import run_id
from rnnviz.store import Store
from tests.store import processes
from tests.store.making import TINY, bits, copied, curves, everything, half, whole
from tests.store.processes import PATIENCE, SAVE_EVERY, begun, learn

CONFIGS = (
    replace(TINY, steps=1000, eval_every=25, state_grads_every=20),
    replace(TINY, cell="lstm", steps=1000),
)
KILLS = 16
EVERY = 0.4  # seconds between two writes, where a write takes next to nothing
SLACK = 0.6  # seconds
STARVED = 0.1  # seconds between two updates that no update takes


@cache
def straight(config):
    """The run that nobody interrupts: its curves, and its weights at some steps."""
    training = train(config)
    weights, records = {0: copied(training)}, []
    for record in training:
        records.append(record)
        if record.step % SAVE_EVERY == 0:
            weights[record.step] = copied(training)
    return learning_of(config, records), weights


def assert_prefix(kept, configs):
    """To the bit what the uninterrupted run showed up to there, weights and all."""
    assert kept.configs == configs
    for cell in kept.cells:
        learning, weights = straight(cell.learning.config)
        assert curves(cell.learning) == curves(learning.upto(cell.learning.step))
        assert set(cell.weights) == {step for step in weights if step <= cell.learning.step}
        for step, saved in cell.weights.items():
            assert {n: bits(v) for n, v in saved.items()} == {n: bits(v) for n, v in weights[step].items()}


def names(store):
    """Every file of a store but its locks."""
    folders = (store.runs, store.bin)
    return sorted(p.relative_to(store.home).as_posix() for f in folders for p in f.rglob("*"))


def ended(pipe, patience=0.2):
    """What a process said before it was killed, or came to its end."""
    said = []
    while pipe.poll(patience):
        try:
            said.append(pipe.recv())
        except EOFError:
            break
    return said


def test_a_run_that_is_killed_again_and_again_is_the_run(tmp_path):
    draw, store, id = random.Random(2), Store(tmp_path), run_id(CONFIGS)
    behind, before = [], 0
    for life in range(KILLS):
        eager = life % 2 == 1
        process, pipe = begun(learn, tmp_path, CONFIGS, 0.012, eager)
        assert pipe.poll(PATIENCE)
        time.sleep(1.8 if life % 8 == 0 else draw.uniform(0.0, 0.3 if eager else 0.8))
        process.kill()
        killed = time.monotonic()
        process.join(PATIENCE)
        said = ended(pipe)
        assert not any(what == "finished" for what, *_ in said), "it is to be killed, not to finish"
        (listed,) = store.listed() or [None]
        kept = store.load(id)
        assert (kept is None) == (listed is None)
        if kept is None:
            assert not any(what == "kept" for what, *_ in said)
            continue
        assert listed.problem == ""
        assert_prefix(kept, CONFIGS)
        step = kept.cells[0].checkpoint.step
        assert step >= before
        assert step == listed.head["cells"][0]["step"] == kept.cells[1].learning.step
        before = step
        assert step >= max((n for what, n, _ in said if what == "kept"), default=0)
        when = {n: t for what, n, t in said if what == "step"}
        took = max((t for what, _, t in said if what == "kept"), default=0.0)
        # What the run lost; where the machine gave it no time at all, it lost none.
        after = [when.get(step, min(when.values())), *(t for n, t in when.items() if n > step), killed]
        lost = sum(min(later - earlier, STARVED) for earlier, later in pairwise(after))
        assert lost <= max(EVERY, took / Keeper.COSTS) + SLACK
        behind.append(lost)
    assert sorted(behind)[len(behind) // 2] <= 1.0
    assert 0 < before < CONFIGS[0].steps
    process, pipe = begun(learn, tmp_path, CONFIGS, 0.0, False)
    assert ended(pipe, PATIENCE)[-1][0] == "finished"
    process.join(PATIENCE)
    kept = store.load(id)
    assert (kept.status, kept.cells[0].learning.finished) == ("finished", True)
    assert kept.cells[0].learning.step == CONFIGS[0].steps
    assert_prefix(kept, CONFIGS)
    assert names(store) == [f"runs/{id}.safetensors"]


def killed_at_every_point(action, *args, before, home):
    """Every state that a kill amid an act can leave, with how far it got; the last is that of a whole act."""
    for n in range(200):
        shutil.rmtree(home, ignore_errors=True)
        before()
        process, pipe = begun(processes.die_at, n, action, home, *args)
        process.join(PATIENCE)
        said = ended(pipe)
        yield n, Store(home), bool(said)
        if said:
            assert n >= 3, "an act of so few steps was not watched"
            return
        assert process.exitcode == -9
    raise AssertionError("it did not come to an end")


def running(steps):
    return everything(replace(half(TINY, steps=steps), status="running"))


def keep(home, kept, going=False):
    with Store(home).keeping(kept.id) as keeper:
        (keeper.going if going else keeper.whole)(kept)


ID = half(TINY).id


def test_killed_at_every_point_of_writing(tmp_path):
    home = tmp_path / "home"
    seen = set()
    for _, store, done in killed_at_every_point(processes.go_on, TINY, 5, 9, before=lambda: None, home=home):
        kept = store.load(ID)
        step = kept.cells[0].learning.step if kept else None
        seen.add(step)
        assert kept is None or everything(kept) == running(step)
        assert [run.problem for run in store.listed()] == [""] * (kept is not None)
        assert not done or step == 9
        keep(home, half(TINY, steps=9), going=True)
        assert not [name for name in names(store) if name.endswith(".new")]  # the next process takes it up
        keep(home, whole(TINY))
        assert names(store) == [f"runs/{ID}.safetensors"]  # no leftovers once it has finished
    assert seen == {None, 5, 9}


def test_killed_at_every_point_of_coming_to_rest(tmp_path):
    home, last = tmp_path / "home", whole(TINY)
    seen = set()
    for _, store, done in killed_at_every_point(
        processes.finish, last, before=lambda: processes.go_on(home, TINY, 5, 9), home=home
    ):
        kept = store.load(ID)
        seen.add(kept.status)
        assert everything(kept) == (everything(last) if kept.status == "finished" else running(9))
        assert not done or kept.status == "finished"
        store.trim(1e12)
        assert everything(store.load(ID)) == everything(kept)
        if kept.status == "finished":
            assert names(store) == [f"runs/{ID}.safetensors"]  # trimming takes up what a kill left
        assert not [name for name in names(store) if name.endswith(".new")]
    assert seen == {"running", "finished"}


@pytest.mark.parametrize("going", [True, False])
def test_killed_at_every_point_of_deleting(tmp_path, going):
    home, kept = tmp_path / "home", replace(half(TINY, steps=9), status="running")
    seen = set()
    for _, store, done in killed_at_every_point(
        processes.delete, ID, before=lambda: keep(home, kept, going), home=home
    ):
        there = store.load(ID)
        seen.add(there is not None)
        assert there is None or everything(there) == everything(kept)
        assert there is None or not done
        store.trim(1e12)
        assert store.undo(ID) == (there is None)
        assert everything(store.load(ID)) == everything(kept)
    assert seen == {True, False}


def test_killed_at_every_point_of_having_it_back(tmp_path):
    home, kept = tmp_path / "home", replace(half(TINY, steps=9), status="running")

    def before():
        keep(home, kept, going=True)
        Store(home).delete(ID)

    seen = set()
    for _, store, done in killed_at_every_point(processes.undo, ID, before=before, home=home):
        there = store.load(ID)
        seen.add(there is not None)
        assert there is None or everything(there) == everything(kept)
        assert there is not None or not done
        store.trim(1e12)
        assert store.undo(ID) == (there is None)
        assert everything(store.load(ID)) == everything(kept)
    assert seen == {True, False}


def test_what_a_kill_left_goes_and_what_others_write_stays(tmp_path):
    store = Store(tmp_path)
    keep(tmp_path, half(TINY))
    other = half(replace(TINY, lr=0.5))
    left = [
        store.runs / f".{ID}.safetensors.4194305.new",
        store.runs / f".{other.id}.safetensors.4194305.new",
    ]
    with store.keeping(other.id) as keeper:
        keeper.going(other)
        orphan = store.runs / "feed.parts"
        orphan.mkdir()
        for path in (*left, orphan / "0-0.safetensors"):
            path.write_bytes(b"half")
        store.trim(1e12)
        assert not left[0].exists()
        assert not orphan.exists()
        assert left[1].exists()  # its process lives, as far as the lock says
        assert parts_of(store.path(other.id)).is_dir()
    store.trim(1e12)
    assert not left[1].exists()
    assert everything(store.load(other.id)) == everything(other)
    assert everything(store.load(ID)) == everything(half(TINY))
