"""Next-symbol tasks against languages written down a second time, string by string."""

import math
import re
from collections import Counter, defaultdict
from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest
import torch

from rnnviz.tasks import TASKS
from tests.tasks.drawing import MANY, draw, frequent, perfect, spelled, uniform

REBER = "BTSXPVE"
# From the picture of the grammar: an inner string is B … E; M is what follows P, or X and X.
M = "T*V(PXT*V)*(V|PS)"
INNER = f"B(TS*X(S|X{M})|P{M})E"
EMBEDDED = re.compile(f"B(T{INNER}T|P{INNER}P)E")


@cache
def reber_strings(longest):
    """All strings with their probabilities, branch by branch, up to a length."""
    arcs = {
        "in": ("T loop", "P right"),
        "loop": ("S loop", "X cross"),
        "cross": ("X right", "S out"),
        "right": ("T right", "V down"),
        "down": ("P cross", "V out"),
    }
    found, open_ = {}, [("B", "in", 1.0)]
    while open_:
        text, node, p = open_.pop()
        if node == "out":
            found[f"{text}E"] = p
        elif len(text) + 5 <= longest:
            open_ += [(text + arc[0], arc[2:], p / 2) for arc in arcs[node]]
    return {f"B{t}{s}{t}E": p / 2 for s, p in found.items() for t in "TP" if len(s) + 4 <= longest}


def texts(batch, inputs, outputs):
    """Every string, with the last symbol that is only asked for."""
    ends = (batch.mask.sum(0) - 1).long()
    last = batch.y.gather(0, ends[None])[0].tolist()
    return [spelled(batch, inputs, b) + outputs[k] for b, k in enumerate(last)]


def check_next_symbols(batch, inputs, outputs):
    """y is the next x, and nothing stands behind a string."""
    for b, text in enumerate(texts(batch, inputs, outputs)):
        steps = len(text) - 1
        assert "".join(outputs[k] for k in batch.y[:steps, b].tolist()) == text[1:]
        assert not batch.x[steps:, b].any()
        assert not batch.legal[steps:, b].any()
        assert (batch.x[:steps, b].sum(-1) == 1).all()


def entropy_of(strings):
    """Entropy and mean number of predictions of strings with their probabilities."""
    total = sum(strings.values())
    entropy = -sum(p / total * math.log(p / total) for p in strings.values())
    return entropy, sum(p / total * (len(text) - 1) for text, p in strings.items())


def from_last_symbol(strings):
    """Cross-entropy a step of the best guess from the last symbol, and the guess: symbol -> shares."""
    after = defaultdict(Counter)
    for text, p in strings.items():
        for now, then in pairwise(text):
            after[now][then] += p
    cost = sum(-p * math.log(p / row.total()) for row in after.values() for p in row.values())
    return cost / sum(row.total() for row in after.values()), after


def test_both_ways_to_write_the_grammar_agree():
    strings = reber_strings(14)
    assert len(strings) > 30
    assert all(EMBEDDED.fullmatch(text) for text in strings)
    assert "BTBTSXSETE" in strings
    assert "BTBTSXSEPE" not in strings


def test_reber_draws_the_language():
    batch = draw("reber", 40, 2000)
    check_next_symbols(batch, REBER, REBER)
    found = texts(batch, REBER, REBER)
    assert all(EMBEDDED.fullmatch(text) for text in found)
    assert max(map(len, found)) > 20
    assert min(map(len, found)) == 9


def test_reber_strings_are_as_frequent_as_they_should_be():
    strings, total = reber_strings(14), sum(reber_strings(14).values())
    batch = draw("reber", 14)
    assert batch.x.shape == (13, MANY, 7)
    found = texts(batch, REBER, REBER)
    assert set(found) == set(strings)
    for text, p in strings.items():
        assert frequent(torch.tensor([text == other for other in found]), p / total)


def test_reber_legal_is_what_the_language_allows():
    following = defaultdict(set)
    for text in reber_strings(22):
        for k in range(1, len(text)):
            following[text[:k]].add(text[k])
    batch = draw("reber", 14, 500)
    for b, text in enumerate(texts(batch, REBER, REBER)):
        for k in range(1, len(text)):
            legal = {REBER[s] for s in batch.legal[k - 1, b].nonzero().flatten().tolist()}
            assert legal == following[text[:k]], text[:k]


@pytest.mark.parametrize("length", [12, 15, 20])
def test_reber_levels_are_those_of_all_strings(length):
    entropy, predictions = entropy_of(reber_strings(length))
    task = TASKS["reber"]
    assert task.landmarks(length)[0][0] == pytest.approx(entropy / predictions, rel=1e-9)
    # one who forgot the outer symbol pays one bit more
    assert task.baseline(length).loss == pytest.approx((entropy + math.log(2)) / predictions, rel=1e-9)


