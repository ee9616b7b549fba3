"""Gradient flow's tab “Spectrum”: what the recurrent matrix, and the run as a whole, do to directions."""

from __future__ import annotations

from functools import partial

import streamlit as st

from rnnviz.charts.eigenvalues import Matrix, eigenvalues
from rnnviz.charts.exponents import Exponents, exponents
from rnnviz.charts.singular_values import singular_values
from rnnviz.engine import CELLS, CellSpec
from rnnviz.experiment import Model, caption_of
from rnnviz.spectrum_script import lyapunov_script, matrix_script, singular_script
from rnnviz.ui import cached, flow_spectrum_cached, layout
from rnnviz.ui.flow_controls import Asked
from rnnviz.ui.state import Choice, Control

BLOCKS = {name: spec for name, spec in CELLS.items() if len(spec.blocks) > 1}
EQUAL = 1e-9  # relative: ρ and σ_max of a matrix that is normal up to rounding

CONTROLS: dict[str, Control] = {
    "cell": Choice("flow_matrix", "Cell", "RNN", options={spec.title: name for name, spec in CELLS.items()}),
    # Each cell keeps its own while others are looked at.
    **{
        f"block of {name}": Choice(
            f"flow_block_{name}",
            "Block of W_hh",
            spec.blocks[-1],
            "One matrix for each gate and candidate.",
            options={block: k for k, block in enumerate(spec.blocks)},
            row=True,
        )
        for name, spec in BLOCKS.items()
    },
    "over": Choice(
        "flow_over",
        "Over the whole run",
        "singular values over lag",
        options={"singular values over lag": False, "Lyapunov spectrum": True},
    ),
}


def draw(asked: Asked) -> None:
    """The matrix, what it means, and the run's own spectrum."""
    left, right = st.columns([2, 3])
    with left:
        cell = CONTROLS["cell"].draw()
    model = next(model for model in asked.models if model.cell == cell)
    with right:
        block = CONTROLS[f"block of {cell}"].draw() if cell in BLOCKS else 0
    _matrix(asked, model, block)
    if CONTROLS["over"].draw():
        _exponents(asked)
    else:
        _singular_values(asked, model)


def _matrix(asked: Asked, model: Model, block: int) -> None:
    found, caption = flow_spectrum_cached.matrix(model, asked.source, block), caption_of([model])
    figure = eigenvalues(found, caption)
    code = partial(matrix_script, model, asked.source, block, figure.title, caption)
    layout.figure(figure, {**asked.configuration, "matrix": found.title}, code)
    st.markdown(why(found, model))


def _singular_values(asked: Asked, model: Model) -> None:
    found = flow_spectrum_cached.spectra(model, asked.source)
    caption = _run(asked, [model])
    figure = singular_values(found, caption)
    lags = flow_spectrum_cached.lags_of(asked.T)
    code = partial(singular_script, model, asked.source, lags, figure.title, caption)
    layout.figure(figure, {**asked.configuration, "cell": model.cell}, code)


def _exponents(asked: Asked) -> None:
    found = [flow_spectrum_cached.exponents(model, asked.source) for model in asked.models]
    caption = _run(asked, asked.models)
    figure = exponents(found, caption)
    code = partial(
        lyapunov_script, asked.models, asked.source, flow_spectrum_cached.EVERY, figure.title, caption
    )
    layout.figure(figure, asked.configuration, code)
    st.markdown("\n".join(f"- **{one.title}**: {meaning(one)}." for one in found))


def _run(asked: Asked, models: list[Model] | tuple[Model, ...]) -> str:
    return f"{caption_of(models)} · {cached.sequence(asked.source).caption} · T = {asked.T}"


def why(matrix: Matrix, model: Model) -> str:
    """Why both numbers matter, of this matrix."""
    rho, sigma = matrix.radius, matrix.norm
    both = (
        rf"$\rho$ = {rho:.4g} says what many steps do, $\sigma_{{\max}}$ = {sigma:.4g} what one step can do. "
    )
    if abs(sigma - rho) <= EQUAL * max(sigma, 1.0):
        here = "Here they are equal: no direction grows first and vanishes later."
    elif abs(rho - 1) <= EQUAL:
        here = (
            r"Here $\rho = 1 < \sigma_{\max}$: multiplied with this matrix alone, some change stays for ever."
        )
    elif rho < 1 < sigma:
        here = (
            rf"Here $\rho < 1 < \sigma_{{\max}}$: a change can grow at first, by up to {sigma:.3g} a step, "
            "and vanish later. The matrix is not normal: its eigenvectors are not at right angles."
        )
    elif sigma <= 1:
        here = "Here both are at most 1: multiplied with this matrix alone, no change ever grows."
    else:
        here = r"Here $\rho > 1$: multiplied with this matrix alone, some change grows without end."
    return both + here + _but(model.spec)


def _but(spec: CellSpec) -> str:
    """What else a step multiplies with."""
    if spec.slope is None:
        return " In a gated cell the block acts through its own slope, beside what the gates keep."
    if spec.direct is not None:
        return (
            r" With the residual connection a step multiplies with $I + \varphi' W_{hh}$: "
            r"there $\lambda = 0$ stands for “as before”."
        )
    return r" A step multiplies with $\varphi' W_{hh}$, and $\varphi' \leq 1$."


def meaning(one: Exponents) -> str:
    """The first exponent in words, and the dimension of where the run goes."""
    if one.dimension is None:
        return f"{one.meaning}; Kaplan–Yorke dimension above {len(one.values)}"
    return f"{one.meaning}; Kaplan–Yorke dimension {one.dimension:.3g}"
