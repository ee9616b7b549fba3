"""Every page with every cell, convention, input, scheme and what-if, at its sliders' ends, with bad input."""

import re
from itertools import combinations, product

import pytest
from streamlit.testing.v1 import AppTest

from rnnviz import series
from rnnviz.engine import CELLS, CellSpec, GateSpec, StateSpec
from rnnviz.ui import controls, flow_controls
from rnnviz.ui.pages import CELL, FLOW, PAGES, Page
from tests.pages.visit import check_whole, go, pictures, quiet_log, sent, set_control, told, values, visit

TABLES = {"cell": controls.CELL, "flow": flow_controls.FLOW}
WITH_FIGURES = [page for page in PAGES if page.url in TABLES]
both = pytest.mark.parametrize("page", WITH_FIGURES, ids=lambda page: page.url)


def conventions(names: list[str], prefix: str) -> list[dict[str, str]]:
    """Every combination of these options, as a link says it."""
    table = TABLES[prefix]
    return [
        {f"{prefix}_{name}": value for name, value in zip(names, combination, strict=True)}
        for combination in product(*(table[name].options for name in names))
    ]


CELL_LINKS = [
    {"cell_cell": spec.title, **options}
    for spec in CELLS.values()
    for options in conventions([name for name, _ in spec.choices], "cell")
]


def pairs(links: list[dict[str, str]]) -> list[dict[str, str]]:
    """As few of these as show every two values together that any of them has together."""

    def of(link: dict[str, str]) -> set[frozenset[tuple[str, str]]]:
        return {frozenset(two) for two in combinations(link.items(), 2)}

    chosen, missing = [], set().union(*map(of, links))
    while missing:
        chosen.append(max(links, key=lambda link: len(of(link) & missing)))
        missing -= of(chosen[-1])
    return chosen


# The page shows every cell at once, whose conventions know nothing of each other: each two together are
# enough, where all combinations would be four times as many.
FLOW_LINKS = pairs(conventions(sorted({name for spec in CELLS.values() for name, _ in spec.choices}), "flow"))


@pytest.mark.parametrize(
    ("page", "link"),
    [*((CELL, link) for link in CELL_LINKS), *((FLOW, link) for link in FLOW_LINKS)],
    ids=lambda value: value.url if isinstance(value, Page) else "-".join(value.values()),
)
def test_every_cell_convention_and_input(page: Page, link: dict[str, str]) -> None:
    at = visit(page, **link)
    check_whole(at)
    shown = values(at)
    assert {key: shown[key] for key in link} == link
    for kind in controls.INPUTS:
        set_control(at, f"{page.url}_input", kind)
        check_whole(at)
        assert {key: values(at)[key] for key in link} == link


def test_home_is_a_picture_and_links() -> None:
    at = visit(PAGES[0])
    check_whole(at, count=1)
    names = [part.proto.component_name for part in at.get("bidi_component")]
    assert "rnnviz_stepper" in names
    assert len(at.get("page_link")) >= 3


@both
@pytest.mark.parametrize("scheme", controls.SCHEME_NAMES)
def test_every_scheme(page: Page, scheme: str) -> None:
    at = visit(page, **{f"{page.url}_init": scheme})
    assert [error.value for error in at.exception] == []
    assert len(pictures(at)) == 2
    gateless = page is FLOW  # the cell page starts with a gated cell
    if scheme == "Chrono" and gateless:
        (sentence,) = told(at)
        assert "Chrono" in sentence
    else:
        assert told(at) == []


@pytest.mark.parametrize("cell", [spec.title for spec in CELLS.values()])
def test_chrono_for_each_cell(cell: str) -> None:
    at = visit(CELL, cell_cell=cell, cell_init="Chrono", cell_t_max=400)
    assert [error.value for error in at.exception] == []
    assert len(pictures(at)) == 2
    assert len(told(at)) == (cell == "RNN")


ENDS = [
    {"T": 2},
    {"T": 400, "input": "Noise"},
    {"H": 1},
    {"H": 64},
    {"T": 2, "H": 1},
    {"T": 400, "H": 64, "input": "Noise"},
    {"init": "Spectral radius", "radius": 0.0},
    {"init": "Spectral radius", "radius": 3.0, "T": 400, "input": "Noise"},
    {"init": "Orthogonal", "gain": 0.0},
    {"init": "Identity", "gain": 3.0, "T": 400, "input": "Noise"},
    {"init": "Chrono", "t_max": 2.0},
    {"fbias": -2.0},
    {"fbias": 6.0},
    {"seed": 99},
    {"input": "Sine", "period": 2},
    {"input": "Sine", "period": 200},
]


