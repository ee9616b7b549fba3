"""What holds for every task: the contract, its scripts, its losses and metrics over stacks of models."""

import ast
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import rnnviz.tasks
from rnnviz.engine.batches import counted, stacked
from rnnviz.tasks import TASKS
from tests.tasks.drawing import perfect

NAMES = [
    "adding",
    "adding_1997",
    "multiplication",
    "copy",
    "temporal_order",
    "latch",
    "recall",
    "reber",
    "parity",
    "parity_running",
    "anbn",
    "anbncn",
    "dyck1",
    "dyck2",
    "three_taps",
    "digit_rows",
    "digit_pixels",
    "sines",
]
SHARED = {"task", "losses", "metrics", "text"}  # what the tasks are made with
every = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def lengths_of(task):
    low, high, default = task.lengths.low, task.lengths.high, task.lengths.default
    return sorted({low, min(low + 1, high), default, min(default + 7, high)})


def test_the_names_and_their_order():
    assert list(TASKS) == NAMES
    assert all(task.name == name for name, task in TASKS.items())


def test_every_file_is_used():
    there = {path.stem for path in Path(rnnviz.tasks.__file__).parent.glob("[!_]*.py")} - SHARED
    used = {task.draw.__module__.rpartition(".")[2] for task in TASKS.values()}
    assert there == used


@every
def test_shapes_and_types(task):
    for length in lengths_of(task):
        for batch in (task.batch(5, length, generator()), task.fixed(5, length, generator())):
            T, B, D = batch.x.shape
            assert task.input_size == D
            assert batch.x.dtype == batch.mask.dtype == torch.float32
            assert batch.mask.shape == (T, B)
            assert set(batch.mask.unique().tolist()) <= {0.0, 1.0}
            assert (batch.mask.sum(0) >= 1).all()
            assert torch.isfinite(batch.x).all()
            if batch.y.dtype == torch.int64:
                assert batch.y.shape == (T, B)
                assert batch.y.min() >= 0
                assert batch.y.max() < task.output_size
            else:
                assert batch.y.dtype == torch.float32
                assert batch.y.shape == (T, B, task.output_size)
            if batch.legal is not None:
                assert batch.legal.dtype == torch.bool
                assert batch.legal.shape == (T, B, task.output_size)
                counts = batch.mask == 1
                assert batch.legal.gather(-1, batch.y.unsqueeze(-1)).squeeze(-1)[counts].all()
        batch = task.batch(5, length, generator())
        assert batch.x.shape[:2] == (task.steps(length), 5)


@every
def test_the_generator_alone_decides(task):
    length = task.lengths.default

    def same(one, two):
        return torch.equal(one.x, two.x) and torch.equal(one.y, two.y)

    torch.manual_seed(1)
    first = task.batch(20, length, generator(3))
    torch.manual_seed(2)
    assert same(first, task.batch(20, length, generator(3)))
    assert not same(first, task.batch(20, length, generator(4)))
    rng = generator(3)
    task.batch(20, length, rng)
    assert not same(first, task.batch(20, length, rng))
    assert torch.initial_seed() == 2  # and nothing reseeds the global one


@every
def test_the_parts_are_lines_that_run_and_hold_what_the_task_holds(task):
    names = {"torch": torch}
    module = sys.modules[task.draw.__module__]
    for part in task.parts:
        exec(part, names)
        for name in {node.id for node in ast.walk(ast.parse(part)) if _stores(node)}:
            assert names[name] == getattr(module, name)


def _stores(node):
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id.isupper()


@every
def test_right_answers_succeed_and_wrong_ones_do_not(task):
    length = task.lengths.default
    batch = task.fixed(50, length, generator(5))
    right = perfect(batch, task)
    best = task.metric.of(right, batch).item()
    assert best == (1.0 if task.metric.higher_is_better else 0.0)
    assert task.metric.reached(best, task.metric.success)
    floor = min((loss for loss, _ in task.landmarks(length)), default=0.0)
    assert floor < task.baseline(length).loss
    wrong = -right if right.is_floating_point() and batch.y.dtype == torch.int64 else right + 1
    assert not task.metric.reached(task.metric.of(wrong, batch).item(), task.metric.success)
    assert not task.metric.reached(task.baseline(length).metric, task.metric.success)
    nothing = torch.full_like(right, torch.nan)
    assert not task.metric.reached(task.metric.of(nothing, batch).item(), task.metric.success)


