"""Gradient flow's scripts print its figures' numbers, by autograd where the figures take closed forms."""

import numpy as np
import pytest

from rnnviz.charts import gradient_flow, products
from rnnviz.charts.gradient_flow import SUBJECTS, gradient_norms
from rnnviz.engine import CELLS
from rnnviz.experiment import Input, Model
from rnnviz.flow_script import gradient_script, step_norm_script
from rnnviz.product_script import direct_script, product_script
from rnnviz.ui import flow_cached
from tests.engine.oracle import VARIANTS
from tests.test_script import columns_of, imported, run_all

SOURCE = Input("noise", 12, seed=3)
MODELS = [
    Model(spec.name, spec.options, 5, 7, "scaled", (("radius", 1.3),), 1.0 if spec.name == "lstm" else None)
    for spec in VARIANTS
]
ONE_EACH = tuple(next(m for m in MODELS if m.cell == name) for name in CELLS)
SKIPS = next(m for m in MODELS if dict(m.options).get("connection") == "residual")


@pytest.fixture(autouse=True)
def _tables_only(monkeypatch):
    for module in (gradient_flow, products):
        monkeypatch.setattr(module, "skeleton", lambda *_, **__: {})


def in_dtype(models, dtype):
    return tuple(Model(**{**model.__dict__, "dtype": dtype}) for model in models)


def gradients(models, source, loss="last", subject="states", relative=False):
    """The figure's table."""

    def curves(dtype):
        own = in_dtype(models, dtype)
        return [c for m in own for c in flow_cached.gradient_curves(m, source, loss, subject)]

    dtype = models[0].dtype
    lost = curves("float64") if dtype == "float32" else ()
    return gradient_norms(
        curves(dtype), "seed 7", subject=subject, loss=loss, relative=relative, lost=lost
    ).table


def product_table(models, source):
    curves = [flow_cached.product_curve(model, source) for model in models]
    bounds = [bound for model in models if (bound := flow_cached.bound(model, source))]
    return products.products(curves, bounds, "seed 7").table


def direct_table(models, source):
    pairs = [pair for model in models if (pair := flow_cached.direct_curves(model, source))]
    return products.direct_paths(pairs, [], "seed 7").table


def assert_same(text, table, rtol, columns=("norm",)):
    """Words and places exactly, row by row; numbers to ``rtol``."""
    got = columns_of(text)
    for name in {"cell", "state", "dtype", "steps_back"} & set(table):
        assert got[name] == [str(value) for value in np.asarray(table[name]).tolist()]
    for name in columns:
        values = np.array(got[name], dtype=float)
        np.testing.assert_allclose(values, table[name], rtol=rtol, atol=1e-300, err_msg=name)


@pytest.mark.parametrize("subject", ["inputs", "weights"])
def test_saliency_and_what_steps_add_are_autograds(subject):
    cases = [((model,), loss) for model in MODELS for loss in ("last", "all")]
    scripts = [gradient_script(m, SOURCE, loss, "A title", "a caption", subject) for m, loss in cases]
    for (models, loss), text in zip(cases, run_all(scripts), strict=True):
        table = gradients(models, SOURCE, loss, subject)
        assert len(table["norm"]) == 12
        assert_same(text, table, 1e-9)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_relative_figure_prints_norms_and_shares(subject):
    (text,) = run_all([gradient_script(ONE_EACH, SOURCE, "last", "A title", "c", subject, relative=True)])
    table = gradients(ONE_EACH, SOURCE, "last", subject, relative=True)
    assert_same(text, table, 1e-9, ("norm", "relative_to_own_largest"))
    own = table["relative_to_own_largest"]
    for cell, state in {(c, s) for c, s in zip(table["cell"], table["state"], strict=True)}:
        assert own[(table["cell"] == cell) & (table["state"] == state)].max() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_float32_figure_prints_both_runs_and_the_same_zeros(subject):
    source = Input("noise", 120, seed=3)
    models = in_dtype(tuple(Model(m.cell, m.options, 6, 7, "scaled", (("radius", 0.2),), 0.0)
                            if m.cell == "lstm" else
                            Model(m.cell, m.options, 6, 7, "scaled", (("radius", 0.2),)) for m in ONE_EACH),
                      "float32")  # fmt: skip
    (text,) = run_all([gradient_script(models, source, "last", "A title", "a caption", subject)])
    table = gradients(models, source, "last", subject)
    got = columns_of(text)
    assert set(got["dtype"]) == {"float32", "float64"} == set(table["dtype"])
    exact = np.array(got["dtype"]) == "float64"
    assert (exact == (table["dtype"] == "float64")).all()
    assert got["cell"] == table["cell"].tolist()
    assert list(map(int, got["steps_back"])) == table["steps_back"].tolist()
    norms = np.array(got["norm"], dtype=float)
    np.testing.assert_allclose(norms[exact], table["norm"][exact], rtol=1e-9, atol=1e-300)
    # In float32 the order of sums shows; where precision runs out, it does in whole smallest numbers.
    np.testing.assert_allclose(norms[~exact], table["norm"][~exact], rtol=2e-4, atol=30 * 1.4e-45)
    lost = (table["norm"][~exact] == 0) & (table["norm"][exact] != 0)
    assert lost.sum() > 20, "the case shows what it is here for"
    assert (norms[~exact] == 0)[lost].mean() > 0.9


