"""Every number that the stepper shows is the engine's, for every cell and convention."""

import random
from typing import Any

import pytest
import torch
from playwright.sync_api import Page

from rnnviz.engine import CELLS, CellSpec
from rnnviz.engine.graph import AFFINE
from rnnviz.engine.torch_io import to_torch
from rnnviz.experiment import Input, Model
from rnnviz.home_record import MODEL
from tests.e2e.browser import settle
from tests.e2e.reading import choose, press, type_in
from tests.e2e.stepping import (
    COUNT,
    MARK,
    STRONG,
    TEXT,
    H,
    Oracle,
    T,
    agrees,
    go,
    keys,
    link,
    open_stepper,
    oracle_of,
    press_button,
    see,
    spot,
)
from tests.engine.oracle import IN_TORCH, VARIANTS, name_of

_CHANGES = """root => {
  window.changes = 0
  const watch = new MutationObserver(records => window.changes += records.length)
  for (const node of [".stage", ".stage svg"]) watch.observe(root.querySelector(node), { childList: true })
  watch.observe(root.querySelector("canvas"), { attributes: true })
}"""
# Of the residual networks one: what else they are is in the plain ones.
RESIDUAL = [spec for spec in VARIANTS if ("connection", "residual") in spec.options]
SHOWN = [spec for spec in VARIANTS if spec not in RESIDUAL[1:]]
every_cell = pytest.mark.parametrize("spec", SHOWN, ids=name_of)


def places(seed: str, n: int) -> list[tuple[int, int]]:
    dice = random.Random(seed)
    return [(dice.randint(1, T), dice.randint(1, H)) for _ in range(n)]


def assert_nodes(seen: dict[str, Any], want: Any, where: Any) -> None:
    shown = {name: text for name, text in seen["nodes"].items() if text and name != "x"}
    wrong = {name: (text, want(name)) for name, text in shown.items() if not agrees(text, want(name))}
    assert not wrong, (where, wrong)


def assert_equations(seen: dict[str, Any], oracle: Oracle, t: int, unit: int) -> None:
    for name, texts in seen["equations"].items():
        want = oracle.equation(name, t, unit)
        assert len(texts) == len(want), (name, texts, want)
        wrong = [pair for pair in zip(texts, want, strict=True) if not agrees(*pair)]
        assert not wrong, (name, t, unit, texts, want)


def called(oracle: Oracle, matrix: str, j: int, before: bool) -> str:
    if matrix == "W_hh":
        return f"r·h{j + 1}" if before else f"h{j + 1}"
    letter = sorted(set(oracle.source.text))[j] if oracle.symbols else ""
    return f"x“{letter.replace(' ', '␣')}”" if letter else "x"


def assert_sums(seen: dict[str, Any], oracle: Oracle, block: str, t: int, unit: int) -> None:
    """The opened sums: largest products first, the rest in one line, bias, and Torch's sum."""
    wanted, rows = oracle.sums(block, t, unit), [row for row in seen["rows"] if any(row[1:])]
    before = block == "n" and dict(oracle.spec.options).get("reset") == "before"
    for one in wanted:
        end = next(k for k, row in enumerate(rows) if row[0] == "total")
        part, rows = rows[: end + 1], rows[end + 1 :]
        ordered = sorted((p for p in one.products if p[2] * p[3]), key=lambda p: -abs(p[2] * p[3]))
        shown = [row for row in part if row[0] == "row"]
        assert shown or not ordered, (block, part)
        for row, (matrix, j, w, v) in zip(shown, ordered, strict=False):
            _, name, factors, product = row
            assert name.replace(" ", "") == called(oracle, matrix, j, before), (row, ordered)
            first, second = factors.split(" × ")
            assert agrees(first, w), (row, w)
            assert agrees(second, v), (row, v)
            assert agrees(product, w * v), (row, w * v)
        rest = [p[2] * p[3] for p in ordered[len(shown) :]]
        said = next((row for row in part if row[1].endswith(" more")), None)
        if rest:
            assert said, part
            assert said[1] == f"{len(rest)} more"
            assert agrees(said[-1], sum(rest)), (said, sum(rest))
        else:
            assert said is None or said[1:] == ["no more", "", ""], part
        bias = next((row for row in part if row[1] == "bias"), None)
        assert agrees(bias[-1], one.bias) if bias else one.bias == 0
        assert part[-1][1] == f"sum, unit {unit}"
        assert agrees(part[-1][-1], one.total), (part[-1], one.total)
    assert not rows


