"""Training is what one writes with torch.nn, for every seed at once, and can stop and go on at any step."""

import pickle
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from rnnviz.engine import CELLS, init_params
from rnnviz.engine.learning import learning_of
from rnnviz.engine.stack import matching_hidden_size, parameter_count, stream
from rnnviz.engine.train import Checkpoint, TrainConfig, train
from rnnviz.engine.validation import SEED
from rnnviz.tasks import TASKS

MODULES = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
SMALL = TrainConfig(
    task="adding", length=12, cell="gru", hidden_size=5, seeds=(3, 8), steps=12, batch_size=7, eval_every=5
)


def model_of(config, seed):
    """The same first weights in torch.nn: `init_params` is tested against it elsewhere."""
    task, spec = TASKS[config.task], CELLS[config.cell]
    D, O, H = task.input_size, task.output_size, config.hidden_size
    dtype = getattr(torch, config.dtype)
    module, readout = MODULES[config.cell](D, H, dtype=dtype), nn.Linear(H, O, dtype=dtype)
    options = {"forget_bias": config.forget_bias, **dict(config.scheme_options)}
    params = init_params(spec, D, H, seed, config.scheme, dtype, **options)
    rng = stream(seed, "readout")
    with torch.no_grad():
        for name, value in params.items():
            getattr(module, {"W": "weight", "b": "bias"}[name[0]] + name[1:] + "_l0").copy_(value)
        for value in (readout.weight, readout.bias):
            value.copy_(
                torch.empty(value.shape, dtype=torch.float64).uniform_(-(H**-0.5), H**-0.5, generator=rng)
            )
    return module, readout


OPTIM = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD, "rmsprop": torch.optim.RMSprop}


def outputs(module, readout, x, window):
    """Window after window, each starting from the last one's state as from a constant."""
    parts, state = [], None
    for part in x.split(window):
        h, state = module(part, state)
        state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
        parts.append(h)
    return readout(torch.cat(parts))


def by_torch(config, seed):
    """(loss, gradient norm, validation figure or None) of every step, as one writes it with torch.nn."""
    task, dtype = TASKS[config.task], getattr(torch, config.dtype)
    module, readout = model_of(config, seed)
    params = [*module.parameters(), *readout.parameters()]
    optimiser = OPTIM[config.optimizer](params, lr=config.lr)
    data = stream(seed, "data")
    judged = task.fixed(1000, config.length, stream(SEED, "validation"))
    for step in range(1, config.steps + 1):
        batch = task.batch(config.batch_size, config.length, data)
        batch = replace(batch, x=batch.x.to(dtype), mask=batch.mask.to(dtype))
        optimiser.zero_grad()
        window = config.truncate or len(batch.x)
        loss = task.loss(outputs(module, readout, batch.x, window), batch)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(params, config.clip or float("inf"))
        optimiser.step()
        figure = None
        if step % config.eval_every == 0 or step == config.steps:
            with torch.no_grad():
                answer = readout(module(judged.x.to(dtype))[0])
                figure = task.metric.of(answer, judged).item()
        yield loss.item(), norm.item(), figure


def assert_same_course(config, tolerance):
    records = list(train(config))
    assert [record.step for record in records] == list(range(1, config.steps + 1))
    for k, seed in enumerate(config.seeds):
        for record, (loss, norm, figure) in zip(records, by_torch(config, seed), strict=True):
            assert record.loss[k].item() == pytest.approx(loss, rel=tolerance)
            assert record.grad_norm[k].item() == pytest.approx(norm, rel=tolerance)
            assert record.clipped[k].item() == (config.clip is not None and norm > config.clip)
            assert record.evaluated == (figure is not None)
            if figure is not None:
                assert record.metric[k].item() == pytest.approx(figure, rel=tolerance)


@pytest.mark.parametrize("cell", MODULES)
@pytest.mark.parametrize("optimizer", OPTIM)
def test_a_run_is_that_of_torch_nn(cell, optimizer):
    assert_same_course(replace(SMALL, cell=cell, optimizer=optimizer, clip=0.2, dtype="float64"), 1e-8)


@pytest.mark.parametrize("task", ["temporal_order", "three_taps", "recall", "parity_running"])
def test_so_it_is_on_other_tasks(task):
    length = max(TASKS[task].lengths.low, 12)
    assert_same_course(replace(SMALL, task=task, length=length, dtype="float64", clip=None), 1e-8)


@pytest.mark.parametrize(
    "change",
    [
        {"truncate": 5},
        {"truncate": 1},
        {"truncate": 100},
        {"scheme": "chrono", "scheme_options": (("t_max", 20.0),)},
        {"cell": "lstm", "forget_bias": 2.5},
        {"lr": 0.3},
        {"dtype": "float32", "steps": 4},
    ],
    ids=str,
)
def test_so_it_is_with_other_settings(change):
    config = replace(SMALL, **{"dtype": "float64", **change})
    assert_same_course(config, 1e-8 if config.dtype == "float64" else 1e-3)


def curves(records):
    return torch.stack([torch.cat([r.loss, r.metric, r.grad_norm]) for r in records])


