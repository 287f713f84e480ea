"""What all tests share: one thread, examples without a deadline, and no test whose means this machine lacks."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from ray import shutdown

from pipelines.runs.engine import Engine, Ray
from tests.pipelines.servers import programs

SHARED = Path(__file__).parents[2] / "shared" / "data"
"""Public series beside the repository, not part of it."""

torch.set_num_threads(1)
settings.register_profile("tests", deadline=None, max_examples=10, derandomize=True)
settings.load_profile("tests")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of public series; a test that asks for it runs only where the folder is."""
    return SHARED


@pytest.fixture(scope="session")
def ray() -> Iterator[Engine]:
    """A real Ray of two workers on this machine."""
    yield Ray(workers=2)
    shutdown()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    def lacks(item: pytest.Item) -> bool:
        fixtures = getattr(item, "fixturenames", ())
        gpu = item.get_closest_marker("gpu") is not None and not torch.cuda.is_available()
        given = (
            item.callspec.params.values() if hasattr(item, "callspec") else ()
        )  # "postgres" may be one of many sinks
        database = any(isinstance(one, str) and one == "postgres" for one in (*fixtures, *given)) and programs() is None
        systemd = "systemd" in fixtures and shutil.which("systemd-analyze") is None
        needed = [name for mark in item.iter_markers("needs") for name in mark.args]
        missing = systemd or None in map(shutil.which, needed)
        return gpu or database or missing or ("shared" in fixtures and not SHARED.is_dir())

    lacking = [item for item in items if lacks(item)]
    items[:] = [item for item in items if item not in lacking]
    config.hook.pytest_deselected(items=lacking)
