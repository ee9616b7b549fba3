"""How far back: what the controls ask for, a sweep from Start to its pictures, and who may steer it."""

import time
from types import SimpleNamespace
from typing import ClassVar

import pytest

from rnnviz import sweep as engine
from rnnviz.engine import CELLS
from rnnviz.engine.learning import learning_of
from rnnviz.engine.outcome import outcomes_of
from rnnviz.engine.train import train
from rnnviz.run_file import unpack
from rnnviz.store import store
from rnnviz.sweep.work import train_one
from rnnviz.ui import sweep_live
from rnnviz.ui.pages import FAR, FLOW
from rnnviz.ui.sweep_controls import FAR as TABLE
from rnnviz.ui.sweep_controls import SCHEME_WORDS, SWEPT, usual_lags
from tests.pages.visit import check_whole, figures, go, set_control, told, values, visit

SMALL = {"far_lags_recall": "3, 5", "far_steps": 10, "far_seeds": 2, "far_H": 3, "far_B": 5}
MAP = {"far_picture": "Trainability map", "far_lrs": "0.01, 0.1"}


@pytest.fixture(autouse=True)
def me(monkeypatch, tmp_path):
    """A store and a desk of one's own; AppTest has no cookies."""
    monkeypatch.setenv("RNNVIZ_HOME", str(tmp_path))
    store.cache_clear()
    monkeypatch.setattr(sweep_live, "owner", lambda: "me")
    monkeypatch.setattr(sweep_live, "at_the_machine", lambda: False)
    monkeypatch.setattr(sweep_live, "_desk", sweep_live.Desk())
    monkeypatch.setattr(engine.finished, "TABLES", tmp_path / "none")
    yield monkeypatch
    last = sweep_live.desk().last
    if last:
        last.sweeping.cancel()
    store.cache_clear()


class Slow:
    """A Sweeping that trains when it is told to."""

    made: ClassVar[list["Slow"]] = []

    def __init__(self, sweep, store, scheduler=None, owner=""):
        self.sweep, self.owner, self.status, self.why, self.note = sweep, owner, "running", "", ""
        self.store = store
        self.outcomes, self.total = (), len(sweep.configs)
        Slow.made.append(self)

    @property
    def done(self):
        return len({one.config for one in self.outcomes})

    @property
    def share(self):
        return self.done / self.total

    def seconds_left(self):
        return 200.0 if self.outcomes else None

    def cancel(self):
        self.status = "cancelled"

    def train(self, count):
        """Finish so many more."""
        for config in self.sweep.configs[self.done : self.done + count]:
            self.outcomes += outcomes_of(learning_of(config, train(config)))
            self.store.save(unpack(train_one(config)))


@pytest.fixture
def slow(me):
    Slow.made = []
    me.setattr(sweep_live, "Sweeping", Slow)
    return Slow


@pytest.fixture
def asked(me):
    """What the page last asked for."""
    found = SimpleNamespace(last=None)
    real = sweep_live.picture

    def picture(asked, draw):
        found.last = asked
        real(asked, draw)

    me.setattr(sweep_live, "picture", picture)
    return found


def start(at):
    return at.button(key="far_start").click().run()


def words(at):
    said = [*(m.value for m in (*at.markdown, *at.caption)), *(p.proto.text for p in at.get("progress"))]
    return " ".join(said).replace("\\", "")


def buttons(at):
    return {b.key for b in at.button if b.key and b.key in ("far_start", "far_cancel", "far_to")}


def test_the_first_view_is_an_empty_picture_that_says_what_start_would_do(asked):
    at = visit(FAR)
    check_whole(at, count=1)
    assert "Start computes this: 15 trainings, 3 models each." in words(at)
    sweep = asked.last.sweep
    assert (sweep.lengths, sweep.cells) == ((10, 20, 50, 100, 200), tuple(CELLS))
    assert (sweep.schemes, sweep.base.seeds) == (("torch",), (0, 1, 2))
    assert sweep.base.stop_at == sweep.base.memory_task.metric.success
    assert not at.button(key="far_start").disabled
    assert not at.table
    assert "nothing yet" in " ".join(part.proto.body for part in at.get("html"))


