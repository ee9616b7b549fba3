"""What training did to the hidden state: the same sequence before and after."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from rnnviz.charts import pixels
from rnnviz.charts.figure import Columns, Figure, layered
from rnnviz.charts.paint import paint
from rnnviz.charts.rows import Rows, of
from rnnviz.charts.strips import HOVER_LIMIT
from rnnviz.charts.theme import DIVERGING, QUANTITY, domain
from rnnviz.charts.words_along import Word, fitting, left_out, rare

if TYPE_CHECKING:
    from rnnviz.engine.trace import Trace

NAMES = ("kind", "x", "x2", "y", "y2", "url", "label", "ink")
CELLS = ("x", "x2", "y", "y2", "label")
# Places from the top, in strips: what is wanted, then each strip with the answers beneath it.
WANTED, TOPS, ANSWER, BOTTOM = 0.12, (0.3, 1.66), 1.14, 2.94


def before_after(
    before: Trace,
    after: Trace,
    answers: tuple[Sequence[str], Sequence[str]],
    wanted: Sequence[str],
    when: tuple[str, str],
    caption: str,
) -> Figure:
    """The hidden state on one sequence at two moments of training, and what is answered where.

    Args:
        before, after: runs over the same sequence, batch 1.
        answers: of each, what the model says at each step, T strings; read where something is wanted.
        wanted: T strings, empty where nothing is.
        when: the moments in words, as "before training" and "after 400 steps".
        caption: the configuration and seed.
    """
    states = tuple(run.states["h"][1:, 0].double().numpy() for run in (before, after))
    T, H = states[0].shape
    limit = scale_of(states)
    said = [tuple(a if w else "" for a, w in zip(own, wanted, strict=True)) for own in answers]
    shown = _columns_of(wanted, said)
    rows = Rows(NAMES)
    rows.add(2, kind="span", x=[0.5, T + 0.5], y=WANTED)
    _add_words(rows, "wanted", WANTED, shown, wanted)
    for top, h, moment, own in zip(TOPS, states, when, said, strict=True):
        url = pixels.address(paint(h.T, -limit, limit, DIVERGING))
        rows.add(1, kind="strip", x=0.5, x2=T + 0.5, y=top, y2=top + 1, url=url)
        rows.add(1, kind="when", y=top + 0.5, label=moment, ink="h")
        rows.add(1, kind="range", y=top + 0.5, label=f"{H} units, ±{limit:.3g}")
        _add_words(rows, "answer", top + ANSWER, shown, own)
    title = f"The hidden state on the same sequence, {when[0]} and {when[1]}"
    return Figure(
        stem="before-after",
        title=title,
        caption=caption + left_out("answers", wanted, shown),
        description=f"{title}: heat maps of {H} units over {T} steps. {_spoken(wanted, said, when)}",
        spec=_skeleton(),
        data=rows.columns,
        table={
            "step": np.repeat(np.arange(1, T + 1), H),
            "unit": np.tile(np.arange(1, H + 1), T),
            "h_before": states[0].ravel(),
            "h_after": states[1].ravel(),
            "wanted": np.repeat(np.array(wanted, dtype=str), H),
            "answer_before": np.repeat(np.array(said[0], dtype=str), H),
            "answer_after": np.repeat(np.array(said[1], dtype=str), H),
        },
        still={"cells": _cells(states, when)},
        height=380,
    )


def scale_of(states: Sequence[NDArray[np.float64]]) -> float:
    """Half the width of the scale of both: 1 while nothing is larger, else the largest finite value."""
    return max(1.0, *(float(np.abs(h[np.isfinite(h)]).max(initial=0.0)) for h in states))


def _columns_of(wanted: Sequence[str], said: Sequence[Sequence[str]]) -> list[Word]:
    """Where there is room for what is wanted and for both answers."""
    widest = [max(words, key=len) if words[0] else "" for words in zip(wanted, *said, strict=True)]
    return fitting(widest, rare(wanted, common=0.75))


def _add_words(rows: Rows, kind: str, y: float, shown: list[Word], words: Sequence[str]) -> None:
    """A row of words, and what it is."""
    at = [word.at for word in shown]
    labels = ["".join(words[t - 1] for t in word.steps) for word in shown]
    rows.add(len(at), kind=kind, x=at, y=y, label=labels, ink="h")
    rows.add(1, kind="name", y=y, label=kind)


def _cells(states: Sequence[NDArray[np.float64]], when: tuple[str, str]) -> Columns:
    """What each value is, for a pointer; nothing where there are too many."""
    rows = Rows(CELLS)
    T, H = states[0].shape
    if 2 * T * H <= HOVER_LIMIT:
        for top, h, moment in zip(TOPS, states, when, strict=True):
            rows.add(
                T * H,
                x=np.repeat(np.arange(T) + 0.5, H).tolist(),
                x2=np.repeat(np.arange(T) + 1.5, H).tolist(),
                y=np.tile(top + np.arange(H) / H, T).tolist(),
                y2=np.tile(top + np.arange(1, H + 1) / H, T).tolist(),
                label=[
                    f"{moment}, unit {unit}, step {t}: {value:.4g}"
                    for t, line in enumerate(h.tolist(), 1)
                    for unit, value in enumerate(line, 1)
                ],
            )
    return rows.columns


def _spoken(wanted: Sequence[str], said: Sequence[Sequence[str]], when: tuple[str, str]) -> str:
    """Wanted and answered, at the last dozen of steps where something is."""
    there = [k for k, word in enumerate(wanted) if word][-12:]
    told = [
        f"At step {k + 1}, {wanted[k]} is wanted; "
        f"the answer is {said[0][k]} {when[0]} and {said[1][k]} {when[1]}."
        for k in there
    ]
    return " ".join(told) if told else "Nothing is wanted."


@cache
def _skeleton() -> dict[str, Any]:
    x = alt.X("x:Q", title="step t").scale(nice=False, zero=False).axis(grid=False, tickMinStep=1)
    y = alt.Y("y:Q").scale(domain=[BOTTOM, 0], nice=False).axis(None)
    word = alt.Color("ink:N", legend=None).scale(domain=domain(QUANTITY, ["h"]))
    over = {"x": x, "x2": "x2:Q", "y": y, "y2": "y2:Q"}
    beside = {"x": alt.value(0), "y": y, "text": "label:N"}

    layers = [
        of("span").mark_point(opacity=0).encode(x=x, y=y),
        of("strip").mark_image(aspect=False, smooth=False).encode(**over, url="url:N"),
        of("wanted").mark_text(fontSize=15, fontWeight=600).encode(x=x, y=y, text="label:N", color=word),
        of("answer").mark_text(fontSize=15).encode(x=x, y=y, text="label:N", color=word),
        of("name").mark_text(align="right", dx=-14).encode(**beside),
        of("when")
        .mark_text(align="right", dx=-14, dy=-11, fontSize=15, fontWeight=600)
        .encode(**beside, color=word),
        of("range").mark_text(align="right", dx=-14, dy=11).encode(**beside),
        alt.Chart(alt.NamedData("cells"))
        .mark_rect(opacity=0)
        .encode(**over, tooltip=alt.Tooltip("label:N", title=" ")),
    ]
    return layered(layers, padding={"right": 8, "top": 4, "bottom": 4})
