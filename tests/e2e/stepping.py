"""The stepper as a visitor reads and moves it, and the engine that its numbers are judged by."""

import re
from dataclasses import dataclass, field
from functools import cached_property, partial
from string import Formatter
from typing import Any
from urllib.parse import urlencode

import torch
from playwright.sync_api import Page

from rnnviz.engine import CellSpec, Clamp, bptt, unroll, wires
from rnnviz.engine.graph import AFFINE
from rnnviz.engine.trace import GradTrace, Trace
from rnnviz.engine.wires import WireTrace
from rnnviz.experiment import Input, Model, loss_on
from rnnviz.ui.controls import OPTION_NAMES
from tests.e2e.browser import settle

TEXT = "the clouds are in the sky"
T, H = len(TEXT), 12  # as the page begins
STRONG = {"cell_init": "Spectral radius", "cell_radius": "1.5"}  # numbers worth comparing
PAUSE = 250  # milliseconds of stillness before the link follows
# A re-run must not remount anything; so what is marked stays marked.
_TAP = """(root, [names, gap]) => new Promise(done => {
  const seen = [], tap = () => {
    seen.push(location.href)
    const key = names[seen.length - 1]
    if (!key) return done(seen)
    const event = new KeyboardEvent("keydown", { key, bubbles: true, composed: true })
    root.querySelector(".time").dispatchEvent(event)
    setTimeout(tap, gap)
  }
  tap()
})"""
MARK = "root => { root.marked = true; root.querySelector('svg').marked = true }"

# Listeners that outlive what added them: those of an abort signal, and those on the document and window.
COUNT = """(() => {
  const { addEventListener: add, removeEventListener: remove } = EventTarget.prototype
  const global = new Map()
  const name = (target, type, options) =>
    `${target === window} ${type} ${Boolean(options?.capture ?? options)}`
  window.signalled = 0
  window.listening = () => [window.signalled, [...global.values()].reduce((sum, acts) => sum + acts.size, 0)]
  EventTarget.prototype.addEventListener = function (type, act, options) {
    const { signal } = options ?? {}
    if (signal && !signal.aborted) {
      window.signalled++
      add.call(signal, "abort", () => window.signalled--, { once: true })
    } else if (this === document || this === window) {
      const key = name(this, type, options)
      global.set(key, (global.get(key) ?? new Set()).add(act))
    }
    return add.call(this, type, act, options)
  }
  EventTarget.prototype.removeEventListener = function (type, act, options) {
    if (this === document || this === window) global.get(name(this, type, options))?.delete(act)
    return remove.call(this, type, act, options)
  }
})()"""

_SEE = """root => {
  const all = (query, make) => [...root.querySelectorAll(query)].map(make)
  const text = el => el?.textContent ?? ""
  const signed = number => {
    const before = number.previousElementSibling
    const sign = before && !before.classList.contains("math") && /^[+−]$/.test(text(before))
    return (sign ? text(before) : "") + text(number)
  }
  return {
    t: parseInt(text(root.querySelector(".step")).slice(4)),
    unit: parseInt(text(root.querySelector(".facts .unit")).slice(5)),
    state: root.dataset.state,
    headline: text(root.querySelector(".headline")),
    spoken: root.querySelector(".time").getAttribute("aria-valuetext"),
    pressed: Object.fromEntries(all("[aria-pressed=true]", el =>
      [el.parentElement.dataset.name, el.dataset.value])),
    nodes: Object.fromEntries(all("g.node[data-node]", el =>
      [el.dataset.node, text(el.querySelector(".number"))])),
    dim: all("g.node.dim", el => el.dataset.node),
    equations: Object.fromEntries(all("g.equation", el =>
      [el.dataset.open, [...el.querySelectorAll("text.number[data-of]")].map(signed)])),
    opened: all("g.equation.opened", el => el.dataset.open),
    rows: all(".panel g.row:not([class~=direct]):not([class~=gates]):not([class~=loss])", el =>
      [["total", "soft"].find(kind => el.classList.contains(kind)) ?? "row",
        ...[...el.querySelectorAll("text")].map(text)]),
    parts: Object.fromEntries(all(".panel > [data-of], .panel g.row [data-of]", el =>
      [el.dataset.of, text(el)])),
  }
}"""
# Everything written in the picture but what lies under the pointer.
_PICTURE = """root => ({
  texts: [...root.querySelectorAll(".stage svg text:not(.readout)")].map(el => el.textContent),
  pressed: [...root.querySelectorAll("[aria-pressed=true]")].map(el => el.textContent),
  scale: root.querySelector("[name=scale]").value,
  strips: root.querySelector(".stage canvas").toDataURL(),
  cursor: root.querySelector(".cursor").getAttribute("transform"),
})"""


