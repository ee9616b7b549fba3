"""A Dask cluster as workers of a sweep."""

from __future__ import annotations

import pickle
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from typing import Any, TypeVar

from rnnviz import run_file

SAME = ("rnnviz", "torch", "numpy")  # versions on which the numbers depend
STARTS = 60.0  # seconds in which every worker must have loaded torch
T = TypeVar("T")


class ClusterError(ValueError):
    """A cluster that cannot be used; says why in a sentence."""


class Cluster:
    """The workers of a Dask scheduler, with the interface of an executor."""

    width = float("inf")  # the scheduler keeps the queue, and workers may come and go
    one_fate = False

    def __init__(self, address: str, patience: float) -> None:
        """Connect, and see to it that every worker can do what it will be asked.

        Raises:
            ClusterError: no package, no answer, no worker, or workers of other versions.
        """
        try:
            import distributed
        except ImportError:
            raise ClusterError(
                "A cluster needs the package distributed: pip install -r requirements-cluster.txt."
            ) from None
        self._address, self._patience = address[:80], patience
        self.lost: tuple[type[BaseException], ...] = (distributed.KilledWorker,)
        self._knock(address)
        make: Any = distributed.Client  # its methods have no types
        nobody = f"What listens at {self._address} does not answer as a Dask scheduler does."
        try:
            self._client = _within(
                patience, lambda: make(address, timeout=patience, set_as_default=False), nobody
            )
        except (OSError, ValueError) as error:
            raise ClusterError(str(error) if isinstance(error, ClusterError) else nobody) from None
        try:
            self._inspect()
        except BaseException:
            self._close()
            raise
        # Not pure: a call is made as often as it is asked for, whatever became of it before.
        self._executor = self._client.get_executor(pure=False)

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Have a call made by a worker."""
        future: Future[Any] = self._executor.submit(pickle.loads, _call(fn, *args))
        return future

    def trouble(self) -> str:
        """Whether there are workers at this moment."""
        with suppress(OSError):
            if not self._client.sync(self._client.scheduler.ncores, callback_timeout=self._patience):
                return f"The cluster at {self._address} has no workers at this moment; it waits for them."
        return ""

    def end(self) -> None:
        """Drop what has not begun; what a worker has begun it ends, and nobody hears of it."""
        with suppress(OSError, RuntimeError):
            self._executor.shutdown(wait=False)
        self._close()

    def _close(self) -> None:
        with suppress(OSError, RuntimeError, AssertionError):  # of a scheduler that is gone
            self._client.close(timeout=self._patience)

    def _knock(self, address: str) -> None:
        """Refuse an address where nobody listens, before a client tries for long."""
        from distributed.comm.addressing import get_address_host_port

        try:
            host, port = get_address_host_port(address)
        except ValueError as error:
            raise ClusterError(
                f"{self._address!r} is no scheduler's address ({error}); such are: tcp://10.0.0.1:8786."
            ) from None
        try:
            socket.create_connection((host, port), self._patience).close()
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise ClusterError(f"Nobody answers at {self._address} ({why}).") from None

    def _inspect(self) -> None:
        """Refuse a cluster without workers, or with one that cannot do the work or would do another."""
        try:
            self._client.wait_for_workers(1, timeout=self._patience)
        except OSError:  # a TimeoutError is one
            raise ClusterError(
                f"The cluster at {self._address} has no workers; start some: dask worker {self._address}."
            ) from None
        try:
            answers = _within(
                STARTS,
                lambda: self._client.run(pickle.loads, _call(run_file.versions), on_error="return"),
                f"The workers of the cluster at {self._address} do not answer.",
            )
        except OSError:
            raise ClusterError(f"The cluster at {self._address} went away.") from None
        for worker, answer in answers.items():
            if isinstance(answer, ImportError):
                raise ClusterError(
                    f"The worker {worker} cannot import {answer.name or 'rnnviz'}: start it in a working "
                    "copy of rnnviz, with PYTHONPATH=. and the packages of requirements-cluster.txt."
                )
            if isinstance(answer, BaseException):
                raise ClusterError(f"The worker {worker} failed: {type(answer).__name__}: {answer}.")
            check_versions(f"The worker {worker}", answer)


def check_versions(who: str, theirs: dict[str, str]) -> None:
    """Refuse what was made by other versions than would make it here.

    Raises:
        ClusterError: naming the first that differs.
    """
    ours = run_file.versions()
    for name in SAME:
        if theirs.get(name) != ours[name]:
            raise ClusterError(
                f"{who} has {name} {theirs.get(name, 'of no version')}; here it is {ours[name]}."
            )


class _Call:
    """A call that is made when it is unpickled.

    Neither the scheduler nor a worker needs anything of ours to take such bytes in. A worker that cannot
    import rnnviz says so; a function sent by name would leave it silent, and the sweep waiting for ever.
    """

    def __init__(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._made_of = fn, args

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self._made_of


def _call(fn: Callable[..., Any], *args: Any) -> bytes:
    return pickle.dumps(_Call(fn, args))


def _within(seconds: float, call: Callable[[], T], late: str) -> T:
    """What a call returns or raises, unless it takes too long: then a ClusterError that says ``late``."""
    answer: Future[T] = Future()

    def make() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=make, daemon=True, name="cluster").start()
    try:
        # A little more, so that a call that knows its own limit is heard.
        return answer.result(seconds + 2)
    except FutureTimeout:
        raise ClusterError(late) from None
