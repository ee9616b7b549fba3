"""Functions of this package as lines of a script that has nothing of this package in it.

A function is printed as it stands, behind everything that it calls: what a script measures is then what
is measured here, whatever a task brings along.
"""

from __future__ import annotations

import ast
import inspect
import math
import sys
from collections.abc import Callable, Iterable
from functools import partial
from textwrap import dedent
from types import FunctionType, ModuleType

OURS = __name__.partition(".")[0]
_TITLES = {"sklearn": "scikit-learn", "numpy": "NumPy"}


class Sources:
    """What functions need, each thing once, in an order that runs."""

    def __init__(self, imports: str, given: Iterable[str], reserved: Iterable[str]) -> None:
        """Start from nothing.

        Args:
            imports: lines that the script has anyway.
            given: names that the script explains itself.
            reserved: names that the script needs for something else.
        """
        self.blocks: list[str] = []
        self._imports: dict[str, set[str]] = {}  # "import" or "from … import" -> what
        self._known: dict[str, object] = dict.fromkeys(given)  # None: whatever it is called here
        self._known |= {name: object() for name in reserved}
        self.add(imports)

    @property
    def imports(self) -> str:
        """The import lines, the standard library's first."""
        lines = [
            f"{head} {what}"
            for head, names in sorted(self._imports.items(), key=lambda item: (item[0] != "import", item))
            for what in (sorted(names) if head == "import" else [", ".join(sorted(names))])
        ]
        own = [line for line in lines if _package(line) in sys.stdlib_module_names]
        return "\n".join([*own, "", *(line for line in lines if line not in own)])

    @property
    def needs(self) -> str:
        """What has to be installed."""
        packages = {_package(line) for line in self.imports.splitlines() if line}
        titles = sorted(_TITLES.get(name, name) for name in packages - sys.stdlib_module_names - {"torch"})
        return " and ".join(["PyTorch", *titles]) if titles else "PyTorch only"

    def add(self, part: Callable[..., object] | str) -> None:
        """Print a function with what it needs, or lines as they are."""
        if not isinstance(part, str):
            self.expression(part)
            return
        for statement in ast.parse(part).body:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                head = (
                    f"from {statement.module} import" if isinstance(statement, ast.ImportFrom) else "import"
                )
                for alias in statement.names:
                    self._imports.setdefault(head, set()).add(ast.unparse(alias))
                names = [alias.asname or alias.name for alias in statement.names]
            elif isinstance(statement, ast.FunctionDef):
                names = [statement.name]
            else:
                names = [node.id for node in ast.walk(statement) if _stores(node)]  # type: ignore[attr-defined]
            for name in names:
                self._take(name, None)
        rest = [line for line in part.splitlines() if not line.startswith(("import ", "from "))]
        if text := "\n".join(rest).strip():
            self.blocks.append(text)

    def expression(self, value: object) -> str:
        """How the script says a value, everything printed that it takes.

        Raises:
            ValueError: for what cannot be said in a line, as a lambda.
        """
        if isinstance(value, partial):
            self.add("from functools import partial")
            said = [self.expression(part) for part in (value.func, *value.args)]
            said += [f"{name}={self.expression(part)}" for name, part in value.keywords.items()]
            return f"partial({', '.join(said)})"
        if not callable(value):
            return (
                f'float("{value}")' if isinstance(value, float) and not math.isfinite(value) else repr(value)
            )
        function = inspect.unwrap(value)
        if not isinstance(function, FunctionType) or function.__name__ == "<lambda>":
            raise ValueError(f"value is {value!r}; allowed: what has a name and a source")
        if "<locals>" in function.__qualname__:
            return self._made(function)
        self._define(function)
        return function.__name__

    def call(self, value: Callable[..., object], *given: str) -> str:
        """How the script calls a function, first arguments that it has already included."""
        first: list[str] = []
        if isinstance(value, partial) and not value.keywords:
            first, value = [self.expression(part) for part in value.args], value.func
        return f"{self.expression(value)}({', '.join([*first, *given])})"

    def _made(self, function: FunctionType) -> str:
        """A function that another one returned, as the call that returns it."""
        factory = function.__globals__[function.__qualname__.partition(".")[0]]
        kept = inspect.getclosurevars(function).nonlocals
        if set(kept) != set(inspect.signature(factory).parameters):
            raise ValueError(
                f"{function.__qualname__} keeps {', '.join(kept)}; allowed: its maker's arguments"
            )
        self._define(factory)
        said = ", ".join(f"{name}={self.expression(value)}" for name, value in kept.items())
        return f"{factory.__name__}({said})"

    def _define(self, function: FunctionType) -> None:
        if not self._take(function.__name__, function):
            return
        source = dedent(inspect.getsource(function))
        for name in _free_names(source):
            if name in function.__globals__:
                self._need(name, function.__globals__[name])
        self.blocks.append(source.strip())

    def _need(self, name: str, value: object) -> None:
        """Whatever a function calls by a name that is not its own."""
        if isinstance(value, ModuleType):
            self.add(f"import {value.__name__}" + f" as {name}" * (name != value.__name__))
        elif name in vars(math) and vars(math)[name] is value:
            self.add(f"from math import {name}")
        elif callable(value) and value.__module__.partition(".")[0] != OURS:
            self.add(f"from {_public(name, value)} import {name}")
        elif callable(value) and not isinstance(value, type):
            self._define(inspect.unwrap(value))
        elif self._take(name, value):
            self.blocks.append(f"{name} = {self.expression(value)}")

    def _take(self, name: str, value: object) -> bool:
        """Whether a name is new; it must not stand for two things."""
        if name not in self._known:
            self._known[name] = value
            return True
        if value is not None and self._known[name] not in (None, value):
            raise ValueError(f"The script has two things of the name {name}; allowed: one.")
        return False


def _package(line: str) -> str:
    return line.split()[1].partition(".")[0]


def _public(name: str, value: object) -> str:
    """Where people import it from: `torch`, not the module inside that it was made in."""
    package = value.__module__.partition(".")[0]
    return package if getattr(sys.modules[package], name, None) is value else value.__module__


def _stores(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _free_names(source: str) -> list[str]:
    """What a function reads and does not itself assign, annotations included, in order."""
    nodes = list(ast.walk(ast.parse(source)))
    own = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    own |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    own |= {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    read = (node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))
    return [name for name in dict.fromkeys(read) if name not in own]
