"""Machines compute what they have to: by the engine, by a NumPy loop of its own, by plain words."""

import itertools
import re

import numpy as np
import pytest
import torch

from rnnviz.engine import CELLS
from rnnviz.machines import MACHINES, compare, machine, wanted
from rnnviz.machines.trials import EACH, LONG, a_then_b, count_trial, trial
from rnnviz.machines.typed import LONGEST, TYPED
from rnnviz.machines.words import read_out, subscript, verdict, weight_table

LEAK = ("tanh-counter", "gru-counter")
EXACT = [name for name in MACHINES if name not in LEAK]
COUNTERS = [name for name in MACHINES if "counter" in name]
WRITTEN = {
    0.0,
    1.0,
    -1.0,
    2.0,
    -2.0,
    20.0,
    -20.0,
    40.0,
    -1000.0,
    2000.0,
}  # every weight of the exact machines


def by_numpy(made, x):
    """The same network in NumPy, from the textbook's equations: outputs (T,O) for x (T,D)."""
    W, U, b, V = (np.array(values, dtype=float) for values in (made.W_ih, made.W_hh, made.bias, made.V))
    h, c, rows = np.zeros(made.H), np.zeros(made.H), []

    def sigma(a):
        with np.errstate(over="ignore"):
            return 1 / (1 + np.exp(-a))

    options = dict(made.options)
    for x_t in np.asarray(x, dtype=float):
        if made.cell == "gru":  # z keeps
            a, u = W @ x_t + b, U @ h
            r, z = sigma(a[:1] + u[:1]), sigma(a[1:2] + u[1:2])
            h = z * h + (1 - z) * np.tanh(a[2:] + r * u[2:])
        elif made.cell == "lstm":
            i, f, g, o = np.split(W @ x_t + U @ h + b, 4)
            c = sigma(f) * c + sigma(i) * np.tanh(g)
            h = sigma(o) * np.tanh(c)
        else:
            phi = {"relu": lambda a: np.maximum(a, 0), "identity": lambda a: a, "tanh": np.tanh}
            h = phi[options["activation"]](W @ x_t + U @ h + b)
        rows.append(V @ (c if made.reads == "c" else h))
    return np.array(rows)


def every_input(made, T):
    """All inputs of T steps, as rows; for numbers, all over a few."""
    D = len(made.inputs)
    letters = {
        "bits": [(0,), (1,)],
        "sum": list(itertools.product((0, 1), repeat=2)),
        "numbers": [(-999,), (0,), (7,)],
    }.get(made.typed, [tuple(int(k == j) for j in range(D)) for k in range(D)])
    return list(itertools.product(letters, repeat=T))


