"""The house rules: who imports whom, where colours live, what must be registered, how long a file is."""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ANY = frozenset({"*"})

# Part of the house -> what it may import from the house, and from outside beyond the standard library.
# The most specific part counts, every part may import itself, and only UPSTAIRS may import the ui.
PARTS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "rnnviz/engine": (frozenset(), frozenset({"torch", "numpy"})),
    # A configuration names its task; everything else of the engine sees the contract, rnnviz.engine.task.
    "rnnviz/engine/train_config.py": (
        frozenset({"rnnviz.engine", "rnnviz.tasks"}),
        frozenset({"torch", "numpy"}),
    ),
    "rnnviz/tasks": (frozenset({"rnnviz.engine"}), frozenset({"torch", "numpy"})),
    "rnnviz/charts": (frozenset({"rnnviz.engine"}), ANY),
    "rnnviz/ui": (frozenset({"rnnviz"}), ANY),
    "rnnviz": (frozenset({"rnnviz"}), ANY),
    "pages": (frozenset({"rnnviz"}), ANY),
    "app.py": (frozenset({"rnnviz"}), ANY),
}
UPSTAIRS = ("rnnviz/ui", "pages", "app.py")
STREAMLIT_LIVES_IN = ("app.py", "pages/", "rnnviz/ui/")
COLOURS_LIVE_IN = "rnnviz/charts/theme.py"
CELLS_LIVE_IN = "rnnviz/engine/cells/"
LONGEST = 300  # lines


def files(root: Path) -> list[str]:
    """Every Python file of the product, tests aside."""
    found = [*root.glob("*.py"), *root.glob("rnnviz/**/*.py"), *root.glob("pages/**/*.py")]
    return sorted(path.relative_to(root).as_posix() for path in found)


def tree_of(root: Path, file: str) -> ast.Module:
    return ast.parse((root / file).read_text(encoding="utf-8"), file)


