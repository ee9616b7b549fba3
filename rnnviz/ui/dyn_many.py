"""In the making."""

from __future__ import annotations

from rnnviz.ui.state import Control

MANY: dict[str, Control] = {}


def draw() -> None:
    """The whole tab."""