@both
@pytest.mark.parametrize("ends", ENDS, ids=lambda ends: "-".join(f"{k}{v}" for k, v in ends.items()))
def test_the_ends_of_the_sliders(page: Page, ends: dict[str, object]) -> None:
    link = {f"{page.url}_{name}": value for name, value in {"input": "Noise", **ends}.items()}
    at = visit(page, **link)
    assert [error.value for error in at.exception] == []
    assert len(pictures(at)) == 2
    assert [line for line in told(at) if "Chrono" not in line] == []
    assert {key: values(at)[key] for key in link} == link


@pytest.mark.parametrize("activation", ["ReLU", "identity"])
@pytest.mark.parametrize("page", WITH_FIGURES, ids=lambda page: page.url)
def test_an_rnn_that_explodes(page: Page, activation: str) -> None:
    link = {"init": "Orthogonal", "gain": 3.0, "T": 400, "H": 64, "input": "Noise", "activation": activation}
    link |= {"cell": "RNN"} if page is CELL else {}
    check_whole(visit(page, **{f"{page.url}_{name}": value for name, value in link.items()}))


def test_step_and_unit_follow_a_limit_that_shrinks() -> None:
    with quiet_log():
        at = visit(CELL, cell_t=25, cell_unit=12)
        set_control(at, "cell_text", "the cloud")
        check_whole(at)
        assert (values(at)["cell_t"], values(at)["cell_unit"]) == (9, 12)
        set_control(at, "cell_H", 2)
        check_whole(at)
        assert (values(at)["cell_t"], values(at)["cell_unit"]) == (9, 2)
        set_control(at, "cell_text", "four")
        check_whole(at)
        assert values(at)["cell_t"] == 4


def test_a_single_unit_can_be_reached_by_slider() -> None:
    at = visit(CELL)
    set_control(at, "cell_H", 1)
    check_whole(at)
    set_control(at, "cell_H", 2)
    check_whole(at)


def test_step_and_unit_of_a_link_hold_where_they_fit_only() -> None:
    at = visit(CELL, cell_H=2, cell_unit=3)
    assert len(pictures(at)) == 2
    (sentence,) = told(at)
    assert "cell_unit" in sentence


@pytest.mark.parametrize("unit_first", [True, False])
def test_a_control_that_returns_holds_what_it_held(unit_first: bool) -> None:
    at = visit(CELL, cell_fbias=3.0)
    set_control(at, "cell_cell", "GRU")
    if unit_first:
        set_control(at, "cell_unit", 2)
    set_control(at, "cell_cell", "LSTM")
    assert values(at)["cell_fbias"] == 3.0


# What if -----------------------------------------------------------------------------------------------

SPECS = [
    *CELLS.values(),
    CELLS["rnn"].with_options(activation="relu"),
    CELLS["rnn"].with_options(activation="identity"),
]
HELD = [(spec, part) for spec in SPECS for part in (*spec.gates, *spec.states)]


def cell_link(spec: CellSpec) -> dict[str, str]:
    """The cell under its conventions, as a link says it."""
    names = {name: controls.OPTION_NAMES.get(value, value) for name, value in spec.options}
    return {"cell_cell": spec.title, **{f"cell_{name}": value for name, value in names.items()}}


def captions(at: AppTest) -> list[str]:
    """What stands under every figure, in the stepper's run, and beside it."""
    under = [re.search('<p class="under">(.*?)</p>', part.proto.body) for part in at.get("html")]
    return [*(found[1] for found in under if found), sent(at).head["caption"], at.main.caption[0].value]


def options(at: AppTest, key: str) -> list[str]:
    (widget,) = [w for kind in ("selectbox", "button_group") for w in at.get(kind) if w.key == key]
    return list(widget.options)


@pytest.mark.parametrize("spec", CELLS.values(), ids=CELLS)
def test_what_can_be_held_is_every_gate_and_state(spec: CellSpec) -> None:
    at = visit(CELL, **cell_link(spec))
    check_whole(at)
    parts = [f"{part.name} · {part.title}" for part in (*spec.gates, *spec.states)]
    assert options(at, "cell_hold") == ["nothing", *parts]
    assert values(at)["cell_hold"] == "nothing"
    assert sent(at).head["delta"] == {}
    assert not any("what if" in caption for caption in captions(at))
    assert "cell_at" not in values(at)


