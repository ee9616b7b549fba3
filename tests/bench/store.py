"""The run store: what saving costs a run, how long a list takes, and a link to a finished run beside none."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, sync_playwright

from rnnviz import keeper
from rnnviz.keeper import StoreError
from rnnviz.lectures import LECTURES
from rnnviz.run_file import Kept, pack, unpack
from rnnviz.runs import Job, Pool
from rnnviz.store import SHELF, VARIABLE, Store
from tests.bench.app import RUN, served
from tests.bench.timing import Row
from tests.e2e.browser import launch
from tests.e2e.serve import ROOT

ROUNDS, STEPS = 7, 600
LISTED, OPENED = 1000, 9
# From the navigation to the frame after the first chart has something in it.
_PAINTED = """() => {
  const found = [...document.querySelectorAll("[data-testid=stVegaLiteChart]")]
    .some(chart => chart.querySelector("canvas, svg .mark-line path, svg .mark-group path"))
  return found && performance.now()
}"""


class Nowhere(Store):
    """Keeps nothing."""

    @contextmanager
    def keeping(self, id: str) -> Iterator[keeper.Keeper]:
        raise StoreError("nowhere")
        yield

    def trim(self, most: float) -> list[str]:
        return []


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        yield from saving(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        yield listing(Path(folder))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = launch(playwright)
        yield from opening(browser, Path(folder))
        browser.close()


def saving(folder: Path) -> Iterator[Row]:
    """The same run with and without a store, in turns, and the time that writing itself took."""
    job = Job(tuple(replace(c, steps=STEPS, stop_at=None) for c in LECTURES[0].job.configs))
    kept, lost = Pool(1, Store(folder)), Pool(1, Nowhere(folder))
    written: list[float] = []
    for name in ("going", "whole"):
        setattr(keeper.Keeper, name, _timed(getattr(keeper.Keeper, name), written))
    rounds = []
    for k in range(ROUNDS + 1):
        both = {pool: _seconds(pool, job) for pool in ((kept, lost) if k % 2 else (lost, kept))}
        if k:  # the first pays for the processes' start
            rounds.append((both[kept], both[lost], sum(written)))
        written.clear()
    mine, other, writing = (median(column) for column in zip(*rounds, strict=True))
    ratios = [a / b for a, b, _ in rounds]
    what = f"a run of 3 cells × 3 seeds, {STEPS} updates, kept"
    yield Row(what, "the same, not kept", 1e3 * mine, 1e3 * other, min(ratios), max(ratios), 1.02)
    shares = [w / a for a, _, w in rounds]
    yield Row("of it, writing", "the run", 1e3 * writing, 1e3 * mine, min(shares), max(shares), 0.02)


def _timed(method, spent):
    def timed(*given):
        start = time.perf_counter()
        method(*given)
        spent.append(time.perf_counter() - start)

    return timed


def _seconds(pool: Pool, job: Job) -> float:
    start = time.perf_counter()
    run = pool.submit(job, "bench")
    while run.active:
        time.sleep(0.002)
    assert run.status == "finished", run.why
    return time.perf_counter() - start


def _variants(count: int) -> Iterator[Kept]:
    """Runs of a usual size under other names: a lecture's, said to be of other seeds."""
    kept = unpack(next(iter(sorted(SHELF.glob("*")))).read_bytes())
    for k in range(1, count + 1):
        cells = []
        for cell in kept.cells:
            config = replace(cell.learning.config, seeds=(3 * k, 3 * k + 1, 3 * k + 2))
            cells.append(replace(cell, learning=replace(cell.learning, config=config)))
        yield replace(kept, cells=tuple(cells))


def listing(folder: Path) -> Row:
    """A thousand runs, listed by a server that has just started."""
    store = Store(folder)
    store.runs.mkdir(parents=True)
    data = pack(next(_variants(1)))
    for k in range(LISTED):
        store.path(f"{k:016x}").write_bytes(data)
    times = []
    for _ in range(9):
        start = time.perf_counter()
        found = Store(folder).listed()
        times.append(1e3 * (time.perf_counter() - start))
        assert len(found) == LISTED
        assert not any(run.problem for run in found)
    return Row(
        f"list of {LISTED:,} runs", "", median(times), 0.0, median(times), median(times), asked="< 100 ms"
    )


def opening(browser: Browser, folder: Path) -> Iterator[Row]:
    """A link to a run that the server has never read, beside pages on which nothing was trained."""
    store, links = Store(folder), []
    for kept in _variants(OPENED + 1):
        store.save(kept)
        links.append(f"/lab?lab_run={kept.id}")
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(folder)
    try:
        with served(RUN, ROOT) as address:
            others = {"Gradient flow": "/flow", "the lab without a run": "/lab?lab_H=31"}
            for link in (*others.values(), links.pop()):
                _first_picture(browser, address + link)
            rounds = [
                (
                    _first_picture(browser, address + link),
                    *(_first_picture(browser, address + other) for other in others.values()),
                )
                for link in links
            ]
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before
    for k, name in enumerate(others, 1):
        ratios = [times[0] / times[k] for times in rounds]
        yield Row(
            "a finished run's link to its first picture",
            f"{name}, to its first picture",
            median(times[0] for times in rounds),
            median(times[k] for times in rounds),
            min(ratios),
            max(ratios),
            1.2,
        )


def _first_picture(browser: Browser, link: str) -> float:
    """Milliseconds, in a visitor's first tab."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.goto(link)
    at: float = page.wait_for_function(_PAINTED, polling="raf").json_value()
    page.close()
    return at
