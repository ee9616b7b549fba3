"""The folder of runs: what replaces what, the bin, the way back, making room, the list, and names."""

import json
import os
import time
from dataclasses import replace

import pytest
import safetensors.numpy

from rnnviz import run_file
from rnnviz import store as module
from rnnviz.keeper import StoreError, parts_of
from rnnviz.run_file import UnreadableError, pack, unpack
from rnnviz.store import BIN_LASTS, SHELF, Store
from tests.store.making import TINY, everything, forged, half, whole

ID = half(TINY).id
RUNS = [whole(replace(TINY, lr=lr)) for lr in (0.1, 0.2, 0.3, 0.4)]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def keep(store, kept):
    """As a run lies there that is learning, its weights beside it."""
    with store.keeping(kept.id) as keeper:
        keeper.going(kept)


def aged(path, seconds):
    when = time.time() - seconds
    os.utime(path, (when, when))


def files(store):
    return sorted(p.relative_to(store.home).as_posix() for p in store.home.rglob("*") if p.suffix != ".lock")


def test_a_run_is_found_again(store):
    for kept in (half(TINY), *RUNS):
        store.save(kept)
    for kept in (half(TINY), *RUNS):
        assert everything(store.load(kept.id)) == everything(kept)
        assert store.find(kept.id) == store.path(kept.id)
        assert unpack(store.path(kept.id).read_bytes()).id == kept.id
    assert store.load("feed") is None


def test_a_run_that_learns_lies_beside_its_weights(store):
    for steps in (5, 9):
        keep(store, half(TINY, steps=steps))
        assert everything(store.load(ID)) == everything(half(TINY, steps=steps))
    weights = sorted(path.name for path in parts_of(store.path(ID)).iterdir())
    assert weights == ["0-0.safetensors", "0-4.safetensors", "0-8.safetensors"]
    arrays = safetensors.numpy.load_file(parts_of(store.path(ID)) / "0-8.safetensors")
    assert set(arrays) == {"W_ih", "W_hh", "b_ih", "b_hh", "W_hy", "b_y"}
    store.save(whole(TINY))
    assert everything(store.load(ID)) == everything(whole(TINY))
    assert not parts_of(store.path(ID)).exists()


def test_weights_are_written_once(store):
    with store.keeping(ID) as keeper:
        keeper.going(half(TINY, steps=5))
        part = parts_of(store.path(ID)) / "0-4.safetensors"
        before = part.stat()
        keeper.going(half(TINY, steps=9))
        assert (part.stat().st_ino, part.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_finished_run_stays_finished(store):
    store.save(whole(TINY))
    before = store.path(ID).read_bytes()
    store.save(half(TINY))
    keep(store, half(TINY))
    with store.keeping(ID) as keeper:
        keeper.going(half(TINY, steps=5))
        keeper.whole(half(TINY, steps=9))
        assert store.path(ID).read_bytes() == before
        keeper.whole(replace(whole(TINY), owner="another"))
    assert store.load(ID).owner == "another"
    assert files(store) == ["locks", "runs", f"runs/{ID}.safetensors"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[:100],
        lambda data: b"",
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: pack(RUNS[0]),
        lambda data: forged(whole(TINY), lambda head: head.pop("cells")),
        lambda data: forged(whole(TINY), lambda head: head.pop("status")),
        lambda data: forged(whole(TINY), lambda head: head["cells"][0]["config"].update(colour="red")),
    ],
)
def test_a_damaged_run_makes_way(store, damage):
    """Though it says that it has finished."""
    store.save(whole(TINY))
    store.path(ID).write_bytes(damage(store.path(ID).read_bytes()))
    with pytest.raises(UnreadableError):
        store.load(ID)
    store.save(half(TINY))
    assert everything(store.load(ID)) == everything(half(TINY))