@pytest.mark.parametrize(
    ("spec", "part"), HELD, ids=[f"{s.name}-{'-'.join(v for _, v in s.options)}-{p.name}" for s, p in HELD]
)
def test_each_gate_and_state_is_held_within_its_range(spec: CellSpec, part: GateSpec | StateSpec) -> None:
    at = visit(CELL, **cell_link(spec))
    set_control(at, "cell_hold", f"{part.name} · {part.title}")
    check_whole(at)
    slider = at.slider(key="cell_at")
    assert (slider.min, slider.max) == (max(part.low, -3.0), min(part.high, 3.0))
    for value in (slider.min, 0.5, slider.max):
        set_control(at, "cell_at", value)
        check_whole(at)
        assert all(f"what if: {part.name} = {value:g}" in caption for caption in captions(at))
        assert (sent(at).value(part.name) == value).all()
        assert sent(at).head["delta"]
    for beyond in (slider.min - 0.05, slider.max + 0.05):
        at = visit(CELL, **cell_link(spec), cell_hold=f"{part.name} · {part.title}", cell_at=round(beyond, 2))
        (sentence,) = told(at)
        assert "(cell_at)" in sentence
        assert f"allowed: {slider.min:g} to {slider.max:g}" in sentence
        assert len(pictures(at)) == 2
        assert values(at)["cell_at"] == 1.0


def test_a_value_follows_the_range_of_what_is_held() -> None:
    with quiet_log():
        at = visit(CELL, cell_hold="c · cell state", cell_at=-2.5)
        for held, value in (("g · candidate", -1.0), ("f · forget gate", 0.0)):
            set_control(at, "cell_hold", held)
            check_whole(at)
            assert values(at)["cell_at"] == value
            assert f"what if: {held[0]} = {value:g}" in captions(at)[0]


def test_units_and_steps_are_held_where_they_are_named_and_nowhere_else() -> None:
    at = visit(CELL, cell_hold="f · forget gate", cell_at=0, cell_units="3, 5-8", cell_steps="2; 24–25")
    check_whole(at)
    zero = sent(at).value("f") == 0
    assert zero.sum() == 15
    assert zero[[1, 23, 24]][:, [2, 4, 5, 6, 7]].all()
    assert all("what if: f = 0 at units 3, 5–8, steps 2, 24–25" in caption for caption in captions(at))


def test_silenced_units_carry_nothing() -> None:
    at = visit(CELL, cell_silent="1-3, 12")
    check_whole(at)
    for state in ("h", "c"):
        silent = (sent(at).value(state) == 0).all(axis=0)
        assert [k + 1 for k in silent.nonzero()[0]] == [1, 2, 3, 12]
    assert all("what if: units 1–3, 12 silenced" in caption for caption in captions(at))
    set_control(at, "cell_silent", "all")
    check_whole(at)
    assert not sent(at).value("h").any()


@pytest.mark.parametrize(
    ("link", "step", "value"),
    [
        ({"cell_edits": "3 = k"}, 3, "k"),
        ({"cell_edits": "25=␣"}, 25, " "),
        ({"cell_edits": "3 = 0.5", "cell_input": "Noise"}, 3, 0.5),
        ({"cell_edits": "60 = -1e3", "cell_input": "Noise"}, 60, -1000.0),
    ],
)
def test_a_changed_input_is_read(link: dict[str, str], step: int, value: str | float) -> None:
    at = visit(CELL, **link)
    check_whole(at)
    run = sent(at)
    if isinstance(value, str):
        assert run.head["symbols"][step - 1] == value
        assert run.head["features"][run.arrays["x"][step - 1].argmax()] == value
    else:
        assert run.arrays["x"][step - 1, 0] == value
    assert all(f"what if: input changed at {step}" in caption for caption in captions(at))


def test_all_of_it_at_once_and_then_nothing() -> None:
    at = visit(CELL, cell_hold="o · output gate", cell_silent="2", cell_edits="3 = k", cell_loss="every step")
    check_whole(at)
    wanted = "what if: o = 1; units 2 silenced; input changed at 3"
    assert all(wanted in caption for caption in captions(at))
    assert sent(at).head["loss"] == "every step"
    for key, value in (("cell_hold", "nothing"), ("cell_silent", ""), ("cell_edits", "")):
        set_control(at, key, value)
        check_whole(at)
    assert not any("what if" in caption for caption in captions(at))
    assert sent(at).head["delta"] == {}


NO_PLACES = ["0", "99", "5-3", "x", "1-", "-1", "1e3", "9" * 50, "½", "<b>", "3 = e", "1 2", "\x00", "3 | 4"]
NO_EDITS = ["3", "x", "= e", "0 = e", "26 = e", "3 = z", "3 == e", "3 = ", "3 = e 4 = s", "<b>", "\x00"]


