"""The page of runs: what is kept, opened, thrown away and had back, and files that are no runs."""

import random
import re
import time
from dataclasses import replace

import numpy as np
import pytest

from rnnviz import run_file
from rnnviz.keeper import StoreError
from rnnviz.lectures import LECTURES
from rnnviz.run_config import run_id
from rnnviz.runs import Job, limits, pool
from rnnviz.store import Store
from rnnviz.ui import lab, lab_words, runs_list
from rnnviz.ui.lab_controls import LAB as CONTROLS
from rnnviz.ui.lab_controls import STEPS
from rnnviz.ui.lab_link import link_of
from rnnviz.ui.pages import LAB, RUNS
from tests.pages.visit import told, values, visit

SMALL = {
    "lab_T_adding": "10",
    "lab_seeds": "2",
    "lab_steps": "20",
    "lab_stop": "last step",
    "lab_H": "3",
    "lab_B": "5",
}


@pytest.fixture(autouse=True)
def me(monkeypatch, tmp_path):
    """A visitor with a name, and a store of one's own."""
    monkeypatch.setattr(lab, "owner", lambda: "me")
    monkeypatch.setattr(pool(), "store", Store(tmp_path / "home"))


def train(**changes):
    at = visit(LAB, **{**SMALL, **changes})
    at.button(key="lab_start").click().run()
    run = pool().find(at.session_state["lab_run"])
    deadline = time.monotonic() + 60
    while run.active:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return run


def links(at):
    """Label and query of every link into the lab."""
    plain = re.compile(r"\\(.)|\*\*")
    return {
        plain.sub(r"\1", p.proto.label): p.proto.query_string
        for p in at.get("page_link")
        if "lab_run" in p.proto.query_string
    }


def words(at):
    return " ".join(re.sub(r"\\(.)", r"\1", part.value) for part in (*at.markdown, *at.caption, *at.info))


def keys(at, start):
    return {b.key.removeprefix(start) for b in at.get("button") if b.key and b.key.startswith(start)}


def test_an_empty_store_says_what_would_fill_it():
    at = visit(RUNS)
    assert [error.value for error in at.exception] == []
    assert told(at) == []
    assert "Nothing yet" in words(at)
    assert "0 runs" in words(at)
    assert len(links(at)) == len(LECTURES)


def test_a_run_is_listed_opened_deleted_and_had_back():
    first, second = train(), train(lab_seed="3", lab_cells=["GRU"])
    at = visit(RUNS)
    found = links(at)
    label = "Adding problem, length 10 · RNN, LSTM, GRU · 2 seeds"
    assert f"lab_run={first.key}" in found[label]
    assert f"lab_run={second.key}" in found["Adding problem, length 10 · GRU · 2 seeds"]
    assert list(found)[:2] == ["Adding problem, length 10 · GRU · 2 seeds", label]  # the newest first
    assert "finished · step 20 of 20" in words(at)
    at.button(key=f"runs_delete_{first.key}").click().run()
    assert label not in links(at)
    assert "Deleted: " + label in words(at)
    assert pool().find(first.id) is None
    opened = visit(LAB, lab_run=first.id)
    assert any("does not have" in note for note in told(opened))
    at.button(key="runs_undo").click().run()
    assert label in links(at)
    assert not keys(at, "runs_undo")
    np.testing.assert_array_equal(pool().find(first.id).learnings[0].loss, first.learnings[0].loss)


def test_only_who_trained_a_run_or_sits_at_the_machine_may_delete_it(monkeypatch):
    run = train()
    monkeypatch.setattr(lab, "owner", lambda: "you")
    monkeypatch.setattr(runs_list, "at_the_machine", lambda: False)
    assert keys(visit(RUNS), "runs_delete_") == set()
    monkeypatch.setattr(lab, "owner", lambda: "me")
    assert keys(visit(RUNS), "runs_delete_") == {run.key}
    monkeypatch.setattr(lab, "owner", lambda: "you")
    monkeypatch.setattr(runs_list, "at_the_machine", lambda: True)
    assert keys(visit(RUNS), "runs_delete_") == {run.key}


