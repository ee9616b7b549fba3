"""The pages, in the order of the menu; a new page is one file in pages/ and one line here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2] / "pages"


@dataclass(frozen=True)
class Page:
    """A page: its file in pages/, its name in the menu and its address; the first one is Home."""

    path: str
    title: str
    url: str
    icon: str

    @property
    def file(self) -> Path:
        """Where its script is."""
        return ROOT / self.path


HOME = Page("home.py", "Home", "home", ":material/home:")
CELL = Page("inside_the_cell.py", "Inside the cell", "cell", ":material/memory:")
LAB = Page("memory_lab.py", "Memory lab", "lab", ":material/science:")
FAR = Page("how_far_back.py", "How far back?", "far", ":material/stacked_line_chart:")
RUNS = Page("runs.py", "Runs", "runs", ":material/inventory_2:")
FLOW = Page("gradient_flow.py", "Gradient flow", "flow", ":material/trending_down:")
ONE = Page("one_weight.py", "One weight", "one", ":material/looks_one:")
CLIFF = Page("the_cliff.py", "The cliff", "cliff", ":material/landscape:")
DYNAMICS = Page("dynamics.py", "Dynamics", "dyn", ":material/cyclone:")

PAGES: tuple[Page, ...] = (HOME, CELL, ONE, FLOW, CLIFF, DYNAMICS, LAB, FAR, RUNS)
