"""Reads what the stepper is sent, as the browser would: written from the format's description alone."""

import json
import struct

import numpy as np


def _refuse(word):
    raise AssertionError(f"the header says {word}, which is no JSON")


class Payload:
    """The header as ``head``, the arrays by name as ``arrays``, and where each lies as ``spans``.

    Everything read by name comes as (T,H): ``h_prev`` is what step t finds, ``h`` what it leaves.
    """

    def __init__(self, data):
        (self.size,) = struct.unpack_from("<I", data)
        self.head = json.loads(data[4 : 4 + self.size].decode(), parse_constant=_refuse)
        self.data, self.start = data, 4 + self.size
        self.arrays, self.spans = {}, {}
        for name, (kind, shape, offset) in self.head["arrays"].items():
            assert kind in ("f4", "f8")
            count, first = int(np.prod(shape)), self.start + offset
            self.arrays[name] = np.frombuffer(data, "<" + kind, count, first).reshape(shape)
            self.spans[name] = (first, first + count * int(kind[1]))
        self.T, self.H = self.head["T"], self.head["H"]
        self.nodes = {node["name"]: node for node in self.head["graph"]["nodes"]}

    def value(self, name):
        """(T,H): what step t has under this name, ``_prev`` and ``_next`` as well."""
        base, _, when = name.partition("_")
        if when in ("prev", "next") and base in self.head["states"]:
            whole = self.arrays[base]
            return (whole[:-1] if when == "prev" else whole[1:]).astype(float)
        values = self.arrays[name]
        assert len(values) == self.T + (name in self.head["states"])
        return values[-self.T :].astype(float)

    def rows(self, node):
        """Where a node's block lies in the stacked matrices."""
        k = self.head["blocks"].index(self.nodes[node]["block"])
        return slice(k * self.H, (k + 1) * self.H)

    def term(self, of):
        """(T,H): a term by its ``of``, as `tokens` documents it."""
        if isinstance(of, str):
            return self.value(of)
        node, part = of
        rows, total = self.rows(node), np.zeros((self.T, self.H))
        if part == "bias":
            return total + sum(self.arrays[bias][rows].astype(float) for bias in self.nodes[node]["biases"])
        wires = [e for e in self.head["graph"]["edges"] if e["target"] == node and e["weight"] == part]
        assert wires
        return total + sum(
            self.value(e["source"]) @ self.arrays[part][rows].astype(float).T for e in wires
        )

    def terms(self, name):
        """The terms on an equation's right-hand side, in order, (T,H) each."""
        result, equals, *rest = self.head["equations"][name]
        assert result["of"] == name
        assert equals == {"op": "="}
        return [self.term(token["of"]) for token in rest if "of" in token]

    def right_hand_side(self, name):
        """An equation computed as it is written: its operators between its terms' numbers, (T,H)."""
        words, terms = [], iter(self.terms(name))
        numbers = {}
        for token in self.head["equations"][name][2:]:
            if "op" in token:
                words.append(token["op"])
            else:
                numbers[f"v{len(numbers)}"] = next(terms)
                words.append(("+ " if token.get("signed") else "") + f"v{len(numbers) - 1}")
        formula = " ".join(words).replace("·", "*").replace("⊙", "*").replace("−", "-").replace("σ(", "sigma(")
        functions = {"sigma": lambda a: 1 / (1 + np.exp(-a)), "tanh": np.tanh, "max": np.maximum}
        return eval(formula, {"__builtins__": {}}, {**functions, **numbers})

    def written(self, name):
        """An equation's symbols in one line, without the spaces between them."""
        signs = (
            ("+" if token.get("signed") else "") + token.get("op", token.get("symbol"))
            for token in self.head["equations"][name]
        )
        return "".join("".join(signs).split())