@pytest.mark.parametrize(
    ("key", "typed", "what"),
    [
        *(("cell_units", typed, "Held unit") for typed in NO_PLACES),
        *(("cell_steps", typed, "Held step") for typed in NO_PLACES),
        *(("cell_silent", typed, "Silenced unit") for typed in NO_PLACES),
        *(("cell_edits", typed, "Changed input") for typed in NO_EDITS if typed != "3 = "),
        ("cell_edits", "3 = \U0001f642", "Changed input"),
    ],
    ids=lambda part: ascii(part)[:20],
)
def test_a_place_or_change_that_is_none_is_told_once_and_ignored(key: str, typed: str, what: str) -> None:
    hold = {"cell_hold": "f · forget gate"} if key in ("cell_units", "cell_steps") else {}
    at = visit(CELL, **hold)
    set_control(at, key, typed)
    assert [error.value for error in at.exception] == []
    (sentence,) = told(at)
    assert sentence.startswith(what)
    assert "allowed" in sentence
    assert sentence.endswith("It is ignored.")
    assert len(pictures(at)) == 2
    assert not any("what if" in caption for caption in captions(at))
    set_control(at, key, "")
    check_whole(at)


@pytest.mark.parametrize("typed", ["3 = nan", "3 = 1e7", "3 = e", "3 = ", "3 = 1,5", "61 = 1"])
def test_a_changed_number_that_is_none_is_told_once_and_ignored(typed: str) -> None:
    at = visit(CELL, cell_input="Noise", cell_edits=typed)
    (sentence,) = told(at)
    assert sentence.startswith("Changed input")
    assert sentence.endswith("It is ignored.")
    assert len(pictures(at)) == 2
    assert not any("what if" in caption for caption in captions(at))


@pytest.mark.parametrize("cell", ["RNN", "GRU"])
def test_a_hold_that_the_cell_has_not_is_told_once(cell: str) -> None:
    at = visit(CELL, cell_cell=cell, cell_hold="f · forget gate")
    (sentence,) = told(at)
    assert "(cell_hold)" in sentence
    assert "f · forget gate" in sentence
    assert len(pictures(at)) == 2
    assert values(at)["cell_hold"] == "nothing"
    assert not any("what if" in caption for caption in captions(at))


def test_a_hold_that_the_next_cell_has_not_ends() -> None:
    at = visit(CELL, cell_hold="f · forget gate")
    for cell in ("GRU", "RNN", "LSTM"):
        set_control(at, "cell_cell", cell)
        check_whole(at)
        assert values(at)["cell_hold"] == "nothing"
        assert not any("what if" in caption for caption in captions(at))


def test_a_text_that_shrinks_leaves_no_hold_beyond_its_end() -> None:
    at = visit(CELL, cell_hold="f · forget gate", cell_steps="20", cell_edits="24 = k")
    check_whole(at)
    set_control(at, "cell_text", "the cloud")
    assert [error.value for error in at.exception] == []
    assert len(pictures(at)) == 2
    assert len(told(at)) == 2


# Presenting --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.url)
@pytest.mark.parametrize(("raw", "on"), [("1", True), ("true", True), ("0", False), ("false", False)])
def test_a_link_presents(page: Page, raw: str, on: bool) -> None:
    at = visit(page, present=raw)
    assert [error.value for error in at.exception] == []
    assert told(at) == []
    assert values(at)["present"] is on
    assert at.query_params == ({"present": "1"} if on else {})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.url)
@pytest.mark.parametrize("raw", ["banana", "", "2", "True", ["1", "1"]], ids=repr)
def test_a_link_that_presents_badly_is_told_once(page: Page, raw: str | list[str]) -> None:
    at = visit(page, present=raw)
    assert [error.value for error in at.exception] == []
    (sentence,) = told(at)
    assert "(present)" in sentence
    assert sentence.endswith("Shown is the default.")
    assert values(at)["present"] is False
    assert at.query_params == {}
    assert told(at.run()) == []


def test_the_switch_holds_across_pages_and_leaves_the_link_when_off() -> None:
    at = visit(CELL)
    set_control(at, "present", True)
    for page in (CELL, FLOW, PAGES[0], CELL):
        go(at, page)
        assert told(at) == []
        assert (page.url, values(at)["present"]) == (page.url, True)
        assert at.query_params == {"present": "1"}
    set_control(at, "present", False)
    for page in (CELL, FLOW):
        go(at, page)
        assert values(at)["present"] is False
        assert at.query_params == {}


