"""A sweep as CSV, and out of it again."""

import csv
import io
from dataclasses import replace

import pytest

from rnnviz.engine.outcome import Outcome
from rnnviz.run_config import run_id
from rnnviz.sweep import as_csv, columns, outcomes_in
from tests.sweep.ground import SMALL

ONE, OTHER = SMALL.configs[1], replace(SMALL.configs[2], clip=None)
OUTCOMES = (
    Outcome(ONE, 0, 0.1 + 0.2, 20, 30, False),
    Outcome(ONE, 1, float("nan"), None, 12, True),
    Outcome(OTHER, 0, 1.0, 0, 30, False),
    Outcome(OTHER, 1, 1e-300, None, 30, False),
)


def test_a_row_says_what_was_trained_and_what_came_of_it():
    rows = list(csv.DictReader(io.StringIO(as_csv(OUTCOMES))))
    assert rows[0] == {
        "run": run_id((ONE,)),
        "task": "recall",
        "length": "5",
        "cell": "lstm",
        "conventions": "",
        "init": "torch",
        "init_options": "",
        "forget_bias": "1.0",
        "H": "4",
        "parameters": str(4 * (13 * 4 + 4 * 4 + 2 * 4) + 8 * 4 + 8),
        "optimizer": "adam",
        "lr": "0.01",
        "clip": "1.0",
        "batch": "5",
        "seed": "0",
        "metric": "0.30000000000000004",
        "chance": "0.125",
        "success": "0.99",
        "solved_at": "20",
        "steps": "30",
        "diverged": "False",
    }
    assert (rows[1]["metric"], rows[1]["solved_at"], rows[1]["diverged"]) == ("nan", "", "True")
    assert (rows[2]["init"], rows[2]["init_options"], rows[2]["clip"]) == ("chrono", "t_max=5", "")
    lengths = {len(column) for column in columns(OUTCOMES).values()}
    assert lengths == {4}
    assert list(columns(())) == list(columns(OUTCOMES))


def test_there_and_back_is_the_same_to_the_last_digit():
    assert repr(outcomes_in(as_csv(OUTCOMES), (ONE, OTHER))) == repr(OUTCOMES)
    assert repr(outcomes_in(as_csv(OUTCOMES), (OTHER, ONE))) == repr(OUTCOMES[2:] + OUTCOMES[:2])
    assert repr(outcomes_in(as_csv(OUTCOMES[::-1]), (ONE,))) == repr(OUTCOMES[:2])
    assert outcomes_in(as_csv(OUTCOMES), SMALL.configs[-1:]) == ()
    assert outcomes_in(as_csv(()), SMALL.configs) == ()


def edited(**values):
    rows = list(csv.DictReader(io.StringIO(as_csv(OUTCOMES[:2]))))
    rows[0].update(values)
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the table has no column 'run'"),
        ("run,seed\n", "the table has no column 'metric'"),
        (as_csv(OUTCOMES) + "a,b\n", "line 6 of the table has not as many values as it has columns"),
        (as_csv(OUTCOMES).replace("False\n", "False,1\n", 1), "line 2 of the table has not as many"),
        (as_csv(OUTCOMES[:1]), "seed 1 of run .* is missing"),
        (as_csv(OUTCOMES[:1] * 2), "seed 0 of run .* stands in the table twice"),
        (edited(seed="7"), "seed is 7; run .* has 0, 1"),
        (edited(seed="-1"), "seed is '-1'; allowed: a whole number from 0"),
        (edited(metric="dog"), "metric is 'dog'; allowed: a number"),
        (edited(solved_at="31"), "solved_at is '31'; allowed: a whole number from 0 to 30"),
        (edited(steps="1.5"), "steps is '1.5'; allowed"),
        (edited(steps=""), "steps is ''; allowed"),
        (edited(diverged="maybe"), "diverged is 'maybe'; allowed: True, False"),
        (edited(diverged='"x'), "diverged is"),
        ('run,seed,metric,solved_at,steps,diverged\n"a"b,,,,,\n', "the table is no CSV"),
    ],
)
def test_a_table_that_cannot_be_is_one_sentence(text, said):
    with pytest.raises(ValueError, match=said) as caught:
        outcomes_in(text, (ONE,))
    assert "\n" not in str(caught.value)
