"""One map, wherever it is done: in order, lazily, with errors that arrive, and on Ray with workers that die."""

import os
import signal
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from forecaster.errors import DataError
from pipelines.runs.engine import Engine, Processes, engine


@pytest.fixture(scope="module", params=["one process", "processes", "ray"])
def made(request: pytest.FixtureRequest) -> Engine:
    """Each of them; Ray is one of two workers that all tests share."""
    if request.param == "ray":
        one: Engine = request.getfixturevalue("ray")
        return one
    return Processes(1 if request.param == "one process" else 2)


def square(values: np.ndarray) -> np.ndarray:
    values *= values  # in place: what a function gets is its own
    return values


def test_results_are_in_the_order_of_the_items(made: Engine) -> None:
    items = [np.full(3, float(k)) for k in range(20)]
    assert [result[0] for result in made.map(square, items)] == [k * k for k in range(20)]
    assert list(made.map(square, [])) == []


def refuse(item: int) -> int:
    raise DataError("it is odd", series=str(item), remedy="make it even")


def test_an_error_is_the_one_that_was_raised(made: Engine) -> None:
    with pytest.raises(DataError, match="series '3': it is odd; make it even") as caught:
        list(made.map(refuse, [3]))
    assert caught.value.remedy == "make it even"


def die_once(folder: Path, item: int) -> int:
    """The first process that is asked for the fifth item is killed."""
    mark = folder / "died"
    if item == 5 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def test_on_ray_a_killed_worker_changes_nothing(ray: Engine, tmp_path: Path) -> None:
    assert list(ray.map(partial(die_once, tmp_path), range(10))) == list(range(10))
    assert (tmp_path / "died").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("spark",), "no engine is called 'spark'"), (("processes", 2, "10.0.0.1:6379"), "add --engine ray")],
)
def test_what_cannot_be_had_is_told(arguments: tuple[str, int, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        engine(*arguments)
