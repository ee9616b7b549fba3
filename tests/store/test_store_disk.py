"""Disks that are full, folders that are read-only or no folders: a sentence, and nothing is lost."""

import builtins
import errno
import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from rnnviz.keeper import StoreError
from rnnviz.run_file import pack
from rnnviz.store import Store
from tests.store.making import TINY, everything, half, whole
from tests.store.processes import spawned, write_with_room_for

EARLY, LATE = half(TINY, steps=5), half(TINY, steps=9)
OTHER = whole(replace(TINY, lr=0.5))


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path)
    store.save(OTHER)
    return store


def leftovers(store):
    return [path for path in store.home.rglob("*") if path.name.endswith(".new")]


def assert_as_before(store):
    assert everything(store.load(EARLY.id)) == everything(EARLY)
    assert everything(store.load(OTHER.id)) == everything(OTHER)
    assert [run.problem for run in store.listed()] == ["", ""]
    assert leftovers(store) == []


@pytest.mark.parametrize("going", [True, False])
@pytest.mark.parametrize("room", [0, 1, 1000, 8192, 12_000])
def test_a_disk_that_takes_no_more_is_a_sentence(store, room, going):
    """The system itself refuses here: a file may not grow beyond what there is room for."""
    with store.keeping(EARLY.id) as keeper:
        (keeper.going if going else keeper.whole)(EARLY)
    assert len(pack(LATE)) > 12_000
    said = spawned(write_with_room_for, store.home, LATE, room, going)
    assert said == f"The store in {store.runs} could not be written: the disk is full."
    assert_as_before(store)
    with store.keeping(LATE.id) as keeper:  # there is room again
        (keeper.going if going else keeper.whole)(LATE)
    assert everything(store.load(LATE.id)) == everything(LATE)


