"""The sweep from the command line, as a process."""

import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from rnnviz.engine.train import TrainConfig
from rnnviz.keeper import StoreError
from rnnviz.run_file import unpack
from rnnviz.store import Store
from rnnviz.sweep import Sweep, known
from rnnviz.sweep import __main__ as module
from rnnviz.sweep.__main__ import main
from rnnviz.sweep.work import train_one
from tests.sweep.ground import Here, table_here, wait

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {
    "--task": "recall",
    "--lags": "300,5,6,7",
    "--cells": "rnn,lstm",
    "--init": "torch,chrono",
    "--lr": "0.02",
    "--steps": "60",
    "--seeds": "2",
    "--hidden": "4",
    "--batch": "5",
    "--optimizer": "rmsprop",
    "--clip": "never",
    "--forget-bias": "2",
    "--first-seed": "7",
}


def asked(**changes):
    given = SETTINGS | {f"--{name}": value for name, value in changes.items()}
    return [word for pair in given.items() for word in pair]


SWEEP = Sweep(
    TrainConfig(
        "recall",
        5,
        hidden_size=4,
        seeds=(7, 8),
        steps=60,
        batch_size=5,
        optimizer="rmsprop",
        clip=None,
        forget_bias=2.0,
        stop_at=0.99,
    ),
    (5, 6, 7, 300),
    ("rnn", "lstm"),
    ("torch", "chrono"),
    (0.02,),
)
FEW = Sweep(replace(SWEEP.base, steps=5), (5, 6), SWEEP.cells, SWEEP.schemes, SWEEP.lrs)
ASKED, ASKED_FEW = asked(), asked(steps="5", lags="5,6")


def command(home, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "rnnviz.sweep", *arguments],
        cwd=ROOT,
        env={**os.environ, "RNNVIZ_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def stopped(home, file):
    """A sweep stopped after its first trainings: its process, and what it wrote and said."""
    process = command(home, *ASKED, "--workers", "2", "--csv", str(file))
    wait(lambda: known(SWEEP, Store(home)))
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process
    return process, *process.communicate(timeout=100)


def test_stopped_and_started_again_it_gives_the_whole_table(tmp_path):
    file = tmp_path / "table.csv"
    for k in range(3):  # on a busy machine it may be through before it can be stopped
        home = tmp_path / f"home{k}"
        process, out, said = stopped(home, file)
        if process.returncode:
            break
        file.unlink()
    assert (process.returncode, out) == (130, ""), said
    done = int(re.search(r"Stopped\. (\d+) of 12 trainings are finished; the same command computes", said)[1])
    assert 0 < done < 12
    assert "Traceback" not in said
    assert "KeyboardInterrupt" not in said
    assert not file.exists()
    assert len(known(SWEEP, Store(home))) == 2 * done

    process = command(home, *ASKED, "--workers", "1", "--csv", str(file))
    out, said = process.communicate(timeout=100)
    assert (process.returncode, out) == (0, ""), said
    assert f" {done} of 12 trainings" in said
    assert "100 % |" in said
    assert "12 of 12 trainings" in said
    assert file.read_text(encoding="utf-8") == table_here(SWEEP)
    assert [path.name for path in file.parent.iterdir() if path.is_file()] == ["table.csv"]


@pytest.fixture
def finished(tmp_path, monkeypatch):
    """A store that has the small sweep, so that the command only tells."""
    store = Store(tmp_path / "home")
    for config in FEW.configs:
        store.save(unpack(train_one(config)))
    monkeypatch.setattr(module, "store", lambda: store)
    return store


def test_the_table_is_all_that_stdout_gets(finished, capsys):
    assert main(ASKED_FEW) == 0
    out, said = capsys.readouterr()
    assert out == table_here(FEW)
    assert "6 of 6 trainings" in said


def test_a_table_that_cannot_be_written_is_a_sentence(finished, monkeypatch, capsys, tmp_path):
    def full(*_):
        raise OSError(28, "No space left on device")

    (tmp_path / "old.csv").write_text("old", encoding="utf-8")
    monkeypatch.setattr(os, "replace", full)
    assert main([*ASKED_FEW, "--csv", str(tmp_path / "old.csv")]) == 1
    assert capsys.readouterr().err.endswith("The table could not be written: No space left on device.\n")
    assert (tmp_path / "old.csv").read_text(encoding="utf-8") == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "old.csv"]


def test_a_sweep_that_fails_says_why(capsys):
    port = "tcp://127.0.0.1:1"
    assert main([*asked(steps="4"), "--scheduler", port]) == 1
    said = capsys.readouterr().err
    assert said.endswith(
        "Nobody answers at tcp://127.0.0.1:1 (Connection refused). 0 of 12 trainings are finished; "
        "the same command computes the rest.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--task recall", "the following arguments are required: --lags"),
        ("--task dog --lags 5", "argument --task: invalid choice: 'dog'"),
        ("--task recall --lags five", "argument --lags: 'five' is no list such as 10,20,50"),
        ("--task recall --lags 0,5", "length is 0; Delayed recall allows 1 to 1000 steps to wait"),
        ("--task recall --lags 5,5", "lengths is (5, 5); allowed: at least one, and each once"),
        ("--task recall --lags 5 --cells dog", "cells is ('dog',); allowed: at least one of 'rnn'"),
        ("--task recall --lags 5 --init dog", "schemes is ('dog',); allowed"),
        ("--task recall --lags 5 --lr 0", "lr is 0.0; allowed: a number from"),
        ("--task recall --lags 5 --steps 0", "steps is 0; allowed: a whole number from 1 up"),
        ("--task recall --lags 5 --seeds 11", "Seeds: 11; allowed here: up to 10"),
        ("--task recall --lags 5 --hidden x", "argument --hidden: invalid int value: 'x'"),
        ("--task recall --lags 5 --clip x", "argument --clip: 'x'; allowed: a number, or never"),
        ("--task recall --lags 5 --workers 0", "argument --workers: '0'; allowed: 1 to 64"),
        ("--task recall --lags 5 --csv /no/such/folder/x.csv", "/no/such/folder/x.csv cannot be written"),
        ("--task recall --lags 5 --dogs", "unrecognized arguments: --dogs"),
    ],
)
def test_wrong_arguments_are_a_sentence(arguments, said, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments.split())
    assert stopped.value.code == 2
    out, err = capsys.readouterr()
    last = err.splitlines()[-1]
    assert out == ""
    assert last.startswith("python -m rnnviz.sweep: error: ")
    assert said in last


def test_a_wrong_environment_is_a_sentence(monkeypatch, capsys):
    monkeypatch.setenv("RNNVIZ_WORKERS", "many")
    with pytest.raises(SystemExit):
        main(["--task", "recall", "--lags", "5"])
    assert "RNNVIZ_WORKERS is “many”; allowed: 1 to 64." in capsys.readouterr().err


def test_where_the_store_cannot_keep_it_the_table_does(monkeypatch, capsys, tmp_path):
    def full(kept):
        raise StoreError("The disk is full.")

    def instead(config):
        if config == FEW.configs[-1]:
            raise ZeroDivisionError

    store = Store(tmp_path)
    monkeypatch.setattr(store, "save", full)
    monkeypatch.setattr(module, "store", lambda: store)
    Here(instead).instead_of(monkeypatch)
    assert main(ASKED_FEW) == 1
    out, said = capsys.readouterr()
    assert out == "".join(table_here(FEW).splitlines(keepends=True)[:-2])
    assert "The disk is full." in said
    assert said.endswith("5 of 6 trainings are finished; the table has them.\n")