@pytest.mark.parametrize("cell", CELLS)
def test_seeds_together_are_seeds_alone(cell):
    config = replace(SMALL, cell=cell, dtype="float64")
    both = list(train(config))
    for k, seed in enumerate(config.seeds):
        alone = list(train(replace(config, seeds=(seed,))))
        for name in ("loss", "metric", "grad_norm"):
            mine = torch.stack([getattr(r, name)[k] for r in both])
            its = torch.stack([getattr(r, name)[0] for r in alone])
            torch.testing.assert_close(mine, its, rtol=1e-9, atol=0)


def test_the_same_configuration_gives_the_same_bits():
    assert torch.equal(curves(train(SMALL)), curves(train(SMALL)))
    other = curves(train(replace(SMALL, seeds=(3, 9))))
    assert not torch.equal(curves(train(SMALL)), other)


@pytest.mark.parametrize("optimizer", OPTIM)
@pytest.mark.parametrize("cell", CELLS)
def test_stopping_and_going_on_changes_no_bit(cell, optimizer):
    config = replace(SMALL, cell=cell, optimizer=optimizer, state_grads_every=1)
    whole = list(train(config))
    for stop in (1, 5, 6):
        first = train(config)
        early = [next(first) for _ in range(stop)]
        kept: Checkpoint = pickle.loads(pickle.dumps(first.checkpoint()))
        for _ in range(2):
            next(first)  # the run itself going on does not touch what was kept
        late = list(train(config, resume=kept))
        assert torch.equal(curves([*early, *late]), curves(whole))
        for now, then in zip(late, whole[stop:], strict=True):
            assert torch.equal(now.state_grad_norms, then.state_grad_norms)


def test_a_finished_checkpoint_yields_nothing_and_a_foreign_one_is_refused():
    run = train(SMALL)
    list(run)
    assert list(train(SMALL, resume=run.checkpoint())) == []
    with pytest.raises(ValueError, match="another configuration"):
        train(replace(SMALL, lr=0.5), resume=run.checkpoint())


def test_a_model_that_diverges_is_reported_and_the_others_go_on():
    config = replace(SMALL, dtype="float64", seeds=(3, 8, 5), steps=9, state_grads_every=1)
    run = train(config)
    before = [next(run) for _ in range(3)]
    kept = run.checkpoint()
    kept.tensors["params.W_hy"][1] = 1e200  # its next loss is no number any more
    records = list(train(config, resume=kept))
    (found,) = records[0].diverged
    assert (found.seed, found.step) == (8, 4)
    assert found.grad_norm_before == before[-1].grad_norm[1].item()
    assert "inf" in found.what
    assert all(not record.diverged for record in records[1:])
    others = curves(train(replace(config, seeds=(3, 5))))[3:]
    ours = curves(records)
    assert ours[:, [1, 4, 7]].isnan().all()
    assert all(record.state_grad_norms[1].isnan().all() for record in records)
    assert all(record.state_grad_norms[[0, 2]].isfinite().all() for record in records)
    torch.testing.assert_close(ours[:, [0, 2, 3, 5, 6, 8]], others, rtol=1e-9, atol=0)
    assert [record.last for record in records] == [False] * 5 + [True]


def test_where_all_diverge_the_run_ends():
    config = replace(SMALL, cell="rnn", optimizer="sgd", lr=1e3, clip=None, steps=400)
    config = replace(config, options=(("activation", "identity"),))
    records = list(train(config))
    assert len(records) < 400
    assert records[-1].last
    assert records[-1].loss.isnan().all()
    assert sorted(d.seed for record in records for d in record.diverged) == [3, 8]
    assert all(np.isfinite(d.grad_norm_before) for record in records for d in record.diverged)


def test_the_weights_of_a_model_that_diverged_stay():
    config = replace(SMALL, optimizer="adam")
    run = train(config)
    for _ in range(3):
        next(run)
    kept = run.checkpoint()
    kept.tensors["params.W_hy"][0] = float("inf")
    other = train(config, resume=kept)
    next(other)
    after_one = {name: value.clone() for name, value in other.params.items()}
    next(other)
    for name, value in other.params.items():
        assert torch.equal(value[0], after_one[name][0])
        assert not torch.equal(value[1], after_one[name][1])


