"""The Memory lab: every task, a run from Start to its models' inside, and links that say what cannot be."""

import csv
import io
import time
from contextlib import redirect_stdout
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from rnnviz.engine.stack import stream
from rnnviz.engine.train import train
from rnnviz.engine.validation import SEED
from rnnviz.runs import limits, pool
from rnnviz.script import trace_script
from rnnviz.tasks import TASKS
from rnnviz.trained import TaskSequence, Trained, answers
from rnnviz.ui import lab
from rnnviz.ui.pages import CELL, FLOW, LAB
from tests.pages.visit import check_whole, figures, go, quiet_log, sent, set_control, told, values, visit

SMALL = {
    "lab_T_adding": 10,
    "lab_seeds": 2,
    "lab_steps": 200,
    "lab_stop": "last step",
    "lab_H": 3,
    "lab_B": 5,
    "lab_seed": 7,
}
STATE: dict[str, str] = {}
REAL_OWNER = lab.owner
PICTURES = 7  # a run at rest: two curves, a sequence, two of gradients, their reach, before and after


@pytest.fixture(scope="module", autouse=True)
def me():
    """AppTest has no cookies; the browser tests hold whose browser is whose."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lab, "owner", lambda: "me")
        yield patch


def rest(run):
    deadline = time.monotonic() + 60
    while run.active:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return run


@pytest.fixture(scope="module")
def small():
    """A page on which a small run has been started and has finished, and the run."""
    at = visit(LAB, **SMALL)
    at.button(key="lab_start").click().run()
    assert told(at) == []
    run = rest(pool().find(at.session_state["lab_run"]))
    assert (run.status, run.why) == ("finished", "")
    return at.run(), run


def words(at):
    return " ".join(
        [*(m.value for m in (*at.markdown, *at.caption)), *(p.proto.text for p in at.get("progress"))]
    )


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_every_task_shows_a_sequence_and_says_what_start_would_do(task):
    at = visit(LAB, lab_task=task.title, lab_H=31)  # a size of which no lecture run is
    check_whole(at, count=1)
    baseline = task.baseline(task.lengths.default)
    said = words(at).replace("\\", "")
    assert baseline.words in said
    assert task.question in said
    assert not at.button(key="lab_start").disabled
    low, high = task.lengths.low, min(task.lengths.high, 1000)
    for length in {low, high}:
        at = visit(LAB, **{f"lab_T_{task.name}": length}, lab_task=task.title, lab_example=50, lab_H=31)
        assert [error.value for error in at.exception] == []
        assert len(figures(at)) == 1


def test_a_run_shows_what_the_trainer_yields(small):
    at, run = small
    check_whole(at, count=PICTURES)
    (table,) = at.table
    for config, (_, row) in zip(run.job.configs, table.value.iterrows(), strict=True):
        records = list(train(config))
        assert (config.hidden_size, config.seeds, config.steps) == (3, (7, 8), 200)
        final = torch.stack([r.metric for r in records if r.evaluated])[-1].numpy()
        wanted = [f"{value:.3g}" for value in (np.median(final), final.min(), final.max())]
        assert row["last mean squared error"] == f"{wanted[0]} ({wanted[1]} to {wanted[2]})"
        learning = next(v for v in run.learnings if v.config == config)
        np.testing.assert_array_equal(learning.loss, torch.stack([r.loss for r in records]))
    assert "Finished after 200 steps" in words(at)
    assert at.button(key="lab_start").label == "Train again"


def buttons(at):
    return {b.key.removeprefix("lab_") for b in at.button if b.key and b.key.startswith("lab_")}


def test_its_link_shows_it_at_once(small):
    _, run = small
    for link in ({"lab_run": run.id}, {**SMALL, "lab_run": run.id}, SMALL):
        at = visit(LAB, **link)
        check_whole(at, count=PICTURES)
        assert "Finished after 200 steps" in words(at)


def test_who_opens_someone_s_link_can_watch_and_not_steer(me):
    at = visit(LAB, **{**SMALL, "lab_steps": 20000, "lab_seed": 2})
    at.button(key="lab_start").click().run()
    run = pool().find(at.session_state["lab_run"])
    assert {"pause", "cancel"} <= buttons(at)
    me.setattr(lab, "owner", lambda: "someone else")
    other = visit(LAB, lab_run=run.id)
    assert buttons(other) == {"start"}
    assert not other.button(key="lab_start").disabled
    me.setattr(lab, "owner", lambda: "me")
    again = visit(LAB, lab_run=run.id)
    assert {"pause", "cancel"} <= buttons(again)
    again.button(key="lab_cancel").click().run()
    rest(run)


def test_turning_a_control_leaves_a_run_at_rest_and_turning_back_finds_it(small):
    _, run = small
    at = visit(LAB, **SMALL, lab_run=run.id)
    set_control(at, "lab_H", 5)
    check_whole(at, count=1)
    assert not at.button(key="lab_start").disabled
    set_control(at, "lab_H", 3)
    check_whole(at, count=PICTURES)


def test_a_saved_step_seed_and_cell_can_be_chosen(small):
    at, run = small
    for key, value in (("lab_inside_cell", "LSTM"), ("lab_inside_seed", "8"), ("lab_inside_step", "100")):
        set_control(at, key, value)
        check_whole(at, count=PICTURES)
    (link,) = [link for link in at.get("page_link") if "cell_run" in link.proto.query_string]
    for part in (f"cell_run={run.id}", "cell_of=LSTM", "cell_of_seed=8", "cell_after=100", "cell_example=5"):
        assert part in link.proto.query_string


def by_torch(run, cell, seed, step, x):
    """The hidden states of ``torch.nn``'s layer with the weights that were kept."""
    kept = run.weights[cell][step]
    kind = (nn.RNN, nn.LSTM, nn.GRU)[cell]
    module = kind(x.shape[2], 3, dtype=torch.float64)
    with torch.no_grad():
        for name, value in kept.items():
            if name in ("W_hy", "b_y"):
                continue
            getattr(module, {"W": "weight", "b": "bias"}[name[0]] + name[1:] + "_l0").copy_(value[seed])
        h = module(x)[0][:, 0]
    return h.numpy(), (h @ kept["W_hy"][seed].double().T + kept["b_y"][seed].double()).numpy()