def test_reber_levels_without_a_limit_are_the_known_ones():
    task = TASKS["reber"]
    assert task.landmarks(200)[0][0] == pytest.approx(7 * math.log(2) / 11, rel=1e-9)
    assert task.baseline(200).loss == pytest.approx(8 * math.log(2) / 11, rel=1e-9)
    assert task.baseline(40).loss == pytest.approx(8 * math.log(2) / 11, abs=1e-4)


def test_reber_loss_of_both_levels_on_draws():
    task, batch = TASKS["reber"], draw("reber", 40)
    floor = torch.where(batch.legal, 0.0, -80.0)
    losses = []
    forgot = floor.clone()
    last_but_one = (batch.mask.sum(0) - 2).long()
    each = torch.arange(MANY)
    forgot[last_but_one, each] = -80.0
    for symbol in (1, 4):
        forgot[last_but_one, each, symbol] = 0.0
    for output in (floor, forgot):
        losses.append(task.loss(output, batch).item())
    assert losses[0] == pytest.approx(task.landmarks(40)[0][0], rel=0.005)
    assert losses[1] == pytest.approx(task.baseline(40).loss, rel=0.005)
    assert task.metric.of(floor, batch) == 1
    assert task.metric.of(forgot, batch) == task.baseline(40).metric == 0


def test_a_string_is_wrong_when_one_legal_symbol_is_below_another():
    task, batch = TASKS["reber"], draw("reber", 20, 50)
    output = perfect(batch, task)
    legal = batch.legal[4, 7]
    output[4, 7, int(legal.int().argmax())] = -5.0  # no higher than the others
    assert task.metric.of(output, batch).item() == pytest.approx(49 / 50)
    lenient = replace(batch, mask=batch.mask.clone())
    lenient.mask[4, 7] = 0  # where nothing is asked nothing can be wrong
    assert task.metric.of(output, lenient) == 1
    example = task.example(batch, 7)
    assert set(example.targets[4].split("/")) == {REBER[k] for k in legal.nonzero().flatten()}
    assert example.targets[0] == "T/P"
    outer = example.steps[1]
    assert f" {outer};" in example.sentence
    assert example.steps[int(batch.mask[:, 7].sum()) - 1] == outer


@pytest.mark.parametrize(("name", "letters"), [("anbn", "ab"), ("anbncn", "abc")])
def test_counting_draws_the_language(name, letters):
    batch = draw(name, 6)
    inputs, outputs = f"S{letters}", f"{letters}T"
    some = replace(batch, x=batch.x[:, :200], y=batch.y[:, :200], mask=batch.mask[:, :200])
    some = replace(some, legal=batch.legal[:, :200])
    check_next_symbols(some, inputs, outputs)
    assert set(texts(some, inputs, outputs)) == {
        "S" + "".join(letter * n for letter in letters) + "T" for n in range(1, 7)
    }
    assert uniform(batch.mask.sum(0).sub(1).div(len(letters)).long(), 1, 7)
    for b, text in enumerate(texts(some, inputs, outputs)):
        for k in range(1, len(text)):
            legal = {outputs[s] for s in some.legal[k - 1, b].nonzero().flatten().tolist()}
            assert legal == ({"a", "b"} if text[k - 1] == "a" else {text[k]})


@pytest.mark.parametrize(("name", "letters"), [("anbn", "ab"), ("anbncn", "abc")])
@pytest.mark.parametrize("length", [4, 10, 33])
def test_counting_levels_are_those_of_all_strings(name, letters, length):
    strings = {"S" + "".join(s * n for s in letters) + "T": 1.0 for n in range(1, length + 1)}
    task, level = TASKS[name], TASKS[name].baseline(length)
    cost, after = from_last_symbol(strings)
    assert level.loss == pytest.approx(cost, rel=1e-9)
    entropy, predictions = entropy_of(strings)
    assert task.landmarks(length)[0][0] == pytest.approx(entropy / predictions, rel=1e-9)
    # and as output: what one step with weights from input to output alone can say
    batch = task.fixed(1, length, torch.Generator())
    table = torch.full((task.input_size, task.output_size), -80.0)
    for i, now in enumerate(task.inputs):
        for o, then in enumerate(task.outputs):
            if after[now][then]:
                table[i, o] = math.log(after[now][then] / after[now].total())
    assert task.metric.of(batch.x @ table, batch).item() == level.metric == 0