@pytest.mark.parametrize("task", SWEPT.values(), ids=SWEPT)
@pytest.mark.parametrize("link", [{}, MAP], ids=["lags", "map"])
def test_every_task_has_lags_of_its_own(asked, task, link):
    at = visit(FAR, far_task=task.title, **link)
    check_whole(at, count=1)
    assert asked.last.sweep.lengths == usual_lags(task)
    assert len(usual_lags(task)) >= 3
    assert task.question in words(at)
    assert task.metric.percent
    assert task.caution in words(at)


def test_every_control_reaches_the_sweep(asked):
    link = {
        "far_cells": ["RNN", "GRU"],
        "far_inits": ["Orthogonal", "Chrono"],
        "far_lr": "0.001",
        "far_steps": "50",
        "far_seeds": 4,
        "far_H": 7,
        "far_B": "10",
        "far_clip": "never",
        "far_seed": 5,
        "far_lags_recall": "7;3 , 5 3",
    }
    at = visit(FAR, **link)
    check_whole(at, count=1)
    sweep, base = asked.last.sweep, asked.last.sweep.base
    assert (sweep.lengths, sweep.cells, sweep.lrs) == ((3, 5, 7), ("rnn", "gru"), (0.001,))
    assert sweep.schemes == ("orthogonal", "chrono")
    assert asked.last.lines == [
        ("rnn", "orthogonal"),
        ("rnn", "torch"),
        ("gru", "orthogonal"),
        ("gru", "chrono"),
    ]
    assert (base.steps, base.seeds, base.hidden_size, base.batch_size, base.clip) == (
        50,
        (5, 6, 7, 8),
        7,
        10,
        None,
    )
    assert "far_fbias" not in values(at), "neither cell has a forget gate"
    said = asked.last.caption
    for part in ("Delayed recall", "H = 7", "4 seeds from 5", "Adam 0.001", "no clipping", "batches of 10"):
        assert part in said
    assert "weights: Orthogonal, PyTorch, Chrono" in said
    visit(FAR, far_fbias=-1.5, far_cells="LSTM")
    assert asked.last.sweep.configs[0].forget_bias == -1.5
    assert "LSTM with forget bias -1.5" in asked.last.caption
    visit(FAR, far_inits=["PyTorch", "Chrono"])
    assert asked.last.caption.count("LSTM with forget bias 5 ") == 1


def test_a_map_is_one_cell_over_learning_rates(asked):
    at = visit(FAR, **MAP, far_cell="LSTM", far_init="Glorot")
    check_whole(at, count=1)
    sweep = asked.last.sweep
    assert (sweep.cells, sweep.schemes, sweep.lrs) == (("lstm",), ("glorot",), (0.01, 0.1))
    assert not {"far_cells", "far_inits", "far_lr"} & values(at).keys()
    assert "Equal units" not in words(at)
    set_control(at, "far_picture", "Curves")
    check_whole(at, count=1)
    assert not {"far_cell", "far_init", "far_lrs"} & values(at).keys()
    assert "Equal units are not equal parameters: RNN " in words(at)