def test_every_product_and_bound_is_that_of_autograds_jacobians():
    cases = [(model,) for model in MODELS] + [ONE_EACH, (SKIPS, *ONE_EACH[1:])]
    scripts = [product_script(models, SOURCE, "A title", "a caption") for models in cases]
    for models, text in zip(cases, run_all(scripts), strict=True):
        table = product_table(models, SOURCE)
        assert_same(text, table, 1e-9, ("norm",))
        np.testing.assert_allclose(
            np.array(columns_of(text)["log10_norm"], dtype=float), table["log10_norm"], rtol=1e-9, atol=1e-11
        )


def test_products_beyond_all_floats_are_printed_as_the_figure_has_them():
    source = Input("noise", 400)
    vanishing = Model("rnn", (("activation", "tanh"),), 6, 4, "scaled", (("radius", 0.05),))
    exploding = Model("rnn", (("activation", "identity"),), 6, 4, "scaled", (("radius", 3.0),))
    nothing = Model("rnn", (("activation", "tanh"),), 6, 4, "scaled", (("radius", 0.0),))
    cases = [(vanishing,), (exploding,), (nothing,)]
    scripts = [product_script(models, source, "A title", "a caption") for models in cases]
    logs = []
    for models, text in zip(cases, run_all(scripts), strict=True):
        table = product_table(models, source)
        logs.append(np.array(columns_of(text)["log10_norm"], dtype=float))
        np.testing.assert_allclose(logs[-1], table["log10_norm"], rtol=1e-9, atol=1e-11)
    assert logs[0].min() < -400
    assert logs[1].max() > 180
    assert np.isneginf(logs[2]).sum() == 3 * 400


def test_every_direct_path_is_printed_beside_the_whole():
    cases = [(model,) for model in MODELS if model.spec.direct] + [ONE_EACH]
    scripts = [direct_script(models, SOURCE, "A title", "a caption") for models in cases]
    for models, text in zip(cases, run_all(scripts), strict=True):
        assert_same(text, direct_table(models, SOURCE), 1e-9, ("norm", "log10_norm"))
    table = direct_table(ONE_EACH, SOURCE)
    assert set(table["cell"]) == {"lstm", "gru"}


def test_float32_scripts_of_products_start_from_the_rounded_weights():
    rounded = in_dtype(ONE_EACH, "float32")
    makers = (product_script, direct_script, step_norm_script)
    texts = run_all([maker(rounded, SOURCE, "A title", "a caption") for maker in makers])
    steps = [c for model in rounded for c in flow_cached.step_curves(model, SOURCE)]
    tables = (
        product_table(rounded, SOURCE),
        direct_table(rounded, SOURCE),
        gradient_flow.step_norms(steps, ""),
    )
    for text, table in zip(texts, (*tables[:2], tables[2].table), strict=True):
        assert_same(text, table, 1e-4)
    exact = product_table(ONE_EACH, SOURCE)["norm"]
    assert not np.array_equal(tables[0]["norm"], exact)


@pytest.mark.parametrize("maker", [product_script, direct_script])
def test_scripts_of_products_need_torch_alone(maker):
    for models in (ONE_EACH, (SKIPS,)):
        names = imported(maker(models, SOURCE, 'A """title', "a \\ caption"))
        assert names - {"functools"} == {"torch", "math", "__future__"}
