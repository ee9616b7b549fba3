"""Every page with every cell, convention, input and scheme, at its sliders' ends, and with bad input."""

from itertools import product

import pytest

from rnnviz import series
from rnnviz.engine import CELLS
from rnnviz.ui import controls
from rnnviz.ui.pages import CELL, FLOW, PAGES, Page
from tests.pages.visit import check_whole, pictures, quiet_log, set_control, told, values, visit

TABLES = {"cell": controls.CELL, "flow": controls.FLOW}
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
FLOW_LINKS = conventions(sorted({name for spec in CELLS.values() for name, _ in spec.choices}), "flow")


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
