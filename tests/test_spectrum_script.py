"""The scripts behind “Spectrum” and “Remedies”: by autograd alone they print the figures' own numbers."""

import numpy as np
import pytest

from rnnviz.charts import clipping, eigenvalues, exponents, remedies, singular_values
from rnnviz.engine import CELLS
from rnnviz.experiment import Input, Model
from rnnviz.remedy_script import clipping_script, contributions_script
from rnnviz.spectrum_script import lyapunov_script, matrix_script, singular_script
from rnnviz.ui import flow_remedies, flow_remedies_cached, flow_spectrum_cached
from tests.engine.oracle import VARIANTS, name_of
from tests.test_script import columns_of, imported, run_all

NOISE, SHORT = Input("noise", 30, seed=3), Input("text", 9, text='it\'s "in" the sky')


@pytest.fixture(autouse=True)
def _tables_only(monkeypatch):
    """Only the figures' tables are read here."""
    for module in (clipping, eigenvalues, exponents, remedies, singular_values):
        monkeypatch.setattr(module, "_skeleton", lambda *_: {})


def model_of(spec, H=6, radius=1.3, dtype="float64"):
    options = tuple((name, dict(spec.options).get(name, values[0])) for name, values in spec.choices)
    return Model(spec.name, options, H, 7, "scaled", (("radius", radius),), 1.0, dtype=dtype)


MODELS = [model_of(spec) for spec in VARIANTS]


def column(printed, name):
    return np.array(printed[name], dtype=float)


def printed_by(scripts):
    """Each script's columns, and that it imports nothing of ours."""
    for script in scripts:
        assert imported(script) == {"torch", "math", "__future__"}
    return [columns_of(text) for text in run_all(scripts)]


def test_a_matrix_is_printed_as_the_figure_has_it():
    cases = [(model, k) for model in MODELS[::3] for k in range(len(model.spec.blocks))]
    scripts = [matrix_script(model, SHORT, block, "title", "caption") for model, block in cases]
    for (model, block), printed in zip(cases, printed_by(scripts), strict=True):
        table = eigenvalues.eigenvalues(flow_spectrum_cached.matrix(model, SHORT, block), "caption").table
        assert list(printed) == list(table)
        for name in table:
            np.testing.assert_allclose(column(printed, name), table[name], rtol=1e-12, atol=1e-14)


def test_singular_values_are_printed_as_the_figure_has_them():
    lags = flow_spectrum_cached.lags_of(30)
    scripts = [singular_script(model, NOISE, lags, "title", "caption") for model in MODELS]
    for model, printed in zip(MODELS, printed_by(scripts), strict=True):
        found = flow_spectrum_cached.spectra(model, NOISE)
        table = singular_values.singular_values(found, "caption").table
        assert list(printed) == list(table)
        for name in ("lag", "k"):
            np.testing.assert_array_equal(column(printed, name), table[name])
        np.testing.assert_allclose(column(printed, "log10_floor"), table["log10_floor"], rtol=0, atol=1e-10)
        # A value is known to about a floor's width; within a few of them the last bits decide.
        got, want = column(printed, "log10_singular_value"), table["log10_singular_value"]
        floor = table["log10_floor"]
        clear = np.nan_to_num(want, nan=-np.inf) > floor + 1.5
        assert clear.sum() > 14, name_of(model.spec)
        allowed = 10 * 10 ** (floor[clear] - want[clear]) + 1e-9
        assert (np.abs(10 ** (got[clear] - want[clear]) - 1) < allowed).all(), name_of(model.spec)
        unclear = np.nan_to_num(got[~clear], nan=-np.inf)
        assert (unclear <= floor[~clear] + 2.0).all(), name_of(model.spec)
        np.testing.assert_array_equal(column(printed, "above_floor")[clear], 1)


def test_exponents_are_printed_as_the_figure_has_them():
    sets = [[model_of(spec, radius=radius) for spec in CELLS.values()] for radius in (0.0, 0.7, 2.0)]
    sets.append([model_of(CELLS["rnn"].with_options(activation="relu"))])
    scripts = [lyapunov_script(models, NOISE, flow_spectrum_cached.EVERY, "t", "c") for models in sets]
    for models, text in zip(sets, run_all(scripts), strict=True):
        found = [flow_spectrum_cached.exponents(model, NOISE) for model in models]
        table, printed = exponents.exponents(found, "caption").table, columns_of(text)
        assert list(printed) == list(table)
        assert printed["cell"] == table["cell"].tolist()
        np.testing.assert_allclose(column(printed, "exponent"), table["exponent"], rtol=1e-6, atol=1e-9)