@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
def test_a_trained_model_is_stepped_through_with_its_own_weights(small, cell):
    _, run = small
    k = ["RNN", "LSTM", "GRU"].index(cell)
    judged = TASKS["adding"].fixed(1000, 10, stream(SEED, "validation"))
    for step, seed, example in ((0, 7, 1), (100, 8, 3), (200, 7, 50)):
        link = {"cell_of": cell, "cell_of_seed": seed, "cell_after": step, "cell_example": example}
        at = visit(CELL, cell_run=run.id, **link)
        check_whole(at)
        x = judged.x[:, example - 1 : example].double()
        h, y = by_torch(run, k, seed - 7, step, x)
        np.testing.assert_allclose(sent(at).arrays["x"], x[:, 0], rtol=1e-6)
        np.testing.assert_allclose(sent(at).value("h"), h, rtol=0, atol=3e-7)
        assert f"seed {seed}" in sent(at).head["caption"]
        model = Trained(run.id, k, seed - 7, step)
        said = answers(model, TaskSequence("adding", 10, example - 1), torch.from_numpy(h))
        assert said[:-1] == ("",) * 9
        assert float(said[-1].replace("−", "-")) == pytest.approx(y[-1, 0], abs=0.0051)


def test_the_code_of_a_trained_model_prints_its_numbers(small):
    from rnnviz.experiment import model_of

    _, run = small
    sequence, trained = TaskSequence("adding", 10, 4), Trained(run.id, 2, 1, 200)
    code = trace_script(model_of(trained), sequence, "title", "caption")
    assert "rnnviz" not in code
    out = io.StringIO()
    with redirect_stdout(out):
        exec(compile(code, "script", "exec"), {})
    torch.set_default_dtype(torch.float32)
    rows = [row for row in csv.DictReader(io.StringIO(out.getvalue())) if row["unit"] == "2"]
    h, _ = by_torch(run, 2, 1, 200, sequence.batch.x.double())
    np.testing.assert_allclose([float(row["h"]) for row in rows], h[:, 1], rtol=0, atol=1e-12)


def test_leaving_a_trained_model_shows_weights_from_a_seed_again(small):
    _, run = small
    at = visit(CELL, cell_run=run.id)
    at.button(key="cell_leave").click().run()
    check_whole(at)
    assert "seed 4" in sent(at).head["caption"]


