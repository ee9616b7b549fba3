"""The pages, in the order of the menu; a new page is one file in pages/ and one line here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2] / "pages"


@dataclass(frozen=True)
class Page:
    """A page: its file in pages/, its name in the menu and its address; the first one is Home.

    Pages of one ``group`` stand together behind its name, so that the menu fits a small screen; those of
    none stand in the menu itself.
    """

    path: str
    title: str
    url: str
    icon: str
    group: str = ""

    @property
    def file(self) -> Path:
        """Where its script is."""
        return ROOT / self.path


HOME = Page("home.py", "Home", "home", ":material/home:")
CELL = Page("inside_the_cell.py", "Inside the cell", "cell", ":material/memory:")
LAB = Page("memory_lab.py", "Memory lab", "lab", ":material/science:", "Training")
FAR = Page("how_far_back.py", "How far back?", "far", ":material/stacked_line_chart:", "Training")
RUNS = Page("runs.py", "Runs", "runs", ":material/inventory_2:", "Training")
FLOW = Page("gradient_flow.py", "Gradient flow", "flow", ":material/trending_down:", "Gradients")
ONE = Page("one_weight.py", "One weight", "one", ":material/looks_one:", "Gradients")
CLIFF = Page("the_cliff.py", "The cliff", "cliff", ":material/landscape:", "Gradients")
DYNAMICS = Page("dynamics.py", "Dynamics", "dyn", ":material/cyclone:")

PAGES: tuple[Page, ...] = (HOME, CELL, DYNAMICS, ONE, FLOW, CLIFF, LAB, FAR, RUNS)
