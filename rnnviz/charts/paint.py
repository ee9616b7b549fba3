"""Numbers to pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def paint(
    values: NDArray[np.floating[Any]], low: float, high: float, stops: Sequence[str]
) -> NDArray[np.uint8]:
    """Values to colours, linear between ``stops`` from ``low`` to ``high``; (M,N) -> (M,N,3).

    Values outside are drawn at the end of the scale, not-a-number in black: both can be seen.
    """
    anchors = np.array([[int(stop[k : k + 2], 16) for k in (1, 3, 5)] for stop in stops], dtype=float)
    place = np.clip((values - low) / (high - low), 0, 1)
    grid = np.linspace(0, 1, len(stops))
    colours = np.stack([np.interp(place, grid, anchors[:, k]) for k in range(3)], -1)
    colours[np.isnan(values)] = 0
    return colours.round().astype(np.uint8)
