"""What each step adds to a gradient, as it is and under each remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from rnnviz.charts import log_axis
from rnnviz.charts.figure import Figure, Formula, layered
from rnnviz.charts.log_lines import NAMES, Line, add_lines, line_layers
from rnnviz.charts.rows import MARKS, Rows
from rnnviz.charts.tips import TIPS, strips, table

BACK = "steps back from the end, T − t"
FORMULA = Formula(
    r"\frac{\partial L}{\partial W_{hh}} = \sum_{t=1}^{T} "
    r"\left(\frac{\partial L}{\partial W_{hh}}\right)_{t},\qquad "
    r"\text{drawn: } \left\lVert \left(\frac{\partial L}{\partial W_{hh}}\right)_{t} \right\rVert",
    "∂L/∂W_hh = Σₜ (∂L/∂W_hh)ₜ, drawn: ‖(∂L/∂W_hh)ₜ‖",
)


@dataclass(frozen=True)
class Share:
    """What each step adds under one remedy.

    Attributes:
        remedy: a name in `rnnviz.charts.theme.REMEDY`.
        name: as written at the line's end.
        logs: ln ‖(∂L/∂W_hh)_t‖ for t = 1…T, (T,); -inf for an exact zero.
    """

    remedy: str
    name: str
    logs: NDArray[np.float64]

    @property
    def ends(self) -> tuple[int, int] | None:
        """The first and the last step, counted from 1, that add something; None where none does."""
        some = np.flatnonzero(~np.isneginf(self.logs))
        return (int(some[0]) + 1, int(some[-1]) + 1) if len(some) else None


def contributions(shares: Sequence[Share], cell_title: str, caption: str) -> Figure:
    """‖(∂L/∂W_hh)_t‖ against steps back, a line a remedy.

    Args:
        shares: the plain run's first; all of one length.
        cell_title: whose.
        caption: the configuration and seed.
    """
    T = len(shares[0].logs)
    back = np.arange(T - 1, -1, -1)
    marks = Rows(NAMES)
    lines = [Line(s.remedy, s.name, back[::-1].astype(float), s.logs[::-1]) for s in shares]
    points = add_lines(marks, lines)
    every = np.concatenate([share.logs for share in shares])
    with np.errstate(over="ignore"):  # the table says inf, and beside it the logarithm
        norms = np.exp(every)
    title = "What does each step add to dL/dW_hh?"
    first = [f"{s.name} {_first(s)}" for s in shares]
    return Figure(
        stem="contributions",
        title=title,
        caption=caption,
        description=f"{title} {cell_title}, log axis. "
        f"The earliest step that adds something: {'; '.join(first)}.",
        spec=_skeleton(),
        data=points,
        still={MARKS: marks.columns, TIPS: table([(s.name, "", range(T), s.numbers) for s in lines])},
        table={
            "remedy": np.repeat([s.remedy for s in shares], T),
            "step": np.tile(np.arange(1, T + 1), len(shares)),
            "steps_back": np.tile(back, len(shares)),
            "norm": norms,
            "log10_norm": every / np.log(10),
        },
        height=400,
        formula=FORMULA,
    )


def _first(share: Share) -> str:
    if share.ends is None:
        return "none: every step adds exactly 0"
    t = share.ends[0]
    return f"t = {t}, {log_axis.number(float(share.logs[t - 1] / np.log(10)))}"


@cache
def _skeleton() -> dict[str, Any]:
    x = alt.X("x:Q", title=BACK).scale(nice=False, zero=True).axis(grid=False, tickMinStep=1)
    layers = [*line_layers(x, "‖(∂L/∂W_hh)ₜ‖"), strips()]
    return layered(layers, padding={"right": 8, "top": 8, "bottom": 4})