def test_a_newer_run_does_not_make_way(store):
    store.save(half(TINY))
    newer = forged(half(TINY), lambda head: head.update(format=2, versions={"rnnviz": "9.8"}))
    store.path(ID).write_bytes(newer)
    for kept in (half(TINY), whole(TINY)):
        with store.keeping(ID) as keeper:
            for act in (keeper.going, keeper.whole, keeper.whole):
                with pytest.raises(StoreError, match=r"It is not kept: .*newer version.*\(9\.8\)"):
                    act(kept)
    assert store.path(ID).read_bytes() == newer
    assert "newer" in store.listed()[0].problem
    with pytest.raises(UnreadableError, match="newer"):
        store.load(ID)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda parts: (parts / "0-4.safetensors").unlink(), "its weights of step 4 are missing"),
        (lambda parts: (parts / "0-4.safetensors").write_bytes(b"x"), "damaged"),
        (lambda parts: _swap(parts, {"W_ih": lambda v: v[:, :1]}), "not all the same names and shapes"),
        (lambda parts: _swap(parts, {"W_hh": None}), "not all the same names and shapes"),
        (lambda parts: _swap(parts, {"b_y": lambda v: v.astype("float64")}), "not all the same names"),
        (lambda parts: _swap(parts, {"b_y": lambda v: v[:1]}, every=True), "b_y is float32 of shape|numbers"),
        (lambda parts: _swap(parts, dict.fromkeys(NAMES), every=True), "is missing"),
    ],
)
def test_damaged_weights_beside_a_run_are_named(store, damage, said):
    keep(store, half(TINY))
    damage(parts_of(store.path(ID)))
    with pytest.raises(UnreadableError, match=said):
        store.load(ID)


NAMES = ("W_ih", "W_hh", "b_ih", "b_hh", "W_hy", "b_y")


def _swap(parts, changes, every=False):
    for name in ("0-0", "0-4") if every else ("0-4",):
        path = parts / f"{name}.safetensors"
        arrays, _ = run_file.unpack_arrays(path.read_bytes())
        for key, change in changes.items():
            arrays[key] = change and change(arrays[key])
        path.write_bytes(run_file.pack_arrays({k: v for k, v in arrays.items() if v is not None}, {}))


@pytest.mark.parametrize("write", [Store.save, keep])
def test_deleting_and_having_it_back(store, write):
    kept = half(TINY, steps=9)
    write(store, kept)
    store.delete(ID)
    assert (store.load(ID), store.listed()) == (None, [])
    store.delete(ID)  # twice is once
    assert store.undo(ID)
    assert everything(store.load(ID)) == everything(kept)
    assert not store.undo(ID)
    assert everything(store.load(ID)) == everything(kept)
    assert not [name for name in files(store) if name.startswith("deleted/")]


def test_the_last_one_deleted_is_the_one_that_comes_back(store):
    keep(store, half(TINY, steps=9))
    store.delete(ID)
    store.save(half(TINY, steps=5))
    store.delete(ID)
    assert store.undo(ID)
    assert everything(store.load(ID)) == everything(half(TINY, steps=5))
    assert files(store) == ["deleted", "locks", "runs", f"runs/{ID}.safetensors"]


def test_what_comes_back_is_as_old_as_it_was_and_the_bin_counts_from_the_deletion(store):
    kept = whole()
    store.save(kept)
    os.utime(store.path(kept.id), (1e9, 1e9))
    before = time.time() - 1
    store.delete(kept.id)
    (binned,) = store.bin.iterdir()
    assert binned.stat().st_mtime > before
    store.trim(1e12)
    assert store.undo(kept.id)
    (listed,) = store.listed()
    assert listed.when == kept.when


def test_what_was_trained_anew_is_not_undone(store):
    keep(store, half(TINY, steps=9))
    store.delete(ID)
    keep(store, half(TINY, steps=5))
    assert not store.undo(ID)
    assert everything(store.load(ID)) == everything(half(TINY, steps=5))


def test_undoing_after_a_new_run_was_killed_before_its_first_file(store):
    keep(store, half(TINY, steps=9))
    store.delete(ID)
    parts_of(store.path(ID)).mkdir()
    (parts_of(store.path(ID)) / "0-0.safetensors").write_bytes(b"half")
    assert store.undo(ID)
    assert everything(store.load(ID)) == everything(half(TINY, steps=9))


def test_what_was_never_there_is_not_undone_and_deleting_it_is_nothing(store):
    assert not store.undo(ID)
    store.delete(ID)
    assert store.listed() == []


