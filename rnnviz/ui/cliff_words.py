"""What “The cliff” says beneath its pictures."""

from __future__ import annotations

import numpy as np

from rnnviz.charts.cliff_records import Surface, Wall, Way
from rnnviz.charts.cliff_ways import name_of, point, said
from rnnviz.ui.cliff_controls import Asked


def facts(surface: Surface, wall: Wall, ways: tuple[Way, Way]) -> str:
    """The largest gradient, and what each way came to."""
    largest, w, b = surface.steepest()
    steep = f"Largest ‖∇E‖ of the points drawn: **{said(largest)}** at {point(w, b)}."
    top = wall.steepest()
    if top and top[0] > largest:
        steep += f" On the wall itself, between them, it reaches **{said(top[0])}** at {point(*top[1:])}."
    return "\n".join(f"- {line}" for line in (steep, *map(_fact, ways)))


def _fact(way: Way) -> str:
    last = len(way.w) - 1
    if way.broken_at is not None:
        return f"{name_of(way).capitalize()}: after update {way.broken_at} something is no finite number."
    clipped = "" if way.clip is None else f"; {way.clipped_updates} of {last} updates were clipped"
    return f"{name_of(way).capitalize()}: **E = {said(float(way.E[last]))}** after update {last}{clipped}."


def answer(asked: Asked, free: Way, clipped: Way) -> str:
    """What the steepest step of the way without clipping does, beside the same step clipped."""
    used = free.norm[:-1]
    if not np.isfinite(used).any():
        return "No gradient of this way is a finite number."
    k = int(np.nanargmax(used))
    norm, length = float(used[k]), asked.lr * float(used[k])
    here, there = (point(float(free.w[n]), float(free.b[n])) for n in (k, k + 1))
    one = (
        f"The steepest ground that the way without clipping meets is at update {k}: {here}, where "
        f"‖∇E‖ = {said(norm)}. One step of η‖∇E‖ = {said(asked.lr)} · {said(norm)} = {said(length)} leads to "
        f"{there}. There E = {said(float(free.E[k + 1]))} and ‖∇E‖ = {said(float(free.norm[k + 1]))}"
    )
    if norm <= asked.clip:
        return f"{one}. No gradient here is above θ = {asked.clip:g}: both ways are the same."
    far = float(free.norm[k + 1]) < 1e-3 * norm
    one += ": an exploded gradient, and behind it a vanished one." if far else "."
    return (
        f"{one}\n\nClipped at θ = {asked.clip:g}, a step keeps its direction and is never longer than "
        f"ηθ = {said(asked.lr * asked.clip)}: the ball is pushed off the wall, not thrown out of the valley. "
        "Clipping leaves small gradients as small as they are: it cures exploding, not vanishing."
    )