def lit(spec: CellSpec, stage: int) -> set[str]:
    """The nodes that a sub-step computes, and those that feed them; of those that are drawn."""
    stages = {node.name: node.stage for node in spec.graph.nodes}
    feeding = {edge.source for edge in spec.graph.edges if stages[edge.target] == stage}
    own = {name for name, at in stages.items() if at == stage}
    return {node.name for node in spec.graph.nodes if node.at and node.name in own | feeding}


@pytest.mark.parametrize("spec", IN_TORCH, ids=name_of)
def test_the_oracle_is_torch_s(spec: CellSpec) -> None:
    oracle = oracle_of(spec)
    with torch.no_grad():
        h, _ = to_torch(spec, oracle.params)(oracle.x)
    torch.testing.assert_close(h, oracle.trace.states["h"][1:], rtol=0, atol=1e-12)


@every_cell
def test_numbers_forward_in_every_sub_step_and_backward(page: Page, spec: CellSpec) -> None:
    open_stepper(page, link(spec, **STRONG, cell_loss="every step"))
    forward(page, spec)
    press_button(page, "directions", "back")
    backward(page, oracle_of(spec, loss="all"))
    choose(page, "cell_loss", "the last step")
    backward(page, oracle_of(spec))


def backward(page: Page, oracle: Oracle) -> None:
    """Gradients of every node and, of each state, its parts: straight along, through gates, from the loss."""
    for t, unit in [*places(f"{name_of(oracle.spec)} {oracle.loss}", 2), (1, 2), (T, 5)]:
        go(page, t, unit)
        seen = see(page)
        assert seen["pressed"]["directions"] == "back"
        assert_nodes(
            seen, lambda name, t=t, unit=unit: oracle.gradient(name, t, unit), (oracle.loss, t, unit)
        )
        assert_parts(seen["parts"], oracle, t, unit)


def forward(page: Page, spec: CellSpec) -> None:
    oracle = oracle_of(spec)
    drawn = {node.name for node in spec.graph.nodes if node.at}
    titles = page.locator(".stepper .stages button").all_inner_texts()
    assert titles == ["Whole step", *(f"{k} {one.title}" for k, one in enumerate(spec.stages, 1))]
    for t, unit in places(name_of(spec), 4):
        go(page, t, unit)
        seen = see(page)
        assert (seen["t"], seen["unit"]) == (t, unit)
        assert set(seen["nodes"]) == drawn
        assert seen["dim"] == []
        assert seen["nodes"]["x"] == f"= “{TEXT[t - 1].replace(' ', '␣')}”"
        assert_nodes(seen, lambda name, t=t, unit=unit: oracle.value(name, t, unit), (t, unit))
        assert list(seen["equations"]) == [line.name for line in spec.equations]
        assert_equations(seen, oracle, t, unit)

    for stage, about in enumerate(spec.stages, 1):
        press_button(page, "stages", str(stage))
        for t, unit in places(f"{name_of(spec)} {stage}", 2):
            x, y = spot(page, 0, t, unit, T, H)
            page.mouse.click(x, y)
            seen = see(page)
            assert (seen["t"], seen["unit"], seen["pressed"]["stages"]) == (t, unit, str(stage))
            assert drawn - set(seen["dim"]) == lit(spec, stage)
            assert seen["headline"] == about.sentence
            assert list(seen["equations"]) == list(about.equations)
            assert_nodes(seen, lambda name, t=t, unit=unit: oracle.value(name, t, unit), (t, unit))
            assert_equations(seen, oracle, t, unit)
            for name in (name for name in about.equations if name in spec.blocks):
                page.locator(f".stepper g.equation[data-open={name}] text").first.click()
                seen = see(page)
                assert seen["opened"] == [name]
                assert_sums(seen, oracle, name, t, unit)


def assert_parts(parts: dict[str, str], oracle: Oracle, t: int, unit: int) -> None:
    for state in oracle.spec.state_names:
        u = unit - 1
        d = {key: value[:, 0, u] for key, value in oracle.gradients.d_states.items()}
        total = float(d[state][t - 1])
        straight = straight_share(oracle, state, t, unit) * float(d[state][t])
        asked = H**-0.5 if oracle.loss == "all" and state == "h" and t > 1 else 0.0
        asked_here = oracle.loss == "all" and state == "h"
        want = {
            f"d:{state}_prev": total,
            f"direct:{state}": straight,
            f"gates:{state}": total - straight - asked,
        }
        want |= {"loss:h": asked} if asked_here else {}
        assert {key for key in parts if key.split(":")[1] in (state, f"{state}_prev")} == set(want)
        rounding = 1e-13 * (abs(total) + abs(straight) + asked)
        for key, value in want.items():
            assert agrees(parts[key], value, rounding), (key, t, unit, parts, want)