def test_presenting_shows_the_stepper_alone() -> None:
    at = visit(CELL, present=1, cell_t=5)
    check_whole(at, count=1)
    assert sent(at).head["start"]["t"] == 5
    set_control(at, "present", False)
    check_whole(at)
    assert values(at)["cell_t"] == 5


# Bad input ---------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("text", ["", "a", "🙂"])
def test_a_text_too_short_is_told_once_and_the_page_stays(page: Page, text: str) -> None:
    at = visit(page, **{f"{page.url}_input": "Text"})
    set_control(at, f"{page.url}_text", text)
    (sentence,) = told(at)
    assert f"{len(text)} character" in sentence
    assert "allowed" in sentence
    assert len(pictures(at)) == 2


STRANGE = [
    "🙂🙃",
    "👩‍👩‍👧 e\u0301",
    "a\x00b",
    "אבג",
    "<script>",
    "$x$ `a` **b**",
    "\\\\",
    '\'"""',
    "{t}",
    "  ",
    "aa",
]


@both
@pytest.mark.parametrize("text", STRANGE, ids=ascii)
def test_any_other_text_is_drawn(page: Page, text: str) -> None:
    at = visit(page, **{f"{page.url}_input": "Text", f"{page.url}_text": text})
    check_whole(at)


@both
@pytest.mark.parametrize(("name", "kind", "limit"), [("text", "Text", 400), ("numbers", "Numbers", 6000)])
def test_a_link_with_too_much_is_cut_and_says_so(page: Page, name: str, kind: str, limit: int) -> None:
    much = "1 2" + " " * 7000
    at = visit(page, **{f"{page.url}_input": kind, f"{page.url}_{name}": much})
    (sentence,) = told(at)
    assert f"{page.url}_{name}" in sentence
    assert str(limit) in sentence
    assert len(pictures(at)) == 2
    assert len(values(at)[f"{page.url}_{name}"]) == limit


@both
def test_more_numbers_than_the_page_can_show_are_cut_and_it_says_so(page: Page) -> None:
    at = visit(page, **{f"{page.url}_input": "Numbers", f"{page.url}_numbers": "1 2 " * 300})
    assert told(at) == ["The series has 600 numbers; the first 400 are used."]
    assert len(pictures(at)) == 2


@both
@pytest.mark.parametrize("typed", ["", "abc", "1 nan 2", "inf 1", "5", "1 2 <b>", "1e999 2", "1_0 2", "#"])
def test_numbers_that_are_none_are_told_once_and_the_page_stays(page: Page, typed: str) -> None:
    at = visit(page, **{f"{page.url}_input": "Numbers"})
    set_control(at, f"{page.url}_numbers", typed)
    (sentence,) = told(at)
    assert "allowed" in sentence
    assert len(pictures(at)) == 2
    set_control(at, f"{page.url}_numbers", "1 2 3")
    check_whole(at)


TABLES_OF_NOTHING = [
    "a",
    "a,b\n1,2",
    "x\n1\nnan\n2",
    "a;b\nx;y\nz;w",
    "5",
    "\n\n \n",
    "\x00\x01\n\x02",
    "a\n1\n\n2,3,4",
]


@both
@pytest.mark.parametrize("pasted", TABLES_OF_NOTHING, ids=ascii)
def test_a_pasted_table_without_numbers_is_told_once(page: Page, pasted: str) -> None:
    at = visit(page, **{f"{page.url}_input": "Numbers"})
    set_control(at, f"{page.url}_numbers_paste", pasted)
    assert [error.value for error in at.exception] == []
    assert len(pictures(at)) == 2
    (sentence,) = told(at)
    assert sentence.endswith(".")


@both
def test_a_pasted_column_becomes_the_link_s(page: Page) -> None:
    at = visit(page, **{f"{page.url}_input": "Numbers"})
    set_control(at, f"{page.url}_numbers_paste", "year;height\n2001;1,5\n2002;-2,25\n2003;1e-9")
    assert at.selectbox(key=f"{page.url}_numbers_column").options == ["year", "height"]
    at.button(key=f"{page.url}_numbers_use").click().run()
    check_whole(at)
    assert values(at)[f"{page.url}_numbers"] == "1.5 -2.25 1e-09"


@pytest.mark.parametrize("content", ["1\n" * 5_000_000, b"1\n" * 5_000_000], ids=["pasted", "uploaded"])
def test_ten_megabytes_are_refused_in_a_sentence(content: str | bytes) -> None:
    with pytest.raises(series.SeriesError, match=r"^The table has 9\.5 MB; allowed: up to 2 MB\.$"):
        series.read_table(content)