@pytest.mark.parametrize("key", ["far_cells", "far_inits"])
def test_nothing_chosen_is_a_sentence_and_no_start(key):
    at = visit(FAR)
    set_control(at, key, [])
    assert [error.value for error in at.exception] == []
    assert "choose at least one" in at.info[0].value
    assert not buttons(at)
    set_control(at, key, [values(visit(FAR))[key][0]])
    check_whole(at, count=1)


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ({"far_lags_recall": "ten"}, "A lag is “ten”; Delayed recall allows whole numbers from 1 to 1,000"),
        ({"far_lags_recall": "10, 2.5"}, "A lag is “2.5”"),
        ({"far_lags_recall": "0"}, "A lag is “0”"),
        ({"far_lags_recall": "-3"}, "A lag is “-3”"),
        ({"far_lags_recall": "1001"}, "A lag is “1001”"),
        ({"far_lags_recall": "9" * 50}, f"A lag is “{'9' * 20}”"),
        ({"far_lags_recall": "²"}, "A lag is “²”"),
        ({"far_lags_recall": "٣"}, "A lag is “٣”"),
        ({"far_lags_recall": " , "}, "Lags: 0 are typed; allowed: 1 to 12"),
        ({"far_lags_recall": " ".join(map(str, range(1, 14)))}, "Lags: 13 are typed; allowed: 1 to 12"),
        ({"far_lags_recall": "1" * 101}, "(far_lags_recall) has 101 characters"),
        ({**MAP, "far_lrs": "fast"}, "A learning rate is “fast”; allowed: numbers from 1e-6 to 10"),
        ({**MAP, "far_lrs": "nan"}, "A learning rate is “nan”"),
        ({**MAP, "far_lrs": "0.1, 0"}, "A learning rate is “0”"),
        ({**MAP, "far_lrs": "inf"}, "A learning rate is “inf”"),
        ({**MAP, "far_lrs": ""}, "Learning rates: 0 are typed"),
        ({"far_task": "Adding problem"}, "(far_task)"),
        ({"far_task": "Digits row by row"}, "(far_task)"),
        ({"far_picture": "Pie"}, "(far_picture)"),
        ({"far_cells": ["GRU", "Elman"]}, "(far_cells)"),
        ({"far_inits": "Zero"}, "(far_inits)"),
        ({"far_steps": 7}, "(far_steps)"),
        ({"far_seeds": 11}, "(far_seeds)"),
        ({"far_H": 0}, "(far_H)"),
        ({"far_lr": 7}, "(far_lr)"),
        ({"far_dog": 5}, "far_dog"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_a_link_cannot_have_is_said_once_and_the_usual_is_shown(link, said):
    at = visit(FAR, **link)
    assert [error.value for error in at.exception] == []
    sentences = told(at)
    assert any(said in sentence for sentence in sentences), sentences
    assert len(sentences) <= 2  # a text that is too long is also no list of lags
    assert len(figures(at)) == 1


def test_more_than_the_machine_allows_is_a_sentence_and_no_start():
    at = visit(FAR, far_lags_recall="1 2 3 4 5 6 7 8 9 10 11 12", far_inits=list(SCHEME_WORDS.values()))
    assert [error.value for error in at.exception] == []
    assert "Trainings of a sweep: 216; allowed here: up to 200" in at.info[0].value.replace("\\", "")
    assert not buttons(at)


def test_a_sweep_grows_before_everyone_s_eyes_and_only_who_started_it_may_cancel(slow, me):
    at = start(visit(FAR, **SMALL))
    (made,) = slow.made
    assert (made.owner, made.total) == ("me", 6)
    assert at.button(key="far_start").disabled
    assert buttons(at) == {"far_start", "far_cancel"}
    assert "0 of 6 trainings done" in words(at)
    made.train(4)
    check_whole(at.run(), count=1)
    assert "4 of 6 trainings done, about 3 min left" in words(at)
    assert not at.table
    other = visit(FAR, **SMALL)
    me.setattr(sweep_live, "owner", lambda: "someone else")
    other.run()
    check_whole(other, count=1)
    assert buttons(other) == {"far_start"}
    assert other.button(key="far_start").disabled
    assert "4 of 6 trainings done" in words(other)
    assert "another visitor started it" in words(other)
    me.setattr(sweep_live, "owner", lambda: "me")
    made.train(2)
    made.status = "finished"
    at.run()
    check_whole(at, count=1)
    assert "All 6 trainings are computed, 2 models each." in words(at)
    assert buttons(at) == {"far_start"}
    assert at.button(key="far_start").disabled
    assert len(at.table) == 1


def test_coming_back_finds_it_and_another_sweep_waits_for_its_turn(slow):
    at = start(visit(FAR, **SMALL, far_cells="GRU"))
    slow.made[0].train(1)
    again = visit(FAR)
    check_whole(again, count=1)
    assert "far_to" in buttons(again)
    assert "Your sweep is under way: Delayed recall, 1 of 2 trainings done" in again.button(
        key="far_to"
    ).label.replace("\\", "")
    start(again)
    (sentence,) = told(again)
    assert sentence.startswith("This server computes one sweep at a time, and your sweep of “Delayed recall”")
    assert sentence.endswith("Press Start again when it is done.")
    assert len(slow.made) == 1
    again.button(key="far_to").click().run()
    check_whole(again, count=1)
    assert {key: str(values(again)[key]) for key in SMALL} == {
        key: str(value) for key, value in SMALL.items()
    }
    assert values(again)["far_cells"] == ["GRU"]
    assert "1 of 2 trainings done" in words(again)
    go(again, FLOW)
    check_whole(again)
    go(again, FAR)
    assert "1 of 2 trainings done" in words(again)
    again.button(key="far_cancel").click().run()
    assert slow.made[0].status == "cancelled"
    assert "Cancelled. 1 of 2 trainings are already computed; Go on trains the rest" in words(again)
    assert at.run().button(key="far_start").label == "Go on"


def test_a_sweep_that_broke_off_says_why(slow):
    at = start(visit(FAR, **SMALL))
    slow.made[0].train(1)
    slow.made[0].why, slow.made[0].status = "The disk is full.", "failed"
    at.run()
    assert "It broke off: The disk is full. 1 of 6 trainings are already computed" in " ".join(told(at))
    start(at)
    assert len(slow.made) == 2
    slow.made[1].train(6)
    slow.made[1].note, slow.made[1].status = "The disk is still full.", "finished"
    assert "The disk is still full. All 6 trainings are computed" in " ".join(told(at.run()))


def rest():
    deadline = time.monotonic() + 120
    while sweep_live.desk().last.running:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return sweep_live.desk().last.sweeping


@pytest.mark.parametrize(
    "link", [{"far_cells": ["RNN", "GRU"]}, {**MAP, "far_cell": "LSTM"}], ids=["lags", "map"]
)
def test_a_small_sweep_is_what_the_trainer_yields_and_nothing_is_computed_twice(asked, link):
    at = start(visit(FAR, **SMALL, **link))
    sweeping = rest()
    assert (sweeping.status, sweeping.why) == ("finished", "")
    at.run()
    check_whole(at, count=1)
    want = tuple(
        one for config in asked.last.sweep.configs for one in outcomes_of(learning_of(config, train(config)))
    )
    assert sweep_live.outcomes(asked.last) == want
    assert len(at.table) == 1
    assert at.button(key="far_start").disabled
    sweep_live._desk = sweep_live.Desk()  # as after a restart of the server
    again = visit(FAR, **SMALL, **link)
    check_whole(again, count=1)
    assert "All 4 trainings are computed" in words(again)
    assert again.button(key="far_start").disabled
    wider = visit(FAR, **{**SMALL, "far_lags_recall": "3, 5, 7"}, **link)
    assert "4 of 6 trainings are already computed; Go on trains the rest" in words(wider)
    assert wider.button(key="far_start").label == "Go on"


def test_show_the_code_shows_a_script(slow):
    at = start(visit(FAR, **SMALL))
    slow.made[0].train(6)
    slow.made[0].status = "finished"
    at.run()
    at.button(key="lags_code").click().run()
    (code,) = at.code
    assert "import torch" in code.value
    assert "rnnviz" not in code.value


def test_every_control_is_in_the_table_once():
    keys = [control.key for control in TABLE.values()]
    assert len(set(keys)) == len(keys)
    assert all(key.startswith("far_") for key in keys)