def imports(root: Path, file: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything imported, at the top or inside a function."""
    package = Path(file).parent.parts
    for node in ast.walk(tree_of(root, file)):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                above = package[: len(package) - level + 1] if level else ()
                base = ".".join([*above, *([module] if module else [])])
                yield from ((node.lineno, f"{base}.{alias.name}") for alias in names)
            case ast.Call(
                func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__")
            ):
                yield from ((node.lineno, arg.value) for arg in node.args if is_text(arg))


def is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def within(name: str, packages: Iterable[str]) -> bool:
    return any(package == "*" or f"{name}.".startswith(f"{package}.") for package in packages)


def wrong_arrows(root: Path) -> list[str]:
    wrong = []
    for file in files(root):
        part = max((p for p in PARTS if file == p or file.startswith(f"{p}/")), key=len, default=None)
        if part is None:
            wrong.append(f"{file}:1: belongs to no part of the house; known: {', '.join(PARTS)}")
            continue
        house, outside = PARTS[part]
        itself = part.replace("/", ".") if "/" in part else part.removesuffix(".py")
        for line, name in imports(root, file):
            top = name.split(".")[0]
            allowed = house | {itself} if top in ("rnnviz", "pages", "app", "tests") else outside
            upward = part not in UPSTAIRS and within(name, ["rnnviz.ui"])
            if top not in sys.stdlib_module_names and (upward or not within(name, allowed)):
                known = ", ".join(sorted(allowed)) + (" but not rnnviz.ui" if upward else "")
                wrong.append(f"{file}:{line}: {part} imports {name}; allowed: {known}")
    return wrong


def stray_streamlit(root: Path) -> list[str]:
    return [
        f"{file}:{line}: imports {name}; streamlit lives in {', '.join(STREAMLIT_LIVES_IN)}"
        for file in files(root)
        if not file.startswith(STREAMLIT_LIVES_IN)
        for line, name in imports(root, file)
        if within(name, ["streamlit"])
    ]


def named_cells(root: Path, names: set[str]) -> list[str]:
    """Comparisons with a cell's name, outside of the cells' own files."""
    found = []
    for file in files(root):
        if file.startswith(CELLS_LIVE_IN):
            continue
        for node in ast.walk(tree_of(root, file)):
            match node:
                case ast.Compare(left=left, comparators=others):
                    sides = [left, *others]
                case ast.MatchValue(value=value):
                    sides = [value]
                case _:
                    continue
            texts = {leaf.value for side in sides for leaf in elements(side) if is_text(leaf)}
            found += [
                f"{file}:{node.lineno}: compares with the cell name {name!r}; let the spec say what differs"
                for name in sorted(texts & names)
            ]
    return found


def elements(side: ast.expr) -> list[ast.expr]:
    return side.elts if isinstance(side, ast.Tuple | ast.List | ast.Set) else [side]


def stray_colours(root: Path) -> list[str]:
    colour = re.compile(r"#(?:[0-9a-f]{8}|[0-9a-f]{6})(?![0-9a-z])", re.IGNORECASE)
    return [
        f"{file}:{node.lineno}: colour {found}; colours live in {COLOURS_LIVE_IN}"
        for file in files(root)
        if file != COLOURS_LIVE_IN
        for node in ast.walk(tree_of(root, file))
        if is_text(node)
        for found in colour.findall(node.value)
    ]


def test_imports_run_one_way() -> None:
    wrong = wrong_arrows(ROOT)
    assert not wrong, "\n".join(wrong)


def test_streamlit_lives_in_the_ui() -> None:
    stray = stray_streamlit(ROOT)
    assert not stray, "\n".join(stray)


def test_no_code_asks_which_cell_it_has() -> None:
    from rnnviz.engine.cells import CELLS

    found = named_cells(ROOT, set(CELLS))
    assert not found, "\n".join(found)


def test_colours_live_in_the_theme() -> None:
    stray = stray_colours(ROOT)
    assert not stray, "\n".join(stray)


def test_every_cell_is_registered() -> None:
    from rnnviz.engine.cells import CELLS

    def home(step: object) -> str:
        return home(step.func) if isinstance(step, partial) else str(step.__module__)

    there = {f"rnnviz.engine.cells.{path.stem}" for path in (ROOT / CELLS_LIVE_IN).glob("[!_]*.py")}
    missing = there - {home(spec.step) for spec in CELLS.values()}
    assert not missing, f"in no line of CELLS, {CELLS_LIVE_IN}__init__.py: {', '.join(sorted(missing))}"


def test_every_page_is_registered() -> None:
    from rnnviz.ui.pages import PAGES

    there = {path.name for path in (ROOT / "pages").glob("*.py")}
    listed = {Path(page.path).name for page in PAGES}
    assert there == listed, f"pages/ and PAGES in rnnviz/ui/pages.py differ by {sorted(there ^ listed)}"


def test_no_file_is_too_long() -> None:
    lengths = {file: len((ROOT / file).read_text(encoding="utf-8").splitlines()) for file in files(ROOT)}
    long = [
        f"{file}:{LONGEST + 1}: {lines} lines, more than {LONGEST}"
        for file, lines in lengths.items()
        if lines > LONGEST
    ]
    assert not long, "\n".join(long)


def test_the_rules_can_fail(tmp_path: Path) -> None:
    made_up = {
        "app.py": "import rnnviz.ui.router\nimport streamlit\n",
        "pages/a.py": "import rnnviz.ui\nimport app\n",
        "rnnviz/engine/a.py": "import torch\nfrom ..charts import theme\ndef f():\n    import pandas\n",
        "rnnviz/engine/b.py": "from rnnviz.engine import a\nfrom . import a as b\nfrom rnnviz import ui\n",
        "rnnviz/charts/a.py": "from rnnviz.engine import a\nimport altair\nfrom streamlit import cache\n",
        "rnnviz/export.py": "import importlib\nimportlib.import_module('rnnviz.ui.state')\nINK = '#1a1f2b'\n",
        "rnnviz/ui/a.py": "def f(cell):\n    return cell == 'lstm' or cell.name in ('gru', 'other')\n",
    }
    for name, text in made_up.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    def places(messages: list[str]) -> list[str]:
        return [":".join(message.split(":")[:2]) for message in messages]

    assert places(wrong_arrows(tmp_path)) == [
        "pages/a.py:2",
        "rnnviz/engine/a.py:2",
        "rnnviz/engine/a.py:4",
        "rnnviz/engine/b.py:3",
        "rnnviz/export.py:2",
    ]
    assert places(stray_streamlit(tmp_path)) == ["rnnviz/charts/a.py:3"]
    assert places(named_cells(tmp_path, {"lstm", "gru"})) == ["rnnviz/ui/a.py:2"] * 2
    assert places(stray_colours(tmp_path)) == ["rnnviz/export.py:3"]