def test_counting_is_judged_by_every_n_up_to_twice_the_longest():
    for name, letters in (("anbn", 2), ("anbncn", 3)):
        task = TASKS[name]
        batch = task.fixed(3, 7, torch.Generator())
        n = (batch.mask.sum(0) - 1) / letters
        assert n.tolist() == list(range(1, 15))
        assert len(batch.x) == 14 * letters + 1
        output = perfect(batch, task)
        assert task.metric.of(output, batch) == 1
        for wrong in (1, 5, 14):
            broken = output.clone()
            broken[letters * wrong, wrong - 1] *= -1  # its end comes unexpected
            assert task.metric.of(broken, batch).item() == pytest.approx((wrong - 1) / 14)
        example = task.example(batch, 2)
        assert example.steps[:4] == ("S", "a", "a", "a")
        assert example.targets[:5] == ("a", "a/b", "a/b", "a/b", "b")
        assert example.targets[3 * letters] == "T"
        assert "3 a" in example.sentence


@cache
def balanced(pairs, kinds):
    """All balanced strings of so many pairs: the first pair, what is in it, what comes after."""
    if pairs == 0:
        return ("",)
    return tuple(
        f"{left}{inside}{right}{after}"
        for k in range(pairs)
        for inside in balanced(k, kinds)
        for after in balanced(pairs - 1 - k, kinds)
        for left, right in ("()", "[]")[:kinds]
    )


def dyck_strings(longest, kinds):
    return {
        f"S{text}T": 1 / longest / len(balanced(n, kinds))
        for n in range(1, longest + 1)
        for text in balanced(n, kinds)
    }


def left_open(text):
    """The brackets not yet closed, by striking out pairs."""
    while (shorter := text.replace("()", "").replace("[]", "")) != text:
        text = shorter
    return text


@pytest.mark.parametrize("kinds", [1, 2])
def test_dyck_strings_are_all_equally_frequent(kinds):
    strings, longest = dyck_strings(3, kinds), 3
    brackets = "()[]"[: 2 * kinds]
    batch = draw(f"dyck{kinds}", longest)
    found = Counter(texts(batch, f"S{brackets}", f"{brackets}T"))
    assert set(found) == set(strings)
    for text, p in strings.items():
        assert abs(found[text] - MANY * p) < 5 * math.sqrt(MANY * p * (1 - p))


@pytest.mark.parametrize("kinds", [1, 2])
def test_dyck_draws_the_language_and_knows_what_is_legal(kinds):
    brackets = "()[]"[: 2 * kinds]
    inputs, outputs = f"S{brackets}", f"{brackets}T"
    batch = draw(f"dyck{kinds}", 15, 300)
    check_next_symbols(batch, inputs, outputs)
    close = {"(": ")", "[": "]"}
    for b, text in enumerate(texts(batch, inputs, outputs)):
        assert left_open(text[1:-1]) == ""
        for k in range(1, len(text)):
            opened = left_open(text[1:k])
            may = set(brackets[::2]) | ({close[opened[-1]]} if opened else {"T"} if k > 1 else set())
            legal = {outputs[s] for s in batch.legal[k - 1, b].nonzero().flatten().tolist()}
            assert legal == may


@pytest.mark.parametrize("kinds", [1, 2])
@pytest.mark.parametrize("length", [2, 6])
def test_dyck_levels_are_those_of_all_strings(kinds, length):
    task, strings = TASKS[f"dyck{kinds}"], dyck_strings(length, kinds)
    level = task.baseline(length)
    assert level.loss == pytest.approx(from_last_symbol(strings)[0], rel=1e-9)
    entropy, predictions = entropy_of(strings)
    assert task.landmarks(length)[0][0] == pytest.approx(entropy / predictions, rel=1e-9)


@pytest.mark.parametrize("kinds", [1, 2])
def test_dyck_without_a_stack_solves_no_depth(kinds):
    task = TASKS[f"dyck{kinds}"]
    _, after = from_last_symbol(dyck_strings(6, kinds))
    table = torch.zeros(task.input_size, task.output_size)
    for i, now in enumerate(task.inputs):
        for o, then in enumerate(task.outputs):
            table[i, o] = after[now][then]
    batch = draw(f"dyck{kinds}", 6, 1000)
    assert task.metric.of((batch.x @ table).round(decimals=4), batch).item() == task.baseline(6).metric == 0


def test_a_depth_is_solved_when_all_strings_up_to_it_are():
    task, batch = TASKS["dyck2"], draw("dyck2", 12, 1000)
    brackets = "()[]"
    found = texts(batch, f"S{brackets}", f"{brackets}T")
    depths = [max(len(left_open(text[1:k])) for k in range(1, len(text))) for text in found]
    deepest = max(depths)
    assert deepest >= 6
    for wrong in (1, 3, deepest):
        output = perfect(batch, task)
        output[1, depths.index(wrong)] *= -1
        solved = max((d for d in depths if d < wrong), default=0)
        assert task.metric.of(output, batch).item() == pytest.approx(solved / deepest)
    b = depths.index(3)
    sentence = task.example(batch, b).sentence
    assert sentence.startswith(f"{found[b][1:-1]} is nested 3 deep")
