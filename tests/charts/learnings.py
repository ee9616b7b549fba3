"""Made-up runs for the figures of the Memory lab: a plateau, a drop, a divergence, gradients that vanish."""

import numpy as np

from rnnviz.engine.learning import Learning
from rnnviz.engine.train import Divergence, TrainConfig

FALL = {"rnn": (2.0, 0.0), "lstm": (0.3, 1.6), "gru": (0.55, 1.4)}  # when of the budget, decades


def config(cell, seeds=(0, 1, 2), steps=2000, **more):
    return TrainConfig("adding", 50, cell, seeds=tuple(seeds), steps=steps, **more)


def learning(
    cell="lstm", N=400, K=3, seed=0, every=25, asked=20, T=50, dies=None, budget=None, steps=2000
) -> Learning:
    """N updates of K seeds; ``dies`` (k, step) says which goes out of bounds, and when."""
    rng = np.random.default_rng(seed)
    when, deep = FALL[cell]
    t = np.arange(1, N + 1)
    shift = rng.normal(0, 0.06, K)
    share = 1 / (1 + np.exp(-((t[:, None] / (budget or max(N, 1))) - when - shift) * 18))
    loss = (1 / 6) * (1 + 2 * np.exp(-t / 15))[:, None] * 10 ** (-deep * share)
    loss = loss * np.exp(rng.normal(0, 0.16, (N, K)))
    norm = np.exp(rng.normal(-0.7, 0.9, (N, K))) * (1 + 3 * np.exp(-((share - 0.5) ** 2) * 30) * (deep > 0))
    at = t[t % every == 0]
    metric = loss[at - 1] * 0.9
    ask = t[(t - 1) % asked == 0] if asked else t[:0]
    back = np.arange(T - 1, -1, -1)
    fade = {"rnn": 0.24, "lstm": 0.16, "gru": 0.1}[cell]
    opened = share[ask - 1][:, :, None] * (deep > 0)
    logs = -1.7 - back * fade * (1 - 0.9 * opened) + rng.normal(0, 0.15, (len(ask), K, T))
    norms, diverged = 10**logs, ()
    if dies:
        k, step = dies
        loss[t >= step, k] = norm[t >= step, k] = metric[at >= step, k] = norms[ask >= step, k] = np.nan
        before = float(norm[step - 2, k]) if step > 1 else 0.0
        diverged = (Divergence(k, step, "the loss is nan", before),)
    every_n = {"eval_every": every, "state_grads_every": asked}
    return Learning(
        config(cell, range(K), steps, **every_n), t, loss, norm, norm > 1.0, at, metric, ask, norms, diverged
    )


def three(N=2000, K=3, seed=0, **more) -> list[Learning]:
    """The three cells side by side, their RNN's second seed lost on the way."""
    lost = {"dies": (1, 3 * N // 5)} if N > 10 and K > 1 else {}
    return [
        learning(cell, N, K, seed + k, **more, **(lost if cell == "rnn" else {}))
        for k, cell in enumerate(("rnn", "lstm", "gru"))
    ]
