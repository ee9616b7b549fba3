"""What if: as people type it, as a caption, and as what is run."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.engine import CELLS, Clamp
from rnnviz.signals import signal
from rnnviz.whatif import WhatIf, edits, places, said
from tests.engine.oracle import quick

TEXT = signal("text", 9, text="a,b;=c d1")
LETTERS = " ,1;=abcd"  # its alphabet
SERIES = signal("sine", 9)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("3", (3,)),
        ("3, 5-8", (3, 5, 6, 7, 8)),
        ("3;5 - 8", (3, 5, 6, 7, 8)),
        ("3–5", (3, 4, 5)),
        (" 3 – 5 ", (3, 4, 5)),
        ("8, 1, 3, 1-2", (1, 2, 3, 8)),
        ("2-2", (2,)),
        ("1,,2,", (1, 2)),
        ("007", (7,)),
        ("1-8", tuple(range(1, 9))),
        ("all", None),
        (" ALL ", None),
        ("", None),
        ("  ", None),
    ],
)
def test_places_as_people_write_them(text, found):
    assert places(text, "Unit", 8) == found


@pytest.mark.parametrize("what", ["Unit", "Step"])
@pytest.mark.parametrize(
    "text",
    ["0", "9", "1-9", "5-3", "0-3", "x", "3 4", "1-", "-1", "1.5", "1—3", "1-2-3", "1234567", "²", "every"],
)
def test_other_places_are_refused_with_field_value_and_what_is_allowed(what, text):
    for written in (text, f"2, {text}", f"{text}; 2"):
        with pytest.raises(ValueError, match="allowed") as told:
            places(written, what, 8)
        sentence = str(told.value)
        assert sentence.startswith(f"{what} “{text}” ")
        assert "numbers from 1 to 8" in sentence


def test_a_sentence_quotes_the_beginning_of_what_is_long():
    for refuse in (lambda text: places(text, "Unit", 8), lambda text: edits(text, TEXT)):
        with pytest.raises(ValueError, match="allowed") as told:
            refuse("x" * 300)
        assert "x" * 20 in str(told.value)
        assert len(str(told.value)) < 160


@given(st.sets(st.integers(1, 400), min_size=1))
@quick
def test_numbers_said_are_the_numbers_read(numbers):
    for text in (said(sorted(numbers)), said(tuple(numbers)), said(sorted(numbers)).replace("–", "-")):
        assert places(text, "Step", 400) == tuple(sorted(numbers))


def test_numbers_are_said_in_few_words():
    assert said(()) == ""
    assert said((4,)) == "4"
    assert said([1, 2]) == "1–2"
    assert said([8, 3, 5, 7, 6]) == "3, 5–8"


def hot(step, letter):
    return (step, LETTERS.index(letter), 1.0)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("3 = b", [hot(3, "b")]),
        ("3=b", [hot(3, "b")]),
        (" 3 =  b ", [hot(3, "b")]),
        ("3 = b, 7 = a", [hot(3, "b"), hot(7, "a")]),
        ("3 = b; 7 = a;", [hot(3, "b"), hot(7, "a")]),
        ("1 = ␣", [hot(1, " ")]),
        ("1 = ", [hot(1, " ")]),
        ("1= ", [hot(1, " ")]),
        ("1 = ␣, 2 = a", [hot(1, " "), hot(2, "a")]),
        ("1 = =", [hot(1, "=")]),
        ("1==", [hot(1, "=")]),
        ("1 = =, 2 = b", [hot(1, "="), hot(2, "b")]),
        ("1 = ,", [hot(1, ",")]),
        ("1=,", [hot(1, ",")]),
        ("1 = ;", [hot(1, ";")]),
        ("1 = ,, 2 = ;; 3 = d", [hot(1, ","), hot(2, ";"), hot(3, "d")]),
        ("1=1,2=1", [hot(1, "1"), hot(2, "1")]),
        ("9 = a", [hot(9, "a")]),
        ("", []),
        (" ", []),
        (", ;", []),
    ],
)
def test_letters_as_people_write_them(text, found):
    assert edits(text, TEXT) == tuple(found)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("3 = 0.5", [(3, None, 0.5)]),
        ("3=-.5; 9 = 2e-3", [(3, None, -0.5), (9, None, 2e-3)]),
        ("1 = 1e6, 2 = -1000000", [(1, None, 1e6), (2, None, -1e6)]),
        ("1 = 0,", [(1, None, 0.0)]),
        ("", []),
    ],
)
def test_numbers_as_people_write_them(text, found):
    assert edits(text, SERIES) == tuple(found)


@pytest.mark.parametrize("sequence", [TEXT, SERIES], ids=["text", "series"])
@pytest.mark.parametrize(
    "text", ["0 = 1", "10 = 1", "1234567 = 1", "x = 1", "1", "1 =", "= 1", "-1 = 1", "1.5 = 1"]
)
def test_a_step_that_is_not_there_is_refused(sequence, text):
    for written in (text, f"2 = 1, {text}"):
        with pytest.raises(ValueError, match="allowed") as told:
            edits(written, sequence)
        assert str(told.value).startswith(f"Changed input “{text}” ")
        assert "steps from 1 to 9" in str(told.value)
        assert ("such as 3 = e" if sequence is TEXT else "such as 3 = 0.5") in str(told.value)


@pytest.mark.parametrize("letter", ["q", "A", "ab", "🌧️", "a 3 = b", "1 = 1"])
def test_a_letter_that_the_cell_does_not_know_is_refused(letter):
    with pytest.raises(ValueError, match="allowed: a character of the text") as told:
        edits(f"2 = a, 4 = {letter}", TEXT)
    assert str(told.value).startswith(f"Changed input at step 4 is “{letter}”")
    without = signal("text", 2, text="ab")
    with pytest.raises(ValueError, match="at step 2 is “ ”; allowed"):
        edits("2 = ␣", without)


@pytest.mark.parametrize(
    "number", ["nan", "inf", "-inf", "1e999", "1000000.1", "-1e7", "x", "0x10", "1 2", "1=2"]
)
def test_a_number_that_cannot_be_an_input_is_refused(number):
    with pytest.raises(ValueError, match="allowed: a number from -1e6 to 1e6") as told:
        edits(f"2 = 1, 4 = {number}", SERIES)
    assert str(told.value).startswith(f"Changed input at step 4 is “{number}”")


@given(st.text(max_size=30))
@quick
def test_any_text_is_read_or_refused_in_a_sentence(text):
    for read in (
        lambda: places(text, "Unit", 8),
        lambda: edits(text, TEXT),
        lambda: edits(text, SERIES),
    ):
        try:
            found = read()
        except ValueError as told:
            sentence = str(told)
        else:
            assert found is None or isinstance(found, tuple)
            continue
        assert "allowed: " in sentence


@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from(LETTERS)), max_size=5))
@quick
def test_edits_written_are_the_edits_read(pairs):
    text = ", ".join(f"{step} = {'␣' if letter == ' ' else letter}" for step, letter in pairs)
    assert edits(text, TEXT) == tuple(hot(step, letter) for step, letter in pairs)


EVERYTHING = WhatIf((Clamp("f", 1.0),), (0, 2), ((3, None, 0.5),))


def test_nothing_is_false_and_anything_is_true():
    assert not WhatIf()
    for field in ("clamps", "silenced", "edits"):
        assert WhatIf(**{field: getattr(EVERYTHING, field)})
    assert EVERYTHING
    assert hash(EVERYTHING) == hash(
        WhatIf(*(getattr(EVERYTHING, f) for f in ("clamps", "silenced", "edits")))
    )


@pytest.mark.parametrize("spec", CELLS.values(), ids=lambda spec: spec.name)
def test_silenced_units_hold_every_state_at_zero_and_outrank_the_rest(spec):
    clamp = Clamp("h", 0.5, None, (2,))
    zeros = tuple(Clamp(name, 0.0, (0, 2)) for name in spec.state_names)
    assert WhatIf().held(spec) == ()
    assert WhatIf((clamp,)).held(spec) == (clamp,)
    assert WhatIf((), (0, 2)).held(spec) == zeros
    assert WhatIf((clamp,), (0, 2)).held(spec) == (clamp, *zeros)


def test_a_caption_says_all_of_it_in_few_words():
    assert WhatIf().caption() == ""
    assert WhatIf((Clamp("f", 1.0),)).caption() == "what if: f = 1"
    assert WhatIf((Clamp("c", -0.05, (0, 1, 2, 6)),)).caption() == "what if: c = -0.05 at units 1–3, 7"
    assert WhatIf((Clamp("f", 1.0, (2,), (4, 5, 9)),)).caption() == "what if: f = 1 at units 3, steps 4–5, 9"
    assert WhatIf((Clamp("i", 0.0, None, (4,)),)).caption() == "what if: i = 0, steps 4"
    assert WhatIf((), (0, 2)).caption() == "what if: units 1, 3 silenced"
    assert WhatIf(edits=((7, 1, 1.0), (3, None, 0.5))).caption() == "what if: input changed at 3, 7"
    assert EVERYTHING.caption() == "what if: f = 1; units 1, 3 silenced; input changed at 3"
    two = WhatIf((Clamp("f", 1.0), Clamp("i", 0.0, (1,))))
    assert two.caption() == "what if: f = 1; i = 0 at units 2"


def test_an_edited_input_is_a_new_one_that_differs_at_those_steps_alone():
    for sequence, changes in ((TEXT, "2 = d, 5 = ␣, 2 = b"), (SERIES, "1 = -3.5, 9 = 0.25")):
        given_x = sequence.x.clone()
        found = edits(changes, sequence)
        got = WhatIf(edits=found).input(sequence.x)
        assert torch.equal(sequence.x, given_x)
        assert got.data_ptr() != sequence.x.data_ptr()
        changed = {step for step, _, _ in found}
        same = [t for t in range(9) if t + 1 not in changed]
        assert torch.equal(got[same], given_x[same])
        if sequence is TEXT:
            assert [LETTERS[k] for k in got[:, 0].argmax(1)] == list("abb; c d1")
            assert torch.equal(got.sum(2), torch.ones(9, 1).double())
        else:
            assert (got[0, 0, 0], got[8, 0, 0]) == (-3.5, 0.25)
        assert torch.equal(WhatIf((Clamp("h", 1.0),), (1,)).input(sequence.x), given_x)