def link(spec: CellSpec, **more: str) -> str:
    """The address of a cell under its conventions."""
    options = {f"cell_{name}": OPTION_NAMES.get(value, value) for name, value in spec.options}
    return "/cell?" + urlencode({"cell_cell": spec.title, **options, **more})


def open_stepper(page: Page, address: str) -> None:
    """Go there and wait until the picture stands."""
    page.goto(address)
    page.locator(".stepper .headline:not(:empty)").wait_for()
    settle(page)


def see(page: Page) -> dict[str, Any]:
    """All that is written, and what is pressed, dim or opened."""
    found: dict[str, Any] = page.locator(".stepper").evaluate(_SEE)
    return found


def picture(page: Page) -> dict[str, Any]:
    """What a link must bring back."""
    page.wait_for_timeout(600)  # copies slide, the cursor glides
    found: dict[str, Any] = page.locator(".stepper").evaluate(_PICTURE)
    return found


def keys(page: Page, *names: str) -> None:
    """Press keys in the stepper."""
    page.locator(".stepper .time").focus()
    for name in names:
        page.keyboard.press(name)


def tap(page: Page, gap: int, *names: str) -> list[str]:
    """Press keys at a pace that a busy machine does not disturb; the address before each and after all."""
    seen: list[str] = page.locator(".stepper").evaluate(_TAP, [list(names), gap])
    return seen


def go(page: Page, t: int, unit: int) -> None:
    """Walk to a step and unit by the keyboard, from wherever it stands."""
    now = see(page)
    sideways = "ArrowRight" if t > now["t"] else "ArrowLeft"
    upright = "ArrowDown" if unit > now["unit"] else "ArrowUp"
    keys(page, *[sideways] * abs(t - now["t"]), *[upright] * abs(unit - now["unit"]))


def spot(page: Page, strip: int, t: int, unit: int, T: int, H: int) -> tuple[float, float]:
    """Where on the page a strip's cell is."""
    box = page.locator(".stepper .strip-frame").nth(strip).bounding_box()
    assert box
    width, height = box["width"] - 2, box["height"] - 2  # the frame stands around it
    return box["x"] + 1 + (t - 0.5) * width / T, box["y"] + 1 + (unit - 0.5) * height / H


def press_button(page: Page, group: str, value: str) -> None:
    page.locator(f".stepper .{group} button[data-value='{value}']").click()


def linger(page: Page) -> None:
    """Stand still until the link has followed and the page has run again."""
    page.wait_for_timeout(PAUSE + 100)
    settle(page)


_DIGITS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")
_FORM = re.compile(r"[+−]?(\d{1,3}\.\d{3}|\d\.\d\d·10⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)")


def agrees(text: str, want: float, slack: float = 0.0) -> bool:
    """Whether a printed number is this one, to the digits shown; `slack` is what rounding may add."""
    if not _FORM.fullmatch(text):
        return False
    digits, _, power = text.removeprefix("+").translate(_DIGITS).partition("·10")
    unit = 10.0 ** int(power or 0)
    half = 0.005 * unit if power else 0.0005
    short = 1e-6 * (abs(want) if power else max(1.0, abs(want)))  # it travelled as float32
    return abs(float(digits) * unit - want) <= half + short + slack


@dataclass(frozen=True)
class Sum:
    """An affine node at one unit: its products (matrix, from 0, weight, value), bias and all together."""

    products: list[tuple[str, int, float, float]]
    bias: float
    total: float