@every
def test_a_stack_of_models_is_measured_model_by_model(task):
    length, K = task.lengths.default, 3
    batches = [task.batch(20, length, generator(k)) for k in range(K)]
    # nearly right, so that some are and some are not
    outputs = [perfect(batch, task) for batch in batches]
    noise = [0.0, 0.02, 30.0]
    outputs = [
        out + scale * torch.randn(out.shape, generator=generator(9))
        for out, scale in zip(outputs, noise, strict=True)
    ]
    own, stack = stacked(batches, torch.float32), torch.stack(outputs, 1)
    shared = torch.stack(outputs, 1)
    for measure in (task.loss, task.metric.of):
        alone = torch.stack([measure(out, batch) for out, batch in zip(outputs, batches, strict=True)])
        torch.testing.assert_close(measure(stack, own), alone)
        assert alone[0] != alone[2]
        on_first = torch.stack([measure(out, batches[0]) for out in outputs])
        torch.testing.assert_close(measure(shared, batches[0]), on_first)  # one batch, all models


@every
def test_only_counted_steps_matter(task):
    batch = task.fixed(20, task.lengths.default, generator(2))
    output = perfect(batch, task) + torch.randn(*batch.y.shape[:2], task.output_size, generator=generator(3))
    part, steps = counted(batch)
    longer = stacked([batch, _longer(batch)], torch.float32)
    for measure in (task.loss, task.metric.of):
        full = measure(output, batch)
        torch.testing.assert_close(measure(output[steps], part), full)
        torch.testing.assert_close(measure(output.where(batch.mask.unsqueeze(-1) > 0, 99.0), batch), full)
        out = torch.nn.functional.pad(output, (0, 0, 0, 0, 0, 2)).unsqueeze(1).expand(-1, 2, -1, -1)
        torch.testing.assert_close(measure(out, longer)[0], full)


def _longer(batch):
    def pad(value):
        return None if value is None else torch.nn.functional.pad(value, (0, 0) * (value.dim() - 1) + (0, 2))

    return replace(batch, x=pad(batch.x), y=pad(batch.y), mask=pad(batch.mask), legal=pad(batch.legal))


@every
def test_the_loss_has_a_gradient(task):
    batch = task.batch(4, task.lengths.default, generator())
    output = torch.zeros(*batch.y.shape[:2], task.output_size, requires_grad=True)
    task.loss(output, batch).backward()
    assert output.grad is not None
    asked = batch.mask > 0
    assert torch.isfinite(output.grad).all()
    assert output.grad[asked].abs().sum() > 0
    assert not output.grad[~asked].any()


@every
def test_examples_are_short_texts(task):
    for length in lengths_of(task):
        batch = task.batch(8, length, generator(11))
        for b in range(8):
            example = task.example(batch, b)
            assert len(example.steps) == len(example.targets) == len(batch.x)
            assert all(isinstance(text, str) and len(text) <= 9 for text in example.steps + example.targets)
            counts = batch.mask[:, b].tolist()
            assert [bool(text) for text in example.targets] == [count == 1 for count in counts]
            assert "-" not in "".join(example.steps + example.targets)  # minus signs, not hyphens
            assert example.sentence.endswith(".")


@every
def test_what_people_read(task):
    for text in (task.title, task.source, task.metric.title, task.lengths.what):
        assert text.strip() == text != ""
    assert task.question.endswith("?")
    assert len(set(task.inputs)) == task.input_size
    assert len(set(task.outputs)) == task.output_size
    for length in lengths_of(task):
        baseline = task.baseline(length)
        assert baseline.words
        for loss, words in (*task.landmarks(length), (baseline.loss, baseline.words)):
            assert loss > 0
            assert ":" in words


@every
def test_bad_requests_are_refused_in_a_sentence(task):
    low, high = task.lengths.low, task.lengths.high
    for length in (0, low - 1, high + 1, 10**6, 1.5, "8", True, None):
        for ask in (task.batch, task.fixed):
            with pytest.raises(ValueError, match=f"length is {length!r}; .* allows {low} to {high} "):
                ask(2, length, generator())
    for size in (0, -1, 2.0, None):
        with pytest.raises(ValueError, match=f"batch_size is {size!r}; allowed"):
            task.batch(size, task.lengths.default, generator())
