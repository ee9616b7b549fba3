"""What “The cliff” computes, each part kept under what it depends on.

A surface is kept without its target, which it takes by the chain rule. All learning rates and thresholds go
down at once, one model each, as that costs little more than two: their sliders compute nothing.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from math import inf

import numpy as np
import torch

from rnnviz import cliff
from rnnviz.charts.cliff import cliff as scene_of
from rnnviz.charts.cliff_contour import contour as contour_of
from rnnviz.charts.cliff_records import Box, Surface, Wall, Way
from rnnviz.charts.figure import Figure
from rnnviz.charts.scene import Scene
from rnnviz.cliff import Ends, Leg, Unit
from rnnviz.ui.cliff_controls import CLIPS, LRS, Asked

LEG = 20  # updates that are computed together
KINDS = tuple(product(LRS, (inf, *CLIPS)))  # η and θ of every descent


@lru_cache(maxsize=32)
def _ends(activation: str, steps: int, box: Box) -> Ends:
    return cliff.ends_on(Unit(activation, steps), box)


@lru_cache(maxsize=32)
def surface(unit: Unit, box: Box) -> Surface:
    """The error surface over a window."""
    return cliff.surface(_ends(unit.activation, unit.steps, box), unit.target, box)


@lru_cache(maxsize=32)
def wall(unit: Unit, box: Box) -> Wall:
    """Where x₀ repels."""
    return cliff.wall(unit, box)


@lru_cache(maxsize=256)
def _leg(unit: Unit, start: tuple[float, float], k: int) -> Leg:
    """The k-th LEG updates of every descent from here."""
    lrs, clips = torch.tensor(KINDS, dtype=torch.float64).unbind(1)
    if k:
        before = _leg(unit, start, k - 1)
        return cliff.leg(unit, before.w, before.b, lrs, clips, LEG)
    w, b = (torch.full((len(KINDS),), value, dtype=torch.float64) for value in start)
    return cliff.leg(unit, w, b, lrs, clips, LEG)


def ways(asked: Asked) -> tuple[Way, Way]:
    """Both ways down, without clipping and with."""
    legs = [_leg(asked.unit, asked.start, k).record for k in range(asked.updates // LEG + 1)]
    record = [np.concatenate(column)[: asked.updates + 1] for column in zip(*legs, strict=True)]
    free, clipped = (KINDS.index((asked.lr, clip)) for clip in (inf, asked.clip))
    return cliff.way(record, free, None), cliff.way(record, clipped, asked.clip)


@lru_cache(maxsize=64)
def scene(asked: Asked, dark: bool) -> Scene:
    """The surface in three dimensions."""
    ground, line = surface(asked.unit, asked.box), wall(asked.unit, asked.box)
    return scene_of(ground, line, ways(asked), asked.formula, asked.caption, dark)


@lru_cache(maxsize=64)
def contour(asked: Asked) -> Figure:
    """The surface from above."""
    ground, line = surface(asked.unit, asked.box), wall(asked.unit, asked.box)
    return contour_of(ground, line, ways(asked), asked.formula, asked.caption)