def test_a_run_being_kept_is_not_deleted(store):
    with store.keeping(ID) as keeper:
        keeper.going(half(TINY))
        for act in (store.delete, store.undo):
            with pytest.raises(StoreError, match="keeps it"):
                act(ID)
    assert everything(store.load(ID)) == everything(half(TINY))


def test_making_room_takes_the_bin_first_and_then_the_oldest(store):
    for k, kept in enumerate(RUNS):
        store.save(kept)
        aged(store.path(kept.id), 1000 - 100 * k)
    keep(store, half(TINY))
    store.delete(RUNS[3].id)
    sizes = {kept.id: store.path(kept.id).stat().st_size for kept in RUNS[:3]}
    beside = sum(p.stat().st_size for p in parts_of(store.path(ID)).iterdir())
    learning = store.path(ID).stat().st_size + beside
    binned = (store.bin / f"{RUNS[3].id}.safetensors").stat().st_size
    everything_there = sum(sizes.values()) + learning + binned
    assert store.trim(everything_there) == []
    assert (store.bin / f"{RUNS[3].id}.safetensors").exists()
    assert store.trim(everything_there - 1) == []
    assert not (store.bin / f"{RUNS[3].id}.safetensors").exists()
    assert store.trim(everything_there - binned) == []
    assert store.trim(everything_there - binned - 1) == [RUNS[0].id]
    with store.keeping(RUNS[1].id):
        assert store.trim(learning + 1) == [RUNS[2].id]  # the older one is being kept
    assert everything(store.load(RUNS[1].id)) == everything(RUNS[1])
    assert store.trim(0) == [RUNS[1].id]
    assert everything(store.load(ID)) == everything(half(TINY))  # the newest stays
    assert store.trim(0) == []


def test_what_goes_takes_its_weights_along(store):
    keep(store, half(TINY))
    aged(store.path(ID), 100)
    store.save(RUNS[0])
    assert store.trim(0) == [ID]
    assert files(store) == ["locks", "runs", f"runs/{RUNS[0].id}.safetensors"]


def test_the_bin_lasts_a_day(store):
    for kept in RUNS[:2]:
        store.save(kept)
        aged(store.path(kept.id), 30 * BIN_LASTS)  # when it was written does not count
        store.delete(kept.id)
    assert store.trim(1e12) == []
    aged(store.bin / f"{RUNS[0].id}.safetensors", BIN_LASTS + 60)
    aged(store.bin / f"{RUNS[1].id}.safetensors", BIN_LASTS - 60)
    assert store.trim(1e12) == []
    assert not store.undo(RUNS[0].id)
    assert store.undo(RUNS[1].id)
    assert everything(store.load(RUNS[1].id)) == everything(RUNS[1])


def test_an_exported_run_is_nobody_s_and_can_be_brought(store, tmp_path_factory):
    for kept in (half(TINY, steps=9), whole(TINY)):
        keep(store, kept) if kept.status != "finished" else store.save(kept)
        data = store.export(ID)
        assert b"somebody" not in data
        elsewhere = Store(tmp_path_factory.mktemp("elsewhere"))
        elsewhere.save(unpack(data))
        assert everything(elsewhere.load(ID)) == everything(replace(kept, owner=""))
    with pytest.raises(StoreError, match="not here any more"):
        store.export("feed")


@pytest.mark.parametrize(
    "id",
    ["../x", "a/b", "", ".", "..", "x" * 1000, "a\0b", "a.b", "ä", "²", "a b", "/etc/passwd", "a\n", "~"],
)
def test_a_name_that_is_no_name_leads_nowhere(tmp_path, id):
    store = Store(tmp_path / "home")
    (tmp_path / "x.safetensors").write_bytes(pack(half(TINY)))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "x.safetensors").write_bytes(pack(half(TINY)))
    before = sorted(tmp_path.rglob("*"))
    assert store.find(id) is None
    assert store.load(id) is None
    for act in (store.delete, store.undo, store.export, lambda id: store.keeping(id).__enter__()):
        with pytest.raises(StoreError):
            act(id)
    assert not store.busy(id)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_run_under_another_name_is_not_shown(store):
    store.save(half(TINY))
    os.rename(store.path(ID), store.path("feed"))
    with pytest.raises(UnreadableError, match="belongs to another name"):
        store.load("feed")


