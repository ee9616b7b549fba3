"""In the making."""

from __future__ import annotations

from rnnviz.ui.state import Control

MACHINES: dict[str, Control] = {}


def draw() -> None:
    """The whole tab."""
