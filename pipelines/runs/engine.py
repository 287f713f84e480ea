"""Where independent parts of a job are done: in processes of this machine, or on a Ray cluster."""

import logging
import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from typing import Any, TypeVar

from joblib import Parallel, cpu_count, delayed

from forecaster.errors import DataError

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 2
"""Items per worker that are under way, so that none waits for the next."""
ENGINES = ("processes", "ray")


class Engine(ABC):
    """A map over items. Functions and items move by value, and only between our own processes."""

    workers: int
    """Items that are worked on at a time."""
    here: bool
    """Whether it is this very process that works."""

    @abstractmethod
    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """The results in the order of the items, each as soon as it and those before it are there.

        Few items are under way at a time. What `function` raises is raised here.
        """


class Processes(Engine):
    """Processes of this machine, which share its threads evenly; a single one is this process itself.

    One that is killed ends the map with an error: what it has written by then is found by whoever maps again.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or cpu_count()
        self.here = self.workers == 1

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        if self.here:
            return map(function, items)
        calls = (delayed(function)(item) for item in items)
        few = {"batch_size": 1, "pre_dispatch": AHEAD * self.workers}
        results: Iterator[R] = Parallel(self.workers, return_as="generator", max_nbytes=None, **few)(calls)
        return results


HERE = Processes(1)
"""This process."""


class Ray(Engine):
    """A Ray cluster, or one that is started on this machine and ends with this process.

    A task whose worker is killed is done again on another. Raises DataError where Ray is not installed or not reached.
    """

    here = False

    def __init__(self, address: str | None = None, workers: int | None = None) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # tasks of one machine share its GPUs
        try:
            import ray
        except ImportError as error:
            raise DataError("Ray is not installed", remedy="pip install 'forecaster[ray]'") from error
        try:
            ray.init(
                address or "local",
                num_cpus=workers if address is None else None,  # a running cluster has its own
                ignore_reinit_error=True,
                logging_level=logging.WARNING,
            )
        except ConnectionError as error:
            remedy = "start one by `ray start --head`, or leave --address out"
            raise DataError(f"no Ray cluster at {address}", remedy=remedy) from error
        self.workers = workers or int(ray.cluster_resources()["CPU"])

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        import ray

        task: Any = ray.remote(_call)
        shared = ray.put(function)
        waiting: deque[Any] = deque()
        for item in items:
            waiting.append(task.remote(shared, item))
            if len(waiting) == AHEAD * self.workers:
                yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())


def engine(name: str, workers: int | None = None, address: str | None = None, *, alone: bool = False) -> Engine:
    """The engine of a name; `alone` makes this process of processes of which no number is given.

    Raises DataError on one that there is not, or that takes no address.
    """
    if name not in ENGINES:
        raise DataError(f"no engine is called {name!r}", remedy=f"choose from {', '.join(ENGINES)}")
    if name == "ray":
        return Ray(address, workers)
    if address is not None:
        raise DataError(f"an address of {address!r} for processes of this machine", remedy="add --engine ray")
    return Processes(1 if alone and workers is None else workers)


def _call(function: Callable[[T], R], item: T) -> R:
    function, item = deepcopy((function, item))  # arrays that Ray shares between processes cannot be written to
    return function(item)


def _result(reference: Any) -> Any:
    import ray

    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
