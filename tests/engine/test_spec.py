"""Options of a cell, and the registry."""

from pathlib import Path

import pytest

from rnnviz.engine import CELLS, cells
from tests.engine.oracle import LOOPS, VARIANTS, name_of


def test_every_file_in_cells_is_registered():
    files = {path.stem for path in Path(cells.__file__).parent.glob("*.py")} - {"__init__"}
    assert files == set(CELLS) == set(LOOPS)
    assert all(spec.name == name for name, spec in CELLS.items())


@pytest.mark.parametrize("spec", VARIANTS, ids=name_of)
def test_options_survive_and_tell_specs_apart(spec):
    assert spec.with_options() == spec
    assert CELLS[spec.name].with_options(**dict(spec.options)) == spec
    assert sum(other == spec for other in VARIANTS) == 1
    for name, allowed in spec.choices:
        assert spec.option(name) in allowed
        for value in allowed:
            changed = spec.with_options(**{name: value})
            assert changed.option(name) == value
            # A plain connection is unsaid, so that runs that were kept before there was one keep their name.
            wanted = {**dict(spec.options), name: value}.items() - {("connection", "plain")}
            assert set(changed.options) == wanted


def test_the_defaults_are_pytorchs():
    assert CELLS["rnn"].options == (("activation", "tanh"),)
    assert CELLS["gru"].options == (("reset", "after"), ("z", "keeps"))


@pytest.mark.parametrize(
    ("cell", "options", "message"),
    [
        ("gru", {"reset": "never"}, "gru: reset is 'never'; allowed: 'after', 'before'"),
        ("gru", {"z": 1}, "gru: z is 1; allowed: 'keeps', 'takes'"),
        ("gru", {"activation": "relu"}, "gru has no option 'activation'; its options: reset, z"),
        (
            "rnn",
            {"activation": "sin"},
            "rnn: activation is 'sin'; allowed: 'tanh', 'relu', 'sigmoid', 'identity'",
        ),
        ("lstm", {"peephole": True}, "lstm has no option 'peephole'; its options: none"),
    ],
)
def test_unknown_options_are_named(cell, options, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 # the whole sentence is compared below
        CELLS[cell].with_options(**options)
    assert str(caught.value) == message
