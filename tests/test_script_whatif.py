"""Scripts of what-if runs: they print the numbers of a run in which the same values are held."""

import ast

import numpy as np
import pytest

from rnnviz.engine import CELLS, Clamp, lesion, unroll
from rnnviz.experiment import Input, Model
from rnnviz.script import path_script, trace_script
from rnnviz.ui import cached
from rnnviz.whatif import WhatIf
from tests.engine import oracle
from tests.engine.oracle import VARIANTS, assert_close, name_of
from tests.test_script import HOSTILE, columns_of, imported, read_back, run_all

TEXT, SERIES = Input("text", 9, text='it\'s "in" the sky'[:9]), Input("noise", 9, seed=3)
H = 5
every_variant = pytest.mark.parametrize("spec", VARIANTS, ids=name_of)


def model_of(spec):
    return Model(spec.name, spec.options, H, 7, "scaled", (("radius", 1.2),), 1.0)


def cases_of(spec):
    """What if and input, and the clamps and the input that they stand for, written out."""
    text, series = TEXT.signal().x, SERIES.signal().x
    letters, numbers = text.clone(), series.clone()
    letters[2], letters[6] = 0, 0
    letters[2, 0, 3] = letters[6, 0, 0] = 1
    numbers[0], numbers[8] = -3.5, 0.1 + 0.2
    retyped, redrawn = ((3, 3, 1.0), (7, 0, 1.0)), ((1, None, -3.5), (9, None, 0.1 + 0.2))
    names = (*spec.gate_names, *spec.state_names)
    for k, name in enumerate(names):
        everywhere, some = Clamp(name, 0.3 * k - 0.5), Clamp(name, 0.1 + 0.2, (0, 3), (2, 3, 8))
        for clamp in (everywhere, some, Clamp(name, 0.25, (4,)), Clamp(name, -0.75, None, (1, 9))):
            yield WhatIf((clamp,)), SERIES, (clamp,), series
        yield WhatIf((everywhere, some)), TEXT, (everywhere, some), text
        yield WhatIf((some,), (1, 3), retyped), TEXT, (some, *lesion(spec, (1, 3))), letters
    both = tuple(Clamp(name, 0.5, (k % H,), (k + 1,)) for k, name in enumerate(names))
    yield WhatIf(both, (2,), redrawn), SERIES, (*both, *lesion(spec, (2,))), numbers
    yield WhatIf((), (0, 4)), TEXT, lesion(spec, (0, 4)), text
    yield WhatIf((), (), retyped), TEXT, (), letters
    yield WhatIf((), (), redrawn), SERIES, (), numbers


def recorded(spec, trace):
    """name -> (T,H)."""
    values = {**trace.gates, **{name: value[1:] for name, value in trace.states.items()}}
    return {name: values[name][:, 0].numpy() for name in (e.name for e in spec.equations)}


def printed_values(printed, names, T):
    columns = columns_of(printed)
    assert set(columns) == {"step", "unit", *names}
    assert list(map(int, columns["step"])) == np.repeat(np.arange(1, T + 1), H).tolist()
    assert list(map(int, columns["unit"])) == list(range(1, H + 1)) * T
    return {name: np.array(columns[name], dtype=float).reshape(T, H) for name in names}


def holding(clamps):
    def hold(name, t, value):
        value = value.copy()
        for clamp in clamps:
            if clamp.name == name and (clamp.steps is None or t in clamp.steps):
                value[..., slice(None) if clamp.units is None else list(clamp.units)] = clamp.value
        return value

    return hold


@every_variant
def test_every_number_is_that_of_the_run_with_the_same_values_held(spec):
    model, cases = model_of(spec), list(cases_of(spec))
    scripts = [trace_script(model, source, "t", "c", whatif=whatif) for whatif, source, _, _ in cases]
    plain = {source: recorded(spec, cached.trace(model, source)) for source in (TEXT, SERIES)}
    for (whatif, source, clamps, x), text in zip(cases, run_all(scripts), strict=True):
        params = model.params(x.shape[2])
        want = recorded(spec, unroll(spec, params, x, clamp=clamps))
        got = printed_values(text, want, len(x))
        states, gates = oracle.run(spec, params, x, hold=holding(clamps))
        apart = {**gates, **{name: value[1:] for name, value in states.items()}}
        for name, values in want.items():
            assert_close(got[name], values)
            assert_close(got[name], apart[name][:, 0])
        assert any(not np.allclose(got[name], values) for name, values in plain[source].items()), whatif
        for clamp in whatif.held(spec)[-1:]:  # no later one outranks it
            rows = slice(None) if clamp.steps is None else [t - 1 for t in clamp.steps]
            units = slice(None) if clamp.units is None else list(clamp.units)
            assert (got[clamp.name][rows][:, units] == clamp.value).all()