def test_what_cannot_be_deleted_is_a_sentence(monkeypatch):
    run = train()
    at = visit(RUNS)

    def refuse(id):
        raise StoreError("The store in /there could not be written: the folder is read-only.")

    monkeypatch.setattr(pool().store, "delete", refuse)
    at.button(key=f"runs_delete_{run.key}").click().run()
    assert told(at) == [
        "Nothing was deleted. The store in /there could not be written: the folder is read-only."
    ]
    assert keys(at, "runs_delete_") == {run.key}


def test_unreadable_runs_are_listed_with_their_reason_and_filtered(monkeypatch):
    monkeypatch.setattr(runs_list, "at_the_machine", lambda: True)  # nobody can tell whose they are
    run = train()
    folder = pool().store.runs
    (folder / "0123456789abcdef.safetensors").write_bytes(b"nonsense")
    whole = pool().store.path(run.key).read_bytes()
    (folder / "1123456789abcdef.safetensors").write_bytes(whole.replace(b"format", b"farmat"))
    at = visit(RUNS)
    assert words(at).count("cannot be shown: it is damaged") == 2
    assert told(at) == []
    for kind, count in (("finished", 1), ("unfinished", 0), ("unreadable", 2), ("all", 3)):
        assert len(keys(visit(RUNS, runs_kind=kind), "runs_delete_")) == count


def test_many_runs_have_pages():
    kept = pool().store.load(train().key)
    for k in range(24):
        data = run_file.pack(replace(kept, when=float(k)))
        (pool().store.runs / f"{k:016x}.safetensors").write_bytes(data)
    at = visit(RUNS)
    assert len(keys(at, "runs_delete_")) == 10
    assert "25 runs" in words(at)
    assert keys(visit(RUNS, runs_page=3), "runs_delete_") == {f"{k:016x}" for k in range(5)}
    at = visit(RUNS, runs_page=4)
    assert told(at) == ["Page in the link (runs_page) is “4”; allowed: 1 to 3. Shown is the default."]


def test_an_export_is_taken_elsewhere_and_says_nothing_of_who_made_it(tmp_path, monkeypatch):
    run = train()
    data = pool().store.export(run.key)
    assert run_file.unpack(data).owner == ""
    monkeypatch.setattr(pool(), "store", Store(tmp_path / "elsewhere"))
    pool().forget(run.key)
    assert runs_list.taken(pool(), data, "you") == run.job
    found = pool().find(run.key)
    assert (found.status, found.owner, found.brought) == ("finished", "you", True)
    assert "Brought as a file" in lab_words.said(pool(), found)
    again = runs_list.taken(pool(), data, "me")  # another's file may take its place, what was trained not
    assert pool().find(run_id(again.configs)).owner == "me"
    for learning, want in zip(found.learnings, run.learnings, strict=True):
        np.testing.assert_array_equal(learning.loss, want.loss)
        np.testing.assert_array_equal(learning.metric, want.metric)


def test_what_is_brought_keeps_within_the_limits(monkeypatch):
    data = pool().store.export(train().key)
    monkeypatch.setenv(limits.VARIABLE, "units=2")
    with pytest.raises(ValueError, match="Hidden units: 3; allowed here: up to 2"):
        runs_list.taken(pool(), data, "you")
    monkeypatch.delenv(limits.VARIABLE)
    kept = run_file.unpack(data)
    apart = replace(kept, apart=tuple((0, 20) for _ in kept.cells))
    with pytest.raises(ValueError, match="Export writes them all into one"):
        runs_list.taken(pool(), run_file.pack(apart), "you")
    with pytest.raises(ValueError, match="damaged"):
        runs_list.taken(pool(), data[:-1], "you")
    other = pool().store.load(train(lab_cells=["GRU"], lab_seed="5").key)
    with pytest.raises(ValueError, match="its cells have different seeds"):
        runs_list.taken(pool(), run_file.pack(replace(kept, cells=(*kept.cells[:2], *other.cells))), "you")


