"""The cliff's scripts print its tables, to the last bits, and need PyTorch only."""

import ast
import csv
import io
import subprocess
import sys

import numpy as np
import pytest

from rnnviz.charts.cliff_contour import contour
from rnnviz.charts.cliff_records import Surface
from rnnviz.charts.figure import Formula
from rnnviz.cliff import Descent, Unit, descend, ends_on, surface, wall
from rnnviz.cliff_script import surface_script, ways_script
from rnnviz.ui.cliff_controls import WINDOWS

# The last hits the wall so often that a last bit more or less would end elsewhere.
CASES = {
    "usual": (Unit(), Descent(4.75, -1.5, 0.5, 1.0), 60),
    "tanh": (Unit("tanh", 17, 0.35), Descent(1.75, -0.85, 0.5, 0.2), 25),
    "tanh chaos": (Unit("tanh", 100), Descent(2.3, -0.6, 1.0, 2.0), 120),
    "two steps": (Unit(steps=2, target=0.05), Descent(4.0, -2.0, 10.0, 0.01), 1),
    "chaos": (Unit(steps=100), Descent(5.25, -2.5, 2.0, 5.0), 200),
}


def printed(script, folder):
    file = folder / "script.py"
    file.write_text(script, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-I", "-W", "error", file],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=folder,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    rows = list(csv.DictReader(io.StringIO(ran.stdout)))
    return {name: [row[name] for row in rows] for name in rows[0]}


def same(columns, table):
    assert list(columns) == list(table)
    for name, values in table.items():
        if name == "way":
            assert columns[name] == list(values)
        else:
            np.testing.assert_allclose([float(v) for v in columns[name]], values, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("case", CASES)
def test_the_surface_script_prints_the_surface(case, tmp_path):
    unit, _, _ = CASES[case]
    box = WINDOWS[unit.activation]["wide"]
    ground = surface(ends_on(unit, box), unit.target, box)
    same(printed(surface_script(unit, box, "A “title”", 'a \\ "caption"'), tmp_path), ground.table)


@pytest.mark.parametrize("case", CASES)
def test_the_ways_script_prints_both_ways(case, tmp_path):
    unit, descent, updates = CASES[case]
    ways = descend(unit, [Descent(descent.w, descent.b, descent.lr), descent], updates)
    box = WINDOWS[unit.activation]["close"]
    w, b = (np.linspace(*side, 3) for side in box)
    ground = Surface(w, b, *(np.zeros((3, 3)) for _ in range(3)))
    figure = contour(ground, wall(unit, box), ways, Formula("E", "E"), "caption")
    same(printed(ways_script(unit, descent, updates, "title", "caption"), tmp_path), figure.table)


def test_scripts_import_torch_only_and_no_words_break_out_of_them():
    unit, descent, updates = CASES["usual"]
    hostile = '"""\nimport os\n\\'
    for script in (
        surface_script(unit, WINDOWS["sigmoid"]["usual"], hostile, hostile),
        ways_script(unit, descent, updates, hostile, hostile),
    ):
        tree = ast.parse(script)
        names = {
            name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in ([node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
        }
        assert names == {"__future__", "torch"}
        assert "import os" in ast.get_docstring(tree, clean=False)
