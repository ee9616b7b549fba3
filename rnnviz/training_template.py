"""The text that training scripts are made of; braces stand for what `rnnviz.training_script` fills in."""

HEAD = '''"""{title}

{caption}
{what} Needs {needs}.
"""
from __future__ import annotations

{imports}

torch.set_num_threads(1)
'''

BATCH = '''

class Batch(NamedTuple):
    """Sequences and what is asked of them."""

    x: Tensor  # the input, (T, B, D)
    y: Tensor  # the targets: classes (T, B) or numbers (T, B, O)
    mask: Tensor  # 1 where an answer counts, (T, B)
    legal: Tensor | None = None  # which symbols may follow, (T, B, O)

'''

TRAIN = '''

def first_weights(draw, seed):
    """The cell's, and a readout's from a stream of its own: drawn in float64, then rounded."""
    cell = draw(seed)
    H = cell[1].shape[1]
    rng, bound = stream(seed, "readout"), 1 / math.sqrt(H)
    W_hy = torch.empty(O, H, dtype=torch.float64).uniform_(-bound, bound, generator=rng)
    b_y = torch.empty(O, dtype=torch.float64).uniform_(-bound, bound, generator=rng)
    return [w.to(dtype).requires_grad_() for w in (*cell, W_hy, b_y)]


def answers(cell, weights, x):
    """h_1 to h_T, and y_t = W_hy h_t + b_y at every step, (T, B, O)."""
    W_ih, W_hh, b_ih, b_hh, W_hy, b_y = weights
    h_all = cell(x.to(dtype), W_ih, W_hh, b_ih, b_hh)
    return h_all, torch.stack(h_all) @ W_hy.T + b_y


@torch.no_grad()
def judge(cell, weights):
    """The figure that a model is judged by, on sequences that none trains on."""
    parts = [answers(cell, weights, x)[1] for x in unseen.x.split(250, dim=1)]
    return measure(torch.cat(parts, dim=1), unseen).item()


def update(cell, weights, optimiser, batch):
    """One step of the optimiser; the loss before it and the gradient's norm before clipping."""
    h_all, y_all = answers(cell, weights, batch.x)
    loss = {loss}(y_all, batch)
    optimiser.zero_grad(){retain}
    loss.backward()
    gradient = torch.cat([w.grad.flatten() for w in weights])
    norm = gradient.double().norm().item()  # in float64, where no square overflows
    if math.isfinite(loss.item()) and math.isfinite(norm):
        for w in weights:
            w.grad *= min(1.0, clip / (norm + 1e-6))  # as torch.nn.utils.clip_grad_norm_
        optimiser.step()
    return loss.item(), norm, {reach}


def train(name, cell, draw):
    """One model a seed, side by side because they stop together; {rows}."""
    models = {{seed: first_weights(draw, seed) for seed in seeds}}
    optimisers = {{seed: optimiser(models[seed], lr=lr) for seed in seeds}}
    data = {{seed: stream(seed, "data") for seed in seeds}}
    diverged = set(){first}
    for step in range(1, steps + 1):
        evaluated = step % eval_every == 0 or step == steps
        figures = []
        for seed, weights in models.items():
            loss = norm = math.nan
            if seed not in diverged:
                batch = {draw}(batch_size, length, data[seed])
                loss, norm, reach = update(cell, weights, optimisers[seed], batch)
                if not (math.isfinite(loss) and math.isfinite(norm)):  # from here on the model rests
                    diverged.add(seed)
                    loss = norm = math.nan
            figure = ""
            if evaluated:
                figure = math.nan if seed in diverged else judge(cell, weights)
                figures.append(figure)
            {row}
        solved = evaluated and stop_at is not None and all(figure {reached} stop_at for figure in figures)
        if solved or len(diverged) == len(seeds):
            break{end}


print("{columns}")
'''

# The variant's parts: every update, or how far its gradient reaches back.
UPDATES = {
    "rows": "a row for each and every update",
    "columns": "cell,seed,step,loss,grad_norm,clipped,metric",
    "row": 'print(name, seed, step, loss, norm, norm > clip, figure, sep=",")',
    "retain": "",
    "first": """
    for seed, weights in models.items():  # before training
        print(name, seed, 0, "", "", "", judge(cell, weights), sep=",")""",
    "reach": "None",
    "end": "",
}
REACH = {
    "rows": "a row for each and every step of some updates",
    "columns": "cell,seed,step,t,norm",
    "row": """\
            if (step - 1) % reach_every == 0:
                for t, d_h in enumerate(reach, 1):
                    print(name, seed, step, t, math.nan if seed in diverged else d_h, sep=",")
""".strip(),
    "first": "",
    "retain": "\n    for h in h_all:\n        h.retain_grad()",
    "reach": "[h.grad.double().norm().item() for h in h_all]  # dL/dh_t over batch and units",
    "end": "",
}
# Or what came of each seed at the end.
OUTCOMES = {
    "rows": "a row for each at the end",
    "columns": "cell,scheme,lag,learning_rate,seed,metric,solved_at,steps,diverged",
    "first": """
    last = {seed: judge(cell, weights) for seed, weights in models.items()}  # the newest figures
    solved_at = {seed: 0 for seed in seeds if last[seed] REACHED success}
    made = dict.fromkeys(seeds, 0)  # updates""",
    "row": """\
            if seed not in diverged:
                made[seed] = step
            if evaluated:
                last[seed] = figure
                if figure REACHED success:
                    solved_at.setdefault(seed, step)
""".strip(),
    "retain": "",
    "reach": "None",
    "end": """
    for seed in seeds:
        figure = math.nan if seed in diverged else last[seed]
        came = figure, solved_at.get(seed, ""), made[seed], seed in diverged
        print(name, length, lr, seed, *came, sep=",")""",
}