def test_shares_are_printed_as_the_figure_has_them():
    cases = [(model, loss) for model in MODELS for loss in ("last", "all")]
    runs = [flow_remedies.runs_of(model, 30, 7, 4.0, 0.1) for model, _ in cases]
    scripts = [
        contributions_script([run for _, run in own], NOISE, loss, "title", "caption")
        for own, (_, loss) in zip(runs, cases, strict=True)
    ]
    for (model, loss), own, printed in zip(cases, runs, printed_by(scripts), strict=True):
        clipped = flow_remedies_cached.clipped(model, NOISE, loss, 0.1)
        shares = flow_remedies.shares_of(NOISE, loss, own, clipped)
        table = remedies.contributions(shares, model.spec.title, "caption").table
        assert printed["remedy"] == table["remedy"].tolist()
        for name in ("step", "steps_back"):
            np.testing.assert_array_equal(column(printed, name), table[name])
        np.testing.assert_allclose(column(printed, "norm"), table["norm"], rtol=1e-9, atol=1e-300)
        if loss == "last":
            assert (table["norm"][table["remedy"] == "window"] == 0).sum() == 28


def test_entries_are_printed_as_the_figure_has_them():
    cases = [(model, theta) for model in MODELS[::2] for theta in (0.01, 1000.0)]
    scripts = [clipping_script(model, NOISE, "all", theta, "title", "caption") for model, theta in cases]
    for (model, theta), printed in zip(cases, printed_by(scripts), strict=True):
        found = flow_remedies_cached.clipped(model, NOISE, "all", theta)
        table = clipping.clipped_entries(dict(found.sizes), theta, "cell", "said", "caption").table
        assert list(printed) == list(table)
        for name in table:
            largest = table[name].max()
            np.testing.assert_allclose(column(printed, name), table[name], rtol=1e-9, atol=1e-12 * largest)


def test_in_float32_the_scripts_round_what_the_models_round():
    models = [model_of(spec, H=4, radius=0.9, dtype="float32") for spec in CELLS.values()]
    source = Input("noise", 12, seed=1)
    scripts = [matrix_script(models[1], source, 1, "t", "c")]
    scripts += [singular_script(models[2], source, (0, 5), "t", "c")]
    scripts += [lyapunov_script(models, source, flow_spectrum_cached.EVERY, "t", "c")]
    runs = [flow_remedies.runs_of(model, 12, 5, 4.0, 0.1) for model in models]
    scripts += [contributions_script([run for _, run in own], source, "last", "t", "c") for own in runs]
    scripts += [clipping_script(models[0], source, "last", 0.1, "t", "c")]
    matrix, singular, lyapunov, *shares, entries = map(columns_of, run_all(scripts))
    table = eigenvalues.eigenvalues(flow_spectrum_cached.matrix(models[1], source, 1), "").table
    np.testing.assert_allclose(column(matrix, "singular_value"), table["singular_value"], rtol=1e-12)
    spectra = flow_spectrum_cached.spectra(models[2], source)
    at = np.isin(spectra.lags, (0, 5))
    wanted = (spectra.logs[at] / np.log(10)).ravel()
    np.testing.assert_allclose(column(singular, "log10_singular_value"), wanted, atol=1e-5)
    found = [flow_spectrum_cached.exponents(model, source).values for model in models]
    np.testing.assert_allclose(column(lyapunov, "exponent"), np.concatenate(found), rtol=1e-4, atol=1e-5)
    for model, own, printed in zip(models, runs, shares, strict=True):
        clipped = flow_remedies_cached.clipped(model, source, "last", 0.1)
        drawn = flow_remedies.shares_of(source, "last", own, clipped)
        logs = np.concatenate([share.logs for share in drawn])
        np.testing.assert_allclose(column(printed, "norm"), np.exp(logs), rtol=1e-4, atol=1e-9)
    sizes = flow_remedies_cached.clipped(models[0], source, "last", 0.1).sizes
    np.testing.assert_allclose(column(entries, "clipped_by_norm"), sizes["norm"], rtol=1e-3, atol=1e-7)
