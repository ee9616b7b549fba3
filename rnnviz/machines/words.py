"""What machines are told apart by and judged with, in words: names of units, weights as a table, verdicts."""

from __future__ import annotations

from rnnviz.machines.machine import Comparison, Machine

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def subscript(symbol: str, k: int) -> str:
    """A symbol with its number: h₁."""
    return f"{symbol}{k}".replace(str(k), str(k).translate(_SUBSCRIPTS))


def weight(value: float) -> str:
    """A weight as it was written; a dot for none."""
    return f"{value:.6g}".replace("-", "−") if value else "·"


def weight_table(machine: Machine) -> dict[str, list[str]]:
    """Column -> a text a row: what each block of each unit takes from the inputs, the last h and its bias."""
    spec, H = machine.spec, machine.H
    blocks = [(name, k) for name in spec.blocks for k in range(H)]
    table: dict[str, list[str]] = {"": [], "stands for": []}
    table |= {f"× {name}": [] for name in machine.inputs}
    table |= {f"× {subscript('h', k + 1)}′": [] for k in range(H)} | {"bias": []}
    titles = {gate.name: gate.title for gate in spec.gates}
    for (name, k), inputs, states, bias in zip(blocks, machine.W_ih, machine.W_hh, machine.bias, strict=True):
        said = titles.get(name, machine.units[k])
        values = [subscript(name, k + 1), said, *map(weight, (*inputs, *states, bias))]
        for column, value in zip(table.values(), values, strict=True):
            column.append(value)
    return table


def read_out(machine: Machine) -> str:
    """y = V s as sums of units: ``y = h₁ − 2 h₂``."""
    lines = []
    for k, row in enumerate(machine.V, 1):
        terms = [_term(value, subscript(machine.reads, j)) for j, value in enumerate(row, 1) if value]
        total = " ".join(terms).removeprefix("+ ").replace("− ", "−", 1 if terms[0][0] == "−" else 0)
        lines.append(f"{subscript('y', k) if len(machine.V) > 1 else 'y'} = {total}")
    return ", ".join(lines)


def _term(value: float, name: str) -> str:
    size = "" if abs(value) == 1 else f"{abs(value):.6g} "
    return f"{'+' if value > 0 else '−'} {size}{name}"


def verdict(found: Comparison) -> str:
    """Whether the outputs are those of the specification, in a sentence."""
    count = f"{found.count:,}"
    if found.wrong:
        return (
            f"{found.wrong:,} of {count} outputs are nearer to another number than to the specification's, "
            f"the first at step {found.first}; the largest difference is {found.largest:.3g}."
        )
    if found.largest:
        return (
            f"All {count} outputs are nearest to the specification's number; "
            f"the largest difference is {found.largest:.3g}."
        )
    return f"All {count} outputs equal the specification, exactly."