@every_variant
def test_a_script_of_one_unit_and_of_the_path_hold_the_same(spec):
    model, names = model_of(spec), [equation.name for equation in spec.equations]
    cases = list(cases_of(spec))[-4:]
    scripts = [
        script
        for whatif, source, _, _ in cases
        for script in (
            *(trace_script(model, source, "t", "c", unit, whatif) for unit in (1, H)),
            path_script(model, source, "t", "c", whatif),
        )
    ]
    printed = iter(run_all(scripts))
    for whatif, source, clamps, x in cases:
        trace = unroll(spec, model.params(x.shape[2]), x, clamp=clamps)
        want = recorded(spec, trace)
        *units, path = (next(printed) for _ in range(3))
        for unit, text in zip((1, H), units, strict=True):
            columns = columns_of(text)
            assert list(columns) == ["step", *names]
            assert list(map(int, columns["step"])) == list(range(1, len(x) + 1))
            for name in names:
                assert_close(np.array(columns[name], dtype=float), want[name][:, unit - 1])
        columns = columns_of(path)
        table = cached.state_scene(model, source, "caption", whatif).table
        h = trace.states["h"][:, 0].numpy()
        got = np.array([columns[f"direction_{k}"] for k in (1, 2, 3)], dtype=float).T
        for k in (1, 2, 3):
            assert_close(got[:, k - 1], np.asarray(table[f"direction_{k}"]))
        assert list(map(int, columns["step"])) == list(range(len(x) + 1))
        # Principal directions keep the lengths that they take up: the singular values of what is centred.
        sizes = np.linalg.svd(h - h.mean(0), compute_uv=False)[:3]
        assert_close(np.linalg.norm(got, axis=0), sizes)


@every_variant
def test_without_a_what_if_a_script_says_nothing_of_one(spec):
    model = model_of(spec)
    for make in (trace_script, path_script):
        plain = make(model, TEXT, "t", "c")
        assert make(model, TEXT, "t", "c", whatif=WhatIf()) == plain
        assert "What if" not in plain
        assert "hold" not in plain.replace("threads", "")
        for whatif, source, _, _ in cases_of(spec):
            changed = make(model, source, "t", "c", whatif=whatif)
            assert ("\n# What if\n" in changed) == bool(whatif.edits)
            assert ("def hold(" in changed) == bool(whatif.held(spec))


@pytest.mark.parametrize("words", HOSTILE)
def test_no_text_breaks_out_of_a_what_if_script(words):
    words += "  "
    model, source = model_of(CELLS["lstm"]), Input("text", 400, text=words)
    last = len(sorted(set(words))) - 1
    whatif = WhatIf((Clamp("f", 1.0, (0,)),), (1,), ((1, last, 1.0),))
    caption = f"{source.signal().caption} · {whatif.caption()} {words}"
    for make in (trace_script, path_script):
        script = make(model, source, words, caption, whatif=whatif)
        script.encode()
        assert imported(script) == {"torch", "math", "__future__"}
        docstring, calls = read_back(script)
        assert calls == [words]
        assert "what if: f = 1 at units 1; units 2 silenced; input changed at 1" in docstring


def test_captions_with_quotes_do_not_keep_a_script_from_running():
    model, source = model_of(CELLS["lstm"]), Input("text", 6, text='"""\'\\n')
    whatif = WhatIf((Clamp("o", 0.5),), (), ((2, 0, 1.0),))
    x = source.signal().x.clone()
    x[1] = 0
    x[1, 0, 0] = 1
    scripts = [trace_script(model, source, words, words, whatif=whatif) for words in HOSTILE]
    want = recorded(model.spec, unroll(model.spec, model.params(x.shape[2]), x, clamp=whatif.clamps))
    for text in run_all(scripts):
        got = printed_values(text, want, len(x))
        for name, values in want.items():
            assert_close(got[name], values)


def test_what_is_held_stands_in_the_script_as_plain_numbers():
    clamp = Clamp("f", 0.1 + 0.2, (1, 4), (3,))
    script = trace_script(model_of(CELLS["lstm"]), TEXT, "t", "c", whatif=WhatIf((clamp,), (2,)))
    (held,) = [
        ast.literal_eval(node.value)
        for node in ast.parse(script).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "held"
    ]
    assert held == [("f", 0.1 + 0.2, (1, 4), (3,)), ("h", 0.0, (2,), None), ("c", 0.0, (2,), None)]