@pytest.mark.parametrize("name", EXACT)
def test_every_short_input_exactly(name):
    made = machine(name)
    for T in range(1, {4: 5, 3: 6, 2: 9}[len(every_input(made, 1))] + 1):
        batch = every_input(made, T)
        x = torch.tensor(batch, dtype=torch.float64).transpose(0, 1)
        torch.testing.assert_close(made.read_out(made.run(x)), wanted(made, x), rtol=0, atol=0)
    for rows in batch[:: max(1, len(batch) // 40)]:
        np.testing.assert_array_equal(by_numpy(made, rows), np.array(made.specification(rows)))


@pytest.mark.parametrize("name", EXACT)
def test_long_random_inputs_exactly_by_the_engine_and_by_numpy(name):
    made = machine(name)
    x = made.draw(300, 8, torch.Generator().manual_seed(3))
    y, said = made.read_out(made.run(x)), wanted(made, x)
    torch.testing.assert_close(y, said, rtol=0, atol=0)
    for k in range(8):
        np.testing.assert_array_equal(by_numpy(made, x[:, k].numpy()), said[:, k].numpy())


@pytest.mark.parametrize("name", LEAK)
def test_those_that_leak_leak_as_numpy_says(name):
    made = machine(name)
    x = made.draw(40, 12, torch.Generator().manual_seed(3))
    y = made.read_out(made.run(x))
    for k in range(12):
        np.testing.assert_allclose(y[:, k], by_numpy(made, x[:, k].numpy()), rtol=1e-9, atol=1e-9)
    assert 0 < trial(made).right < 1000


@pytest.mark.parametrize("k", range(1, 10))
def test_every_delay(k):
    made = machine("delay", k)
    assert k + 1 == made.H
    x = [[v] for v in range(1, 21)]
    np.testing.assert_array_equal(by_numpy(made, x)[:, 0], [0] * k + list(range(1, 21 - k)))
    y = made.read_out(made.run(torch.tensor(x, dtype=torch.float64).unsqueeze(1)))
    np.testing.assert_array_equal(y[:, 0, 0], [0] * k + list(range(1, 21 - k)))


# The specifications themselves, against words of another kind.
def test_specifications_by_hand():
    bits = tuple((int(bit),) for bit in "1011001")
    assert machine("parity").specification(bits) == tuple((v,) for v in (1, 1, 0, 1, 1, 1, 0))
    assert machine("remainder").specification(bits) == tuple((v,) for v in (1, 2, 2, 2, 1, 2, 2))
    assert machine("taps").specification(((3,), (1,), (4,), (-1,))) == ((3,), (4,), (8,), (4,))
    assert machine("delay", 2).specification(((3,), (1,), (4,))) == ((0,), (0,), (3,))
    pulses = TYPED["pulses"].read(".s.r.ss").x
    assert machine("latch").specification(pulses) == tuple((v,) for v in (0, 1, 1, 0, 0, 1, 1))
    word = TYPED["word"].read("aabbab").x
    counted = ((1, 0), (2, 0), (1, 0), (0, 0), (1, 1), (0, 1))
    assert machine("lstm-counter").specification(word) == counted
    assert machine("relu-counter").specification(word) == counted
    assert machine("gru-counter").specification(word) == tuple((v,) for v, _ in counted)


@pytest.mark.parametrize(
    ("a", "b"), [(0, 0), (1, 1), (11, 6), (255, 1), (2**50 - 1, 2**50 - 1), (12345, 678)]
)
def test_addition_adds(a, b):
    given = TYPED["sum"].read(f"{a:b} + {b:b}")
    made = machine("addition")
    y = made.read_out(made.run(given.tensor))[:, 0, 0]
    assert sum(int(bit) << t for t, bit in enumerate(y.tolist())) == a + b
    if a + b < 10**12:
        assert f"{a + b:b}, which is {a + b:,}" in made.answer(given, [[bit] for bit in y.tolist()])


@pytest.mark.parametrize("name", ["lstm-counter", "relu-counter"])
def test_exactly_the_strings_a_n_b_n_are_accepted(name):
    made, language = machine(name), re.compile("(a*)(b*)")
    for T in range(2, 11):
        words = ["".join(word) for word in itertools.product("ab", repeat=T)]
        x = torch.tensor([TYPED["word"].read(word).x for word in words], dtype=torch.float64).transpose(0, 1)
        last = made.read_out(made.run(x))[-1]
        for word, y in zip(words, last.tolist(), strict=True):
            found = language.fullmatch(word)
            member = bool(found) and len(found[1]) == len(found[2])
            assert (y == [0, 0]) == member, word
            assert made.answer(TYPED["word"].read(word), [y]).startswith("Accepted" if member else "Rejected")


@pytest.mark.parametrize("name", ["lstm-counter", "relu-counter"])
def test_counting_to_ten_thousand_and_beyond_loses_nothing(name):
    made = machine(name)
    for n in (10_000, 25_000):
        x = a_then_b(2 * n, torch.tensor([n]))
        y = made.read_out(made.run(x))[:, 0]
        count = np.concatenate([np.arange(1, n + 1), np.arange(n - 1, -1, -1)])
        np.testing.assert_array_equal(y[:, 0], count)
        assert not y[:, 1].any()


def test_the_lstm_s_gates_are_one_and_zero_to_the_last_bit():
    made = machine("lstm-counter")
    run = made.run(TYPED["word"].read("aabbaab").tensor)
    assert set(run.gates["f"].flatten().tolist()) == {1.0}
    assert set(run.gates["o"].flatten().tolist()) == {1.0}
    assert set(run.gates["i"][..., :2].flatten().tolist()) == {1.0}
    assert set(run.gates["i"][..., 2].flatten().tolist()) == {0.0, 1.0}
    assert set(run.gates["g"].flatten().tolist()) == {-1.0, 0.0, 1.0}
    held = machine("latch").run(TYPED["pulses"].read("..s..r..").tensor)
    assert set(held.gates["f"].flatten().tolist()) == {0.0, 1.0}


def test_how_far_those_that_leak_count():
    """tanh(h) < h by h³/3: of n steps of ε about n⁴ε²/12 is lost; a GRU's count is a geometric series."""
    for size in (0.1, 0.01, 0.001):
        found = count_trial(machine("tanh-counter", size))
        h, n = 0.0, 0
        while found.wrong_from is not None and n < found.wrong_from - 1:
            n += 1
            for step in [1] * n + [-1] * n:
                h = np.tanh(h + size * step)
            assert abs(h / size) < 0.5
            h = 0.0
        assert found.wrong_from == pytest.approx((3 / size**2) ** 0.25, rel=0.35)
    for keep in (2.0, 4.0, 8.0):
        z = 1 / (1 + np.exp(-keep))
        errors = count_trial(machine("gru-counter", keep)).errors
        for n, error in zip(LONG, errors, strict=True):
            up = (1 - z**n) / (1 - z)
            down = z ** np.arange(1, n + 1) * (up + 1 / (1 - z)) - 1 / (1 - z)
            said = max(n - up, np.abs(down - np.arange(n - 1, -1, -1)).max())
            assert error == pytest.approx(said, rel=1e-6)


def test_a_gru_that_keeps_all_writes_nothing():
    made = machine("gru-counter", 40.0)
    run = made.run(TYPED["word"].read("a^50").tensor)
    assert not run.states["h"].any()
    assert count_trial(made).errors == LONG
    assert count_trial(made).wrong_from == 1


def test_the_exact_counters_are_right_for_every_n_tried():
    for name in ("lstm-counter", "relu-counter"):
        found = count_trial(machine(name))
        assert found.errors == (0.0,) * len(LONG)
        assert found.wrong_from is None
    assert EACH >= 100


@pytest.mark.parametrize("name", EXACT)
def test_weights_can_be_read(name):
    made = machine(name)
    values = {float(v) for rows in (made.W_ih, made.W_hh, (made.bias,), made.V) for row in rows for v in row}
    assert values <= WRITTEN
    assert made.H <= 6
    assert made.params["W_hh"].dtype == torch.float64


@pytest.mark.parametrize("name", MACHINES)
def test_every_machine_is_whole(name):
    made = machine(name)
    assert made.name == name
    G, H, D = len(CELLS[made.cell].blocks), made.H, len(made.inputs)
    assert np.shape(made.W_ih) == (G * H, D)
    assert np.shape(made.W_hh) == (G * H, H)
    assert len(made.outputs) == len(made.V)
    assert all(len(row) == H for row in made.V)
    given = TYPED[made.typed].read(TYPED[made.typed].default)
    assert len(given.x[0]) == D
    table = weight_table(made)
    assert {len(column) for column in table.values()} == {G * H}
    assert len(table) == 2 + D + H + 1
    # Every cell of the table says the weight at its place.
    said = [
        [float(v.replace("−", "-").replace("·", "0")) for v in column] for column in list(table.values())[2:]
    ]
    np.testing.assert_allclose(
        np.array(said).T, np.column_stack([made.W_ih, made.W_hh, made.bias]), rtol=1e-5
    )
    assert made.draw(5, 7, torch.Generator().manual_seed(0)).shape == (5, 7, D)


def test_read_outs_in_words():
    assert read_out(machine("addition")) == "y = h₁ − 2 h₂ + 2 h₃"
    assert read_out(machine("relu-counter")) == "y₁ = h₁ − h₂, y₂ = h₅ + h₆"
    assert read_out(machine("tanh-counter")) == "y = 100 h₁"
    assert subscript("h", 10) == "h₁₀"


def test_the_random_inputs_of_counters_hold_members_and_others():
    x = machine("lstm-counter").draw(60, 1000, torch.Generator().manual_seed(0))
    made = machine("lstm-counter")
    accepted = (wanted(made, x)[-1] == 0).all(1)
    assert 300 < int(accepted.sum()) < 400


def test_comparisons():
    y = torch.tensor([[0.0], [1.4], [2.6]])
    assert verdict(compare(y, torch.tensor([[0.0], [1.0], [2.0]]))).startswith("1 of 3 outputs")
    assert "first at step 3" in verdict(compare(y, torch.tensor([[0.0], [1.0], [2.0]])))
    assert verdict(compare(y, torch.tensor([[0.0], [1.0], [3.0]]))) == (
        "All 3 outputs are nearest to the specification's number; the largest difference is 0.4."
    )
    assert verdict(compare(y, y)) == "All 3 outputs equal the specification, exactly."
    assert compare(torch.tensor([[float("nan")]]), torch.zeros(1, 1)).wrong == 1


GOOD = {
    "bits": [("10 1", ((1,), (0,), (1,))), ("01", ((0,), (1,)))],
    "numbers": [("3, -1;4", ((3,), (-1,), (4,))), (" 7 −8 +999 ", ((7,), (-8,), (999,)))],
    "sum": [("11+1", ((1, 1), (1, 0), (0, 0))), (" 1 + 1 ", ((1, 1), (0, 0)))],
    "word": [("a^2 b", ((1, 0), (1, 0), (0, 1))), ("ab", ((1, 0), (0, 1)))],
    "pulses": [("s.r", ((1, 0, 0), (0, 0, 1), (0, 1, 0)))],
}
BAD = {
    "bits": ["", "1", "12", "abc", "１０", "1" * (LONGEST + 1), "1" * 5000, "10<b>"],
    "numbers": ["", "7", "1.5 2", "1e3 2", "1000 1", "٣ ٤", "x y", "nan 1", "1 2-", "5 " * (LONGEST + 1)],
    "sum": ["", "101", "1 + ", "1 + 2", "1 + 1 + 1", "１ + 1", "1" * LONGEST + " + 1", "-1 + 1"],
    "word": ["", "a", "abc", "a^1", "a^999", "^3", "a^-3", "a^٣ b", "A B", "ab" * 2500],
    "pulses": ["", "s", "s r x", "..,", "." * (LONGEST + 1)],
}


@pytest.mark.parametrize(("kind", "text", "rows"), [(k, t, r) for k, pairs in GOOD.items() for t, r in pairs])
def test_what_is_typed(kind, text, rows):
    assert TYPED[kind].read(text).x == rows


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in BAD.items() for text in texts])
def test_what_is_refused_in_one_sentence(kind, text):
    with pytest.raises(ValueError, match="allowed: ") as problem:
        TYPED[kind].read(text)
    sentence = str(problem.value)
    assert sentence.startswith(TYPED[kind].label)
    assert len(sentence) < 200
    assert sentence.count(".") <= 2 or kind == "pulses"


def test_the_longest_is_taken():
    assert len(TYPED["bits"].read("1" * LONGEST).x) == LONGEST
    assert len(TYPED["word"].read("a^100 b^100").x) == LONGEST
    assert len(TYPED["sum"].read("1" * (LONGEST - 1) + " + 1").x) == LONGEST
