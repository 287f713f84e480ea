"""An MLflow store of each test's own, a real MLflow server, other servers, and small artifacts to keep in them."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from forecaster.artifact import Artifact, save
from forecaster.manifest import ArtifactSpec, Training
from forecaster.spec import CoreSpec, ModelSpec, RecurrentSpec, Task
from pipelines.batches.covariates import describe
from pipelines.data.doors import panel_from_frame
from pipelines.data.panel import Panel
from tests.examples import Example
from tests.pipelines.processes import free_port, running
from tests.pipelines.servers import postgres as postgres
from tests.pipelines.servers import postgres_url as postgres_url
from tests.pipelines.servers import s3 as s3
from tests.pipelines.servers import s3_server as s3_server

HORIZON = 4
SMALL = RecurrentSpec(core=CoreSpec(width=8, layers=1))


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new MLflow database, which takes seconds to make and none to copy."""
    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def home(tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with a space in its name and an empty store in it."""
    folder = tmp_path / "at home"
    (folder / "mlruns").mkdir(parents=True)
    shutil.copy(empty_database, folder / "mlruns" / "mlflow.db")
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return folder


@pytest.fixture(scope="session")
def server_uri(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[str]:
    """A real MLflow server that keeps the artifacts itself."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(empty_database, folder / "mlflow.db")
    uri = f"http://127.0.0.1:{free_port()}"
    with mlflow_server(folder, uri):
        yield uri


def mlflow_server(folder: Path, uri: str) -> AbstractContextManager["subprocess.Popen[bytes]"]:
    """An MLflow server that has all it keeps in `folder`."""
    command = ["-m", "mlflow", "server", "--host", "127.0.0.1", "--port", uri.rpartition(":")[2], "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    return running(command, f"{uri}/health", {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"})


@pytest.fixture(params=["local", "server"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The default store of `home`, and a server."""
    if request.param == "server":
        monkeypatch.setenv("MLFLOW_TRACKING_URI", request.getfixturevalue("server_uri"))
    return str(request.param)


def flip(file: Path, position: int) -> None:
    """Change one bit."""
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(content)


def hourly(**columns: Any) -> pd.DataFrame:
    """Two series over the end of summer time, in whole numbers, with more columns if given."""
    times = pd.date_range("2024-04-05", periods=60, freq="h", tz="Australia/Melbourne")
    a, b = ({"unique_id": name, "ds": times, "y": np.arange(60) % 24 + lift} for name, lift in (("a", 5), ("b", 90)))
    return pd.concat([pd.DataFrame(a), pd.DataFrame(b)], ignore_index=True).assign(**columns)


def steps() -> pd.DataFrame:
    """One series counted in steps."""
    return pd.DataFrame({"unique_id": "a", "ds": np.arange(30), "y": np.sin(np.arange(30.0))})


def make_artifact(folder: Path, panel: Panel, seed: int = 0, model: ModelSpec = SMALL) -> str:
    """A model that has learned nothing, a small network unless told otherwise, saved; returns its digest."""
    data = describe(panel)
    task = Task(
        horizon=HORIZON,
        seasons=(24,),
        known=len(data.known) + len(data.calendar),
        past=len(data.past),
        static=tuple(len(category.values) for category in data.static),
    )
    training = Training(series=len(panel), observations=panel.total, start=None, until=None, digest=panel.digest)
    spec = ArtifactSpec(candidate="lstm", data=data, task=task, model=model, training=training, packages={})
    return save(Artifact(spec, Example(model, task).model(seed)), folder)


@pytest.fixture
def panel() -> Panel:
    """`hourly` as a panel."""
    return panel_from_frame(hourly())


@pytest.fixture
def artifact(panel: Panel, tmp_path: Path) -> Callable[[int], tuple[Path, str]]:
    """Makes artifacts for `panel`, one of each seed: their folder and digest."""

    @cache
    def make(seed: int) -> tuple[Path, str]:
        folder = tmp_path / f"artifact {seed}"
        return folder, make_artifact(folder, panel, seed)

    return make