def test_runs_that_come_with_the_program(store, tmp_path, monkeypatch):
    assert SHELF.parts[-2:] == ("assets", "lectures")
    monkeypatch.setattr(module, "SHELF", tmp_path / "shelf")
    Store(tmp_path / "other").save(whole(TINY))
    os.rename(tmp_path / "other" / "runs", tmp_path / "shelf")
    assert everything(store.load(ID)) == everything(whole(TINY))
    assert store.listed() == []
    store.save(half(TINY))
    assert everything(store.load(ID)) == everything(whole(TINY))  # nothing unfinished hides it
    assert store.listed() == []
    mine = replace(whole(TINY), owner="mine")
    store.save(mine)
    assert everything(store.load(ID)) == everything(mine)  # one's own come first
    store.path(ID).write_bytes(b"damaged")
    assert everything(store.load(ID)) == everything(whole(TINY))
    store.delete(ID)
    assert everything(store.load(ID)) == everything(whole(TINY))


def test_a_thousand_runs_are_listed_and_the_unreadable_ones_say_why(store):
    now = float(int(time.time()))
    kept = replace(whole(TINY), when=now)
    data = pack(kept)
    store.runs.mkdir()
    broken = {"damaged": data[:200], "newer": data.replace(b'\\"format\\": 1', b'\\"format\\": 3')}
    broken["“cells”"] = forged(kept, lambda head: head.pop("cells"))
    names = [f"{k:016x}" for k in range(1000)]
    reasons = dict(zip(names[7::300], broken, strict=False))
    for k, name in enumerate(names):
        good = pack(replace(kept, when=now - 5000 + k))
        store.path(name).write_bytes(broken[reasons[name]] if name in reasons else good)
        os.utime(store.path(name), (now - 5000 + k,) * 2)  # what says nothing of itself goes by its file
    (store.runs / ".0.safetensors.1.new").write_bytes(b"half")
    (store.runs / "notes.txt").write_text("mine")
    store.path("folder").mkdir()
    aged(store.path("folder"), 9000)
    for _ in range(2):  # from the disk, and from what it remembers
        listed = store.listed()
        assert [run.id for run in listed] == [*reversed(names), "folder"]
        assert listed.pop().problem
        for run in listed:
            if run.id in reasons:
                assert reasons[run.id] in run.problem
                assert run.head == {}
            else:
                assert run.problem == ""
                assert run.head["status"] == "finished"
                assert run.head["cells"][0]["config"]["task"] == "adding"
                assert run.nbytes == store.path(run.id).stat().st_size
    # What is written anew is read anew, and what is deleted is forgotten.
    store.path(names[7]).write_bytes(data)
    for name in names[100:]:
        store.path(name).unlink()
    assert {run.problem for run in store.listed() if run.id != "folder"} == {""}
    assert len(store._heads) == 100


def test_the_list_knows_where_a_run_stands(store):
    keep(store, half(TINY, steps=5))
    first = store.listed()[0]
    keep(store, half(TINY, steps=9))
    (run,) = store.listed()
    assert (first.head["cells"][0]["step"], run.head["cells"][0]["step"]) == (5, 9)
    assert run.nbytes == store.path(ID).stat().st_size + sum(
        p.stat().st_size for p in parts_of(store.path(ID)).iterdir()
    )
    assert json.loads(json.dumps(run.head)) == run.head


def test_the_home_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("RNNVIZ_HOME", str(tmp_path / "here"))
    assert module.store.__wrapped__().home == tmp_path / "here"
    monkeypatch.delenv("RNNVIZ_HOME")
    assert module.store.__wrapped__().home.name == "rnnviz"


def test_no_test_touches_the_user_s_store():
    """conftest.py sees to it, for every process that a test starts."""
    home = os.environ["RNNVIZ_HOME"]
    assert "rnnviz-tests-" in home
    assert module.store().home == module.Path(home).resolve()