def test_what_was_trained_here_is_not_replaced_by_a_file():
    run = train()
    kept = pool().store.load(run.key)
    forged = [
        replace(cell, learning=replace(cell.learning, metric=cell.learning.metric * 0 + 0.5))
        for cell in kept.cells
    ]
    for other in (replace(kept, cells=tuple(forged)), replace(kept, owner="you")):
        with pytest.raises(ValueError, match="the same run is here already"):
            runs_list.taken(pool(), run_file.pack(other), "you")
    found = pool().find(run.key)
    assert found.owner == "me"
    np.testing.assert_array_equal(found.learnings[0].metric, run.learnings[0].metric)
    lecture = pool().store.load(run_id(LECTURES[0].job.configs))
    with pytest.raises(ValueError, match="the same run is here already"):
        runs_list.taken(pool(), run_file.pack(lecture), "you")


def test_a_file_does_not_make_others_runs_go(monkeypatch, tmp_path):
    data = pool().store.export(train(lab_seed="8").key)
    monkeypatch.setattr(pool(), "store", Store(tmp_path / "elsewhere"))
    other = train()
    size = sum(run.nbytes for run in pool().store.listed())
    monkeypatch.setenv(limits.VARIABLE, f"stored={size + 1000}")
    with pytest.raises(ValueError, match="the store is full"):
        runs_list.taken(pool(), data, "you")
    assert pool().find(other.key)


def test_a_brought_run_with_settings_that_no_control_has_is_listed_opened_and_deleted(monkeypatch):
    config = replace(
        LECTURES[0].job.configs[0], scheme="identity", scheme_options=(("std", 0.01),), steps=10, stop_at=None
    )
    monkeypatch.setattr(runs_list, "at_the_machine", lambda: True)
    run = pool().submit(Job((config,)), "me")
    while run.active:
        time.sleep(0.02)
    at = visit(RUNS)
    assert [error.value for error in at.exception] == []
    assert told(at) == []
    assert [query for query in links(at).values() if run.key in query]
    opened = visit(LAB, lab_run=run.key)
    assert [error.value for error in opened.exception] == []
    at.button(key=f"runs_delete_{run.key}").click().run()
    assert pool().find(run.key) is None


def described(query):
    """The job that the lab's controls describe under a link; None where none is described."""
    at = visit(LAB, **query)
    assert [error.value for error in at.exception] == []
    return at.session_state["_lab_job"], told(at), at


SETTINGS = {
    "lab_task": ["Adding problem", "Copy memory", "Temporal order"],
    "lab_cells": [["RNN"], ["LSTM", "GRU"], ["RNN", "LSTM", "GRU"]],
    "lab_seeds": [*map(str, range(1, 11))],
    "lab_seed": [*map(str, range(100))],
    "lab_steps": [said for said, steps in STEPS.items() if steps <= 2000],
    "lab_stop": ["when solved", "last step"],
    "lab_H": [*map(str, range(1, 61))],
    "lab_match": ["units", "parameters"],
    "lab_lr": list(CONTROLS["lr"].options),
    "lab_clip": list(CONTROLS["clip"].options),
    "lab_B": list(CONTROLS["batch"].options),
    "lab_init": ["PyTorch", "Chrono", "Orthogonal", "Spectral radius", "Identity"],
    "lab_gain": ["0.5", "1.25"],
    "lab_radius": ["0.5", "1.25"],
    "lab_t_max": ["20", "100"],
    "lab_fbias": ["-1", "1", "2.5"],
    "lab_window": ["0", "5"],
}


@pytest.mark.parametrize("seed", range(25))
def test_a_run_s_link_puts_the_controls_back(seed):
    query = {key: random.Random(f"{seed} {key}").choice(list(allowed)) for key, allowed in SETTINGS.items()}
    job = described(query)[0]
    again, notes, at = described({k: v for k, v in link_of(job).items() if k != "lab_run"})
    assert notes == []
    assert again == job
    assert run_id(again.configs) == run_id(job.configs) == link_of(job)["lab_run"]
    assert values(at)["lab_cells"] == query["lab_cells"]


def test_a_lecture_run_s_link_is_its_job():
    for lecture in LECTURES:
        job, notes, _ = described(link_of(lecture.job))
        assert notes == []
        assert job == lecture.job == Job(lecture.job.configs)