@contextmanager
def refusing(monkeypatch, code, what):
    """The system refuses to open, write, flush or rename, for one reason."""

    def refuse(*_, **__):
        raise OSError(code, os.strerror(code))

    class Full:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def write(self, data):
            self.file.write(data[: len(data) // 2])
            self.file.flush()
            refuse()

    def open_(path, mode="r", *args, **kwargs):
        if "w" in mode and str(path).endswith(".new"):
            return refuse() if what == "open" else Full(builtin_open(path, mode))
        return builtin_open(path, mode, *args, **kwargs)

    builtin_open = builtins.open
    with monkeypatch.context() as patch:
        if what in ("open", "write"):
            patch.setattr(builtins, "open", open_)
        else:
            patch.setattr(os, what, refuse)
        yield


@pytest.mark.parametrize("what", ["open", "write", "fsync", "replace"])
@pytest.mark.parametrize(
    ("code", "why"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EROFS, "the folder is read-only"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_every_way_to_refuse_is_a_sentence(store, monkeypatch, what, code, why):
    store.save(EARLY)
    with refusing(monkeypatch, code, what), pytest.raises(StoreError) as caught:
        store.save(LATE)
    assert str(caught.value) == f"The store in {store.runs} could not be written: {why}."
    assert_as_before(store)
    if what != "fsync":
        with (
            store.keeping(EARLY.id) as keeper,
            refusing(monkeypatch, code, what),
            pytest.raises(StoreError, match=why),
        ):
            keeper.going(LATE)
        assert_as_before(store)
    store.save(LATE)
    assert everything(store.load(LATE.id)) == everything(LATE)


def test_what_was_refused_is_written_the_next_time(tmp_path, monkeypatch):
    """Weights that did not reach the disk are not taken for written."""
    store = Store(tmp_path)
    with store.keeping(LATE.id) as keeper:
        with refusing(monkeypatch, errno.ENOSPC, "write"), pytest.raises(StoreError):
            keeper.going(LATE)
        assert keeper.due
        keeper.going(LATE)
        assert not keeper.due
    assert everything(store.load(LATE.id)) == everything(LATE)


@pytest.fixture
def locked():
    """A store whose folders nobody may write; root, whom no mode binds, becomes somebody else meanwhile."""
    home = Path(tempfile.mkdtemp(prefix="rnnviz-locked-"))  # pytest's own folders are root's alone
    store = Store(home)
    store.save(EARLY)
    store.save(OTHER)
    store.save(replace(OTHER, cells=half(WALKER).cells))
    store.delete(half(WALKER).id)
    home.chmod(0o755)
    folders = [path for path in (home, *home.rglob("*")) if path.is_dir()]
    for path in folders:
        path.chmod(0o555)
    try:
        with humble():
            yield store
    finally:
        for path in folders:
            path.chmod(0o755)
        shutil.rmtree(home)


WALKER = replace(TINY, lr=0.25)


@contextmanager
def humble():
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_read_only_store_is_read(locked):
    before = sorted((p, p.stat().st_mtime_ns) for p in locked.home.rglob("*"))
    assert everything(locked.load(EARLY.id)) == everything(EARLY)
    assert [run.problem for run in locked.listed()] == ["", ""]
    assert locked.find(OTHER.id) == locked.path(OTHER.id)
    assert locked.export(OTHER.id)
    for act in (
        lambda: locked.save(LATE),
        lambda: locked.delete(EARLY.id),
        lambda: locked.undo(half(WALKER).id),
        lambda: locked.save(half(replace(TINY, lr=0.125))),
    ):
        with pytest.raises(StoreError) as caught:
            act()
        assert str(caught.value).endswith("could not be written: the folder is read-only.")
    assert locked.trim(0) == []
    assert not locked.busy(EARLY.id)
    assert sorted((p, p.stat().st_mtime_ns) for p in locked.home.rglob("*")) == before
    assert everything(locked.load(EARLY.id)) == everything(EARLY)


def test_a_folder_that_nobody_may_look_into_is_a_sentence(locked):
    with as_before():
        locked.runs.chmod(0)
    with pytest.raises(StoreError, match=r"The store in .* cannot be read \(Permission denied\)\."):
        locked.listed()
    with pytest.raises(StoreError, match=r"cannot be read from .* \(Permission denied\)\."):
        locked.load(EARLY.id)
    assert locked.find(EARLY.id) is None
    assert locked.trim(0) == []


def test_a_file_that_nobody_may_read_is_listed_with_its_reason(locked):
    with as_before():
        locked.path(EARLY.id).chmod(0)
    listed = {run.id: run.problem for run in locked.listed()}
    assert listed == {EARLY.id: "Permission denied", OTHER.id: ""}
    with pytest.raises(StoreError, match="Permission denied"):
        locked.load(EARLY.id)


@contextmanager
def as_before():
    """As who owns the files, for a moment."""
    uid = os.geteuid()
    root = os.getuid() == 0
    if root:
        os.seteuid(0)
    try:
        yield
    finally:
        if root:
            os.seteuid(uid)


def test_a_home_that_is_a_file(tmp_path):
    home = tmp_path / "home"
    home.write_text("mine")
    for store in (Store(home), Store(home / "below")):
        assert store.load(EARLY.id) is None
        assert store.find(EARLY.id) is None
        with pytest.raises(StoreError, match="cannot be read"):
            store.listed()
        for act in (store.save, lambda kept, store=store: store.delete(kept.id)):
            with pytest.raises(StoreError, match="a file stands where a folder is needed"):
                act(EARLY)
        assert store.trim(0) == []
    assert home.read_text() == "mine"


def test_a_folder_of_the_store_that_is_a_file(tmp_path):
    store = Store(tmp_path)
    store.runs.write_text("mine")
    with pytest.raises(StoreError, match="a file stands where a folder is needed"):
        store.save(EARLY)
    assert store.runs.read_text() == "mine"


def test_a_home_that_is_not_there_yet(tmp_path):
    store = Store(tmp_path / "a" / "b")
    assert store.listed() == []
    assert store.load(EARLY.id) is None
    assert store.trim(0) == []
    assert not (tmp_path / "a").exists()  # looking makes nothing
    with pytest.raises(StoreError, match=r"Run “.*” is not here any more\."):
        store.export(EARLY.id)
    store.save(EARLY)
    assert everything(store.load(EARLY.id)) == everything(EARLY)
