"""A cell's equations for the stepper: symbols without LaTeX's commands, and where each term's value is."""

from __future__ import annotations

from string import Formatter
from typing import Any

from rnnviz.engine import CellSpec, Equation
from rnnviz.engine.graph import AFFINE

# LaTeX of the equations as characters; subscripts stay, for the stepper to set.
_UNICODE = (
    (r"\left(", "("),
    (r"\right)", ")"),
    (r"\sigma", "σ"),
    (r"\tanh", "tanh"),
    (r"\max", "max"),
    (r"\odot", "⊙"),
    (r"\cdot", "·"),
)


def plain_symbols(latex: str) -> str:
    """Lecture notation without LaTeX's commands: ``f_t ⊙ c_{t-1}``."""
    for command, character in _UNICODE:
        latex = latex.replace(command, character)
    return " ".join(latex.replace("-1}", "−1}").replace(" - ", " − ").replace("·", " · ").split())


def tokens(spec: CellSpec, equation: Equation) -> list[dict[str, Any]]:
    """An equation as operators and terms, each term with its symbol and where its value comes from.

    A term is ``{"symbol", "of", "signed"}`` where ``of`` names a value, or one part of a sum as
    ``[node, matrix]`` or ``[node, "bias"]``; ``signed`` asks for its sign as an operator.
    """
    found: list[dict[str, Any]] = [{"symbol": f"{equation.name}_t", "of": equation.name}, {"op": "="}]
    symbols = dict(spec.symbols)
    for text, name, form, _ in Formatter().parse(equation.numbers):
        words = plain_symbols(text)
        if words:
            found.append({"op": words})
        if name:
            symbol = symbols.get(name) or _symbol(name)
            term: dict[str, Any] = {"symbol": plain_symbols(symbol), "of": _where(spec, name)}
            found.append({**term, "signed": True} if form == "+" else term)
    return found


def _symbol(name: str) -> str:
    part, _, block = name.partition("_")
    if block == "prev":
        return f"{part}_{{t-1}}"
    return {"Wx": f"W_{block} x_t", "Uh": f"U_{block} h_{{t-1}}", "b": f"b_{block}"}.get(part, f"{name}_t")


def _where(spec: CellSpec, name: str) -> str | list[str]:
    """Where the stepper finds a term: a value by name, or a part of an affine node."""
    part, _, block = name.partition("_")
    if part not in ("Wx", "Uh", "b") or not block:
        return name
    sums = [node for node in spec.graph.nodes if node.op == AFFINE and node.block == block]

    def fed_by(matrix: str) -> str:
        return next(n.name for n in sums if any(e.weight == matrix for e in spec.graph.into(n.name)))

    if part == "Uh":
        node = fed_by("W_hh")
        return [node, "W_hh"] if node == fed_by("W_ih") else node
    return [fed_by("W_ih"), "W_ih" if part == "Wx" else "bias"]
