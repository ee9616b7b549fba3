"""Memory is used again when nothing refers to it, and never a moment before."""

import gc

import torch

from rnnviz.engine import CELLS, init_params, memory, unroll

LIKE = torch.zeros(1, dtype=torch.float64)
N = memory.LEAST // 8 + 7  # numbers; a size that nothing else asks for


def test_a_block_comes_back_only_when_its_last_view_is_gone():
    first = memory.empty(LIKE, N)
    place, view = first.data_ptr(), first[5:10]
    del first
    gc.collect()
    second = memory.empty(LIKE, N)
    assert second.data_ptr() != place
    del view
    gc.collect()
    third = memory.empty(LIKE, N)
    assert third.data_ptr() == place
    assert third.shape == (N,)
    assert third.dtype == torch.float64


def test_small_ones_and_other_sizes_are_not_mixed_up():
    kept = memory.empty(LIKE, N)
    place = kept.data_ptr()
    del kept
    gc.collect()
    assert memory.empty(LIKE, N - 1).data_ptr() != place
    small = memory.empty(LIKE.float(), 2, 3)
    assert (small.shape, small.dtype) == ((2, 3), torch.float32)


def test_no_more_waits_than_is_said():
    for _ in range(3):
        several = [memory.empty(LIKE, memory.MOST_IDLE // 32) for _ in range(6)]
        del several
        gc.collect()
        assert memory._waiting <= memory.MOST_IDLE
        assert memory._waiting == sum(b.nbytes for blocks in memory._idle.values() for b in blocks)


def test_a_record_does_not_change_when_others_come_and_go():
    spec = CELLS["lstm"]
    params = init_params(spec, 64, 64)
    x = torch.randn(200, 16, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    trace = unroll(spec, params, x)
    copies = {name: value.clone() for name, value in {**trace.states, **trace.gates, "x": trace.x}.items()}
    for k in range(4):
        unroll(spec, params, x + k)
    x.zero_()
    for name, value in {**trace.states, **trace.gates, "x": trace.x}.items():
        assert torch.equal(value, copies[name])