@pytest.mark.parametrize(
    ("page", "link", "said"),
    [
        (LAB, {"lab_run": "0123456789"}, "(lab_run)"),
        (LAB, {"lab_run": "x" * 50}, "(lab_run)"),
        (LAB, {"lab_task": "Subtracting"}, "(lab_task)"),
        (LAB, {"lab_T_adding": 0}, "(lab_T_adding)"),
        (LAB, {"lab_T_adding": 10**9}, "(lab_T_adding)"),
        (LAB, {"lab_T_adding": "many"}, "(lab_T_adding)"),
        (LAB, {"lab_steps": 10**6}, "(lab_steps)"),
        (LAB, {"lab_cells": "Elman"}, "(lab_cells)"),
        (LAB, {"lab_cells": ["GRU", "Elman"]}, "(lab_cells)"),
        (LAB, {"lab_H": 10**9}, "(lab_H)"),
        (LAB, {"lab_lr": 7}, "(lab_lr)"),
        (LAB, {"lab_dog": 5}, "lab_dog"),
        (CELL, {"cell_run": "0123456789"}, "(cell_run)"),
        (CELL, {"cell_run": "<b>"}, "(cell_run)"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_a_link_cannot_have_is_said_once(page, link, said):
    at = visit(page, **link)
    assert [error.value for error in at.exception] == []
    (sentence,) = told(at)
    assert said in sentence
    assert len(figures(at)) >= 1
    assert told(at.run()) == []


@pytest.mark.parametrize(
    ("page", "link"),
    [
        (CELL, {"cell_of": "LSTM2"}),
        (CELL, {"cell_of_seed": 99}),
        (CELL, {"cell_after": 5}),
        (CELL, {"cell_example": 51}),
        (LAB, {"lab_inside_step": 5}),
        (LAB, {"lab_inside_cell": "Elman"}),
    ],
    ids=str,
)
def test_a_model_that_the_run_has_not_is_said_once(small, page, link):
    _, run = small
    at = visit(page, **{f"{page.url}_run": run.id}, **link)
    (sentence,) = told(at)
    assert next(iter(link)) in sentence
    assert len(figures(at)) == (1 if page is CELL else PICTURES)
    assert told(at.run()) == []


def test_no_cell_is_a_sentence_and_no_start():
    at = visit(LAB)
    set_control(at, "lab_cells", [])
    assert [error.value for error in at.exception] == []
    assert "choose at least one" in at.info[0].value
    assert "lab_start" not in {b.key for b in at.button}
    set_control(at, "lab_cells", ["GRU"])
    check_whole(at, count=1)


def test_a_refused_start_says_why_and_starts_nothing(monkeypatch):
    monkeypatch.setenv(limits.VARIABLE, "work=50")
    at = visit(LAB, lab_steps=100)
    at.button(key="lab_start").click().run()
    (sentence,) = told(at)
    assert "Parameters × time steps × sequences of a run: " in sentence
    assert "allowed here: up to 50, which is about an hour." in sentence
    assert at.session_state["lab_run"] == ""
    assert len(figures(at)) == 1


def test_equal_parameters_are_equal():
    at = visit(LAB, lab_match="parameters", lab_H=32)
    said = words(at).replace("\\", "")
    assert "LSTM 4,641 (H = 32)" in said
    assert "RNN 4,687 (H = 66)" in said  # 2·66 + 66² + 2·66 + 66 + 1
    assert "GRU 4,589 (H = 37)" in said  # with 38 it would be 4,827


def test_pausing_resuming_and_cancelling_by_button():
    at = visit(LAB, **{**SMALL, "lab_steps": 20000, "lab_seed": 1})
    at.button(key="lab_start").click().run()
    run = pool().find(at.session_state["lab_run"])
    while run.step < 5:
        time.sleep(0.02)
    assert "left" in words(at.run())
    at.button(key="lab_pause").click().run()
    rest(run)
    assert "Paused after step" in words(at.run())
    check_whole(at, count=PICTURES)
    at.button(key="lab_resume").click().run()
    assert run.active
    at.run()
    at.button(key="lab_cancel").click().run()
    rest(run)
    assert "Cancelled after step" in words(at.run())
    assert {"pause", "cancel"}.isdisjoint(buttons(at))


def test_a_run_that_diverged_says_which_seed_and_when():
    link = {**SMALL, "lab_cells": ["RNN"], "lab_opt": "SGD", "lab_lr": 3, "lab_clip": "never"}
    link |= {"lab_init": "Orthogonal", "lab_gain": 3, "lab_T_three_taps": 100, "lab_task": "Three-tap sum"}
    at = visit(LAB, **link)
    at.button(key="lab_start").click().run()
    run = rest(pool().find(at.session_state["lab_run"]))
    at.run()
    assert run.status == "finished"
    found = [d for learning in run.learnings for d in learning.diverged]
    assert found
    sentences = told(at)
    assert len(sentences) == len(found)
    for d in found:
        assert any(f"RNN, seed {d.seed}: {d.what} at step {d.step}" in line for line in sentences)


def test_every_task_comes_with_its_own_length():
    with quiet_log():
        at = visit(LAB, lab_H=31)  # of which no lecture run is
        for name in ("copy", "parity_running", "temporal_order", "reber", "digit_rows", "adding"):
            set_control(at, "lab_task", TASKS[name].title)
            check_whole(at, count=1)
            if name != "digit_rows":  # of eight rows, and no others
                assert values(at)[f"lab_T_{name}"] == TASKS[name].lengths.default
        set_control(at, "lab_T_adding", 77)
        set_control(at, "lab_H", 5)
        assert values(at)["lab_T_adding"] == 77


def test_a_return_to_the_page_finds_what_it_left():
    with quiet_log():
        at = visit(LAB, lab_steps=300, lab_clip=3)
        go(at, FLOW)
        go(at, LAB)
        check_whole(at, count=1)
        assert {key: values(at)[key] for key in ("lab_steps", "lab_clip", "lab_B", "lab_lr")} == {
            "lab_steps": "300",
            "lab_clip": "3",
            "lab_B": "50",
            "lab_lr": "0.01",
        }


def test_a_run_that_went_further_is_looked_into_at_its_end():
    at = visit(LAB, **{**SMALL, "lab_steps": 1000, "lab_seed": 4, "lab_cells": ["GRU"]})
    at.button(key="lab_start").click().run()
    run = pool().find(at.session_state["lab_run"])
    while run.step < 120:
        time.sleep(0.01)
    at.button(key="lab_pause").click().run()
    rest(run)
    at.run()
    assert values(at)["lab_inside_step"] == str(run.step)
    if run.status == "paused":
        at.button(key="lab_resume").click().run()
        rest(run)
        at.run()
    assert values(at)["lab_inside_step"] == "1000"


def test_a_limit_that_is_raised_or_lowered_is_the_slider_s(monkeypatch):
    monkeypatch.setenv(limits.VARIABLE, "units=23,seeds=2,steps=50000,length=30")
    at = visit(LAB, lab_steps=50000)
    assert told(at) == []
    assert (at.slider(key="lab_H").max, at.slider(key="lab_seeds").max) == (10, 2)
    assert at.slider(key="lab_T_adding").max == 30
    at = visit(LAB, lab_steps=100000, lab_H=11)
    said = " ".join(sorted(told(at)))
    assert len(told(at)) == 2
    assert limits.LIMITS["steps"].reason in said
    assert limits.LIMITS["units"].reason in said


def test_a_run_that_was_left_can_be_found_again():
    at = visit(LAB, **{**SMALL, "lab_steps": 20000, "lab_seed": 3})
    at.button(key="lab_start").click().run()
    run = pool().find(at.session_state["lab_run"])
    at.button(key="lab_pause").click().run()
    rest(run)
    at.run()
    set_control(at, "lab_H", 5)
    assert f"lab_to_{run.id}" in {b.key for b in at.button}
    at.button(key=f"lab_to_{run.id}").click().run()
    assert "Paused after step" in words(at)
    at.button(key="lab_cancel").click().run()
    assert run.status == "cancelled"


@pytest.mark.parametrize(
    ("cookie", "same"),
    [
        ("2|00ff|1234|17", "2|ffff|ed34|99"),  # the same token under two masks
        ("", ""),
        ("2||1234|17", "2||1234|17"),
        ("nonsense", "nonsense"),
        ("2|zz|1234|1", "2|zz|1234|1"),
    ],
)
def test_a_browser_is_itself_whatever_its_cookie_s_mask(monkeypatch, cookie, same):
    found = []
    for value in (cookie, same):
        context = SimpleNamespace(cookies={"_streamlit_xsrf": value} if value else {})
        monkeypatch.setattr(lab, "st", SimpleNamespace(context=context, session_state=STATE))
        found.append(REAL_OWNER())
    assert found[0] == found[1]
    assert len(found[0]) == 16
    if cookie.startswith("2|00"):
        context.cookies["_streamlit_xsrf"] = "2|00ff|1235|17"
        assert REAL_OWNER() != found[0]


def test_the_ends_of_the_sliders():
    for ends in (
        {"lab_seeds": 10, "lab_H": 128, "lab_B": 256, "lab_steps": 20000},
        {"lab_seeds": 1, "lab_H": 1, "lab_B": 1, "lab_steps": 100, "lab_lr": 0.0001, "lab_clip": 0.01},
        {"lab_init": "Chrono", "lab_t_max": 400.0, "lab_window": 50},
        {"lab_opt": "RMSprop", "lab_clip": "never", "lab_lr": 3, "lab_fbias": 6.0},
    ):
        at = visit(LAB, **ends)
        check_whole(at, count=1)
        shown = values(at)
        assert {key: str(shown[key]) for key in ends} == {key: str(value) for key, value in ends.items()}