@dataclass(frozen=True)
class Oracle:
    """The engine's own run of what a page shows."""

    model: Model
    source: Input = field(default_factory=lambda: Input("text", len(TEXT), text=TEXT))
    loss: str = "last"
    clamp: tuple[Clamp, ...] = ()
    edits: tuple[tuple[int, str], ...] = ()  # (step, character)

    @property
    def spec(self) -> CellSpec:
        return self.model.spec

    @cached_property
    def symbols(self) -> list[str]:
        symbols = list(self.source.signal().symbols)
        for step, character in self.edits:
            symbols[step - 1] = character
        return symbols

    @cached_property
    def x(self) -> torch.Tensor:
        x = self.source.signal().x.clone()
        alphabet = sorted(set(self.source.text))
        for step, character in self.edits:
            x[step - 1, 0] = torch.eye(len(alphabet), dtype=x.dtype)[alphabet.index(character)]
        return x

    @cached_property
    def params(self) -> dict[str, torch.Tensor]:
        return self.model.params(self.x.shape[2])

    @cached_property
    def trace(self) -> Trace:
        return unroll(self.spec, self.params, self.x, clamp=self.clamp)

    @cached_property
    def gradients(self) -> GradTrace:
        return bptt(self.spec, self.params, self.x, partial(loss_on, self.loss), clamp=self.clamp)

    @cached_property
    def wires(self) -> WireTrace:
        return wires(self.spec, self.params, self.trace, self.gradients, self.clamp)

    def value(self, name: str, t: int, unit: int) -> float:
        """What a node carries, forward; t and unit from 1."""
        base, _, when = name.rpartition("_")
        if when in ("prev", "next", "out") and base in self.trace.states:
            found = self.trace.states[base][t - (when == "prev")]
        elif name in self.trace.states:
            found = self.trace.states[name][t]
        else:
            found = (self.trace.gates if name in self.trace.gates else self.wires.values)[name][t - 1]
        return float(found[0, unit - 1])

    def gradient(self, name: str, t: int, unit: int) -> float:
        """dL/dnode; of an exit, what comes back in through it."""
        base, _, when = name.rpartition("_")
        if when == "next":
            found = self.wires.d_edges[base, name][t - 1]
        elif when == "prev":
            found = self.gradients.d_states[base][t - 1]
        elif name in self.trace.states:
            found = self.gradients.d_states[name][t]
        else:
            found = self.wires.d_nodes[name][t - 1]
        return float(found[0, unit - 1])

    def equation(self, name: str, t: int, unit: int) -> list[float]:
        """The left side and every term of the right, as ``spec.terms`` has them."""
        states = {key: value[t - 1] for key, value in self.trace.states.items()}
        gates = {key: value[t - 1] for key, value in self.trace.gates.items()}
        terms = self.spec.terms(self.x[t - 1], states, gates, self.params)
        line = next(one for one in self.spec.equations if one.name == name)
        named = [part for _, part, _, _ in Formatter().parse(line.numbers) if part]
        right = [
            float(terms[part][0, unit - 1]) if part in terms else self.value(part, t, unit) for part in named
        ]
        return [self.value(name, t, unit), *right]

    def sums(self, block: str, t: int, unit: int) -> list[Sum]:
        """The affine nodes of a block."""
        spec, found = self.spec, []
        row = spec.blocks.index(block) * self.model.hidden_size + unit - 1
        for node in spec.graph.nodes:
            if node.op != AFFINE or node.block != block:
                continue
            products: list[tuple[str, int, float, float]] = []
            for edge in spec.graph.into(node.name):
                vectors = {"x": self.x[t - 1], "h_prev": self.trace.states["h"][t - 1]}
                vector = (
                    vectors[edge.source] if edge.source in vectors else self.wires.values[edge.source][t - 1]
                )
                weights = self.params[edge.weight][row]
                products += [
                    (edge.weight, j, float(w), float(v))
                    for j, (w, v) in enumerate(zip(weights, vector[0], strict=True))
                ]
            bias = sum(float(self.params[name][row]) for name in node.biases)
            found.append(Sum(products, bias, sum(w * v for _, _, w, v in products) + bias))
        return found


def oracle_of(spec: CellSpec, bias: float = 1.0, **more: Any) -> Oracle:
    """The engine's run behind a link with `STRONG`; what more it holds are fields of `Oracle`."""
    return Oracle(Model(spec.name, spec.options, H, 4, "scaled", (("radius", 1.5),), bias), **more)