def straight_share(oracle: Oracle, state: str, t: int, unit: int) -> float:
    """∂s_t/∂s_{t-1} past every matrix, from the cells' papers."""
    name, options = oracle.spec.name, dict(oracle.spec.options)
    if options.get("connection") == "residual":
        return 1.0
    if name == "lstm" and state == "c":
        return oracle.value("f", t, unit)
    if name == "gru":
        z = oracle.value("z", t, unit)
        return z if options["z"] == "keeps" else 1 - z
    return 0.0


def test_in_an_lstm_the_direct_wires_are_the_cell_state_s_line(page: Page) -> None:
    open_stepper(page, link(CELLS["lstm"], cell_direction="backward"))
    direct = page.locator(".stepper g.wire.direct title").all_text_contents()
    assert sorted(direct) == ["c → ct", "ct−1 → ft ⊙ ct−1", "ft ⊙ ct−1 → c"]


def test_a_series_as_input(page: Page) -> None:
    spec = CELLS["gru"].with_options(reset="before")
    open_stepper(page, link(spec, **STRONG, cell_input="Sine", cell_T="30"))
    oracle = oracle_of(spec, source=Input("sine", 30))
    for t, unit in [(3, 2), (29, 11)]:
        go(page, t, unit)
        seen = see(page)
        assert agrees(seen["nodes"]["x"].removeprefix("= "), float(oracle.x[t - 1]))
        assert_nodes(seen, lambda name, t=t, unit=unit: oracle.value(name, t, unit), (t, unit))
        assert_equations(seen, oracle, t, unit)
    press_button(page, "stages", "2")
    assert_sums(see(page), oracle, "n", 29, 11)


def test_home_shows_its_run(page: Page) -> None:
    page.goto("/")
    settle(page)
    oracle = Oracle(MODEL)
    keys(page, "Home")
    for t, unit in [(1, 3), *places("home", 4)]:
        go(page, t, unit)
        seen = see(page)
        assert_nodes(seen, lambda name, t=t, unit=unit: oracle.value(name, t, unit), (t, unit))
        assert_equations(seen, oracle, t, unit)
    keys(page, "b")
    for t, unit in places("home back", 4):
        go(page, t, unit)
        seen = see(page)
        assert_nodes(seen, lambda name, t=t, unit=unit: oracle.gradient(name, t, unit), (t, unit))
        assert_parts(seen["parts"], oracle, t, unit)


@every_cell
def test_every_affine_node_can_be_opened(spec: CellSpec) -> None:
    assert {node.block for node in spec.graph.nodes if node.op == AFFINE} == set(spec.blocks)


def test_a_shorter_text_takes_the_cursor_along(page: Page) -> None:
    open_stepper(page, link(CELLS["lstm"]))
    cell = page.locator(".stepper")
    cell.evaluate(MARK)
    type_in(page, "cell_text", "abcd")
    assert (see(page)["t"], see(page)["unit"]) == (4, 3)
    assert cell.locator(".step").inner_text() == "t = 4 / 4"
    assert cell.evaluate("root => root.marked")
    keys(page, "ArrowLeft")
    short = Oracle(Model("lstm", (), H, 4, "torch", (), 1.0), Input("text", 4, text="abcd"))
    assert_nodes(see(page), lambda name: short.value(name, 3, 3), "abcd")


def test_reruns_leave_place_picture_and_listeners_alone(page: Page) -> None:
    page.add_init_script(COUNT)
    open_stepper(page, link(CELLS["lstm"]))
    root = page.locator(".stepper")
    go(page, 9, 7)
    press_button(page, "stages", "2")
    page.wait_for_timeout(400)
    settle(page)
    root.evaluate(MARK)
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("r")
    settle(page)
    before, listening = see(page), page.evaluate("window.listening()")
    assert listening[0] > 10
    root.evaluate(_CHANGES)
    for _ in range(40):
        page.keyboard.press("r")
        settle(page, 60)
    assert page.evaluate("window.changes") == 0
    for name in ["every step", "the last step"] * 5:
        choose(page, "cell_loss", name)
    press(page, "cell_fbias", "ArrowRight", "ArrowLeft")
    assert see(page) == before
    assert root.evaluate("root => root.marked && root.querySelector('svg').marked")
    page.evaluate("document.activeElement.blur()")
    page.wait_for_timeout(300)
    signalled, others = page.evaluate("window.listening()")
    assert signalled == listening[0]  # the component's own
    assert others < listening[1] + 10  # Streamlit's menus leave one or another