def test_it_stops_when_every_seed_is_there():
    config = replace(SMALL, steps=60, stop_at=None)
    courses = torch.stack([r.metric for r in train(config) if r.evaluated])
    goal = courses.max(1).values.sort().values[len(courses) // 2].item()
    first = (courses <= goal).all(1).nonzero()[0].item()
    records = list(train(replace(config, stop_at=goal)))
    assert records[-1].step == (first + 1) * config.eval_every
    assert records[-1].solved
    assert records[-1].last
    assert not any(record.solved for record in records[:-1])
    assert (courses[:first] > goal).any(1).all()


def test_a_figure_that_should_rise_stops_when_it_is_high():
    config = replace(SMALL, task="parity", length=4, seeds=(0,), steps=10)
    low = list(train(replace(config, stop_at=0.01)))  # any share is past it
    assert low[-1].step == config.eval_every
    never = list(train(replace(config, stop_at=1.01)))
    assert never[-1].step == config.steps


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_of_the_states_are_autograd_s(cell):
    config = replace(SMALL, cell=cell, dtype="float64", steps=5, state_grads_every=2, task="three_taps")
    records = list(train(config))
    assert [r.step for r in records if r.state_grad_norms is not None] == [1, 3, 5]
    task = TASKS[config.task]
    for k, seed in enumerate(config.seeds):
        module, readout = model_of(config, seed)
        batch = task.batch(config.batch_size, config.length, stream(seed, "data"))
        batch = replace(batch, x=batch.x.double(), mask=batch.mask.double())
        state, hs = None, []
        for x_t in batch.x:
            _, state = module(x_t.unsqueeze(0), state)
            h = state[0] if isinstance(state, tuple) else state
            h.retain_grad()
            hs.append(h)
        task.loss(readout(torch.cat(hs)), batch).backward()
        want = torch.stack([h.grad.norm() for h in hs])
        torch.testing.assert_close(records[0].state_grad_norms[k], want, rtol=1e-9, atol=0)


def test_cells_match_by_parameters():
    for spec in CELLS.values():
        for D, O, wanted in ((2, 1, 4641), (10, 9, 20_000), (1, 1, 3), (7, 7, 100)):
            H = matching_hidden_size(spec, D, O, wanted)
            gap = [abs(parameter_count(spec, D, size, O) - wanted) for size in range(1, 400)]
            assert gap[H - 1] == min(gap)
    made = {name: TrainConfig("adding", 10, name, hidden_size=6, seeds=(0,)) for name in CELLS}
    for name, config in made.items():
        learned = train(config).params.values()
        assert sum(v.numel() for v in learned) == parameter_count(CELLS[name], 2, 6, 1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"task": "subtracting"}, "task is 'subtracting'"),
        ({"length": 0}, "length is 0"),
        ({"length": 10**6}, "length is 1000000"),
        ({"cell": "elman"}, "cell is 'elman'"),
        ({"hidden_size": 0}, "hidden_size is 0"),
        ({"hidden_size": 2.5}, "hidden_size is 2.5"),
        ({"seeds": ()}, "seeds is ()"),
        ({"seeds": (1, 1)}, r"seeds is (1, 1)"),
        ({"seeds": (-1,)}, "seed is -1"),
        ({"steps": 0}, "steps is 0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"eval_every": 0}, "eval_every is 0"),
        ({"optimizer": "lion"}, "optimizer is 'lion'"),
        ({"lr": 0.0}, "lr is 0.0"),
        ({"lr": float("nan")}, "lr is nan"),
        ({"clip": -1.0}, "clip is -1.0"),
        ({"truncate": 0}, "truncate is 0"),
        ({"scheme": "he"}, "scheme is 'he'"),
        ({"dtype": "float16"}, "dtype is 'float16'"),
        ({"stop_at": float("nan")}, "stop_at is nan"),
        ({"options": (("z", "both"),)}, "z is 'both'"),
        ({"forget_bias": 1.0}, "gru has no forget gate"),
        ({"scheme_options": (("gain", 2.0),)}, "scheme 'torch' has no option 'gain'"),
        ({"cell": "rnn", "scheme": "chrono"}, "rnn has no gate that keeps memory"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_cannot_be_trained_is_refused_by_name(change, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        replace(SMALL, **change)


def test_records_gather_into_arrays_and_can_be_cut_and_joined():
    config = replace(SMALL, state_grads_every=4)
    records = list(train(config))
    whole = learning_of(config, records)
    assert whole.steps.tolist() == list(range(1, 13))
    assert whole.eval_steps.tolist() == [0, 5, 10, 12]
    assert whole.asked_steps.tolist() == [1, 5, 9]
    assert whole.loss.shape == (12, 2)
    assert whole.state_grad_norms.shape == (3, 2, 12)
    np.testing.assert_array_equal(whole.loss[4], records[4].loss.numpy())
    np.testing.assert_array_equal(whole.metric[2], records[9].metric.numpy())
    for k, seed in enumerate(config.seeds):  # before training
        module, readout = model_of(config, seed)
        judged = TASKS["adding"].fixed(1000, 12, stream(SEED, "validation"))
        with torch.no_grad():
            figure = TASKS["adding"].metric.of(readout(module(judged.x)[0]), judged).item()
        assert whole.metric[0, k] == pytest.approx(figure, rel=1e-4)
    assert (whole.step, whole.finished, whole.solved) == (12, True, False)
    for cut in (0, 1, 5, 7, 12):
        joined = learning_of(config, records[:cut]).then(learning_of(config, records[cut:]))
        for name in ("steps", "loss", "grad_norm", "clipped", "metric", "state_grad_norms"):
            np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))
        early = whole.upto(cut)
        for name in ("steps", "loss", "eval_steps", "metric", "asked_steps"):
            np.testing.assert_array_equal(
                getattr(early, name), getattr(learning_of(config, records[:cut]), name)
            )
        assert early.finished == (cut == 12)
    assert whole.then(learning_of(config)).finished
