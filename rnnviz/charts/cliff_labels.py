"""Free places for words on a map."""

from __future__ import annotations

import numpy as np

from rnnviz.charts.cliff_records import Array, Box

MARGIN = 0.05  # of the map's side: no word so near its edge
GAP = 0.055  # and none so near another, or a line that is to be seen


class Labels:
    """Where words stand, and what they must not cover; in shares of the map's sides."""

    def __init__(self, box: Box) -> None:
        """Nothing yet, on this window."""
        self._low = np.array([low for low, _ in box])
        self._size = np.array([high - low for low, high in box])
        self._words = np.empty((0, 2))
        self._lines = np.empty((0, 2))

    def keep_clear(self, points: Array) -> None:
        """Do not cover these, (n,2)."""
        self._lines = np.concatenate([self._lines, self._share(points)])

    def free(self, x: float, y: float) -> bool:
        """Whether a word fits here, beside the others; if so, it is taken to stand here."""
        here = self._share(np.array([[x, y]]))
        if len(self._words) and np.abs(self._words - here).max(1).min() < GAP:
            return False
        self._words = np.concatenate([self._words, here])
        return True

    def along(self, line: Array) -> Array | None:
        """The place on a line, (n,2), that is farthest from all else; None if even that is too near."""
        places = self._share(line)
        inner = ((places > MARGIN) & (places < 1 - MARGIN)).all(1)
        taken = np.concatenate([self._words, self._lines])
        room = np.full(len(places), np.inf)
        if len(taken):
            across, up = (np.abs(places[:, k, None] - taken[:, k]) for k in (0, 1))
            room = np.maximum(across, up).min(1)
        room = np.where(inner, room, -1.0)
        best = int(np.argmax(room))
        if room[best] < GAP:
            return None
        self._words = np.concatenate([self._words, places[best : best + 1]])
        place: Array = line[best]
        return place

    def _share(self, points: Array) -> Array:
        shares: Array = (points - self._low) / self._size
        return shares
