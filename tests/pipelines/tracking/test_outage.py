"""MLflow killed or frozen in the middle of a training: nobody waits for it, and nothing is lost."""

import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient
from typer.testing import CliRunner

from pipelines.cli.app import app
from pipelines.faults import AGAIN, UnavailableError
from pipelines.recipes.recipe import Recipe, recipes
from pipelines.registry.versions import versions
from pipelines.tracking import outbox
from pipelines.tracking.outbox import Outbox
from pipelines.tracking.run import Run
from pipelines.training.job import run
from pipelines.training.settings import TrainSettings
from tests.pipelines.conftest import mlflow_server
from tests.pipelines.processes import free_port

QUICK = "summary: for tests\nmodel: {kind: recurrent, core: {cell: gru, width: 8, layers: 1}}\nfit: {updates: 40}\n"
SECONDS = 5.0
"""What a call of a server that does not answer may take."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe that takes a second."""
    known = recipes() | {"quick": Recipe.model_validate(yaml.safe_load(QUICK))}
    monkeypatch.setattr("pipelines.recipes.recipe.recipes", lambda: known)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each call of the job took that might have waited for MLflow."""
    taken: list[float] = []

    def timed(method: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: Any) -> None:
            began = time.monotonic()
            try:
                method(*arguments)
            finally:
                taken.append(time.monotonic() - began)

        return call

    for name in ("put", "empty"):
        monkeypatch.setattr(Outbox, name, timed(getattr(Outbox, name)))
    return taken


@pytest.fixture
def settings(home: Path) -> TrainSettings:
    steps = np.arange(60)
    times = pd.date_range("2015-01-01", periods=60, freq="MS")
    frames = [
        pd.DataFrame({"unique_id": f"s{i}", "ds": times, "y": 100 + i + 10 * np.sin(steps / 2)}) for i in range(3)
    ]
    pd.concat(frames).to_csv(home / "series.csv", index=False)
    return TrainSettings.model_validate(
        {"source": home / "series.csv", "horizon": 6, "recipes": ("seasonal_naive", "quick"), "budget": "60s"}
    )


@pytest.fixture(params=["dead", "frozen"])
def silent(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A store at which nobody listens, and one that takes every connection and never says a word."""
    with closing(socket.socket()) as frozen:
        frozen.bind(("127.0.0.1", 0))
        frozen.listen()
        port = frozen.getsockname()[1] if request.param == "frozen" else free_port()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
        yield


@pytest.fixture
def address(tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """The folder of a new store, and where jobs look for the server of it that a test starts."""
    folder, uri = tmp_path / "store", f"http://127.0.0.1:{free_port()}"
    folder.mkdir()
    shutil.copy(empty_database, folder / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return folder, uri


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_training_goes_on_without_mlflow_and_is_told_to_it_later(
    fault: signal.Signals,
    settings: TrainSettings,
    calls: list[float],
    home: Path,
    address: tuple[Path, str],
) -> None:
    folder, uri = address
    epochs: list[str] = []
    with mlflow_server(folder, uri) as server:

        def end_it(name: str, *_: object) -> None:
            epochs.append(name)
            if len(epochs) == 2:
                os.killpg(server.pid, fault)

        with pytest.raises(UnavailableError, match="does not answer"):
            run(settings, end_it)
        assert epochs.count("quick") >= 2, "it was trained to its end"
        assert "quick.refit" in epochs or list((home / "mlruns/work").glob("*/model/weights.safetensors"))
        assert max(calls) < SECONDS
        if fault == signal.SIGSTOP:
            os.killpg(server.pid, signal.SIGCONT)
            again(settings, uri)
    if fault == signal.SIGKILL:
        with mlflow_server(folder, uri):
            again(settings, uri)


def again(settings: TrainSettings, uri: str) -> None:
    """The same job once more: nothing is trained, and MLflow has all of it once."""
    epochs: list[str] = []
    run(settings, lambda name, *_: epochs.append(name))
    assert len(epochs) <= 1, "but for the last epoch of a training that was stopped early"
    assert [one.version for one in versions(settings.name) if one.champion] == ["1"]
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(settings.name)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    names = [str(one.info.run_name) for one in runs]
    assert len(set(names)) == len(names), "none is there twice"
    assert {"train", "seasonal_naive", "quick"} <= set(names)
    assert {one.info.status for one in runs} == {"FINISHED"}
    (quick,) = (one for one in runs if one.info.run_name == "quick")
    steps = [point.step for point in client.get_metric_history(quick.info.run_id, "loss")]
    assert steps == list(range(len(steps)))
    assert steps


def test_mlflow_that_is_back_before_the_end_has_all_of_it(
    settings: TrainSettings, home: Path, address: tuple[Path, str]
) -> None:
    folder, uri = address
    epochs: list[str] = []
    with mlflow_server(folder, uri) as server:

        def a_while(name: str, *_: object) -> None:
            epochs.append(name)
            if len(epochs) == 1:
                os.killpg(server.pid, signal.SIGSTOP)
            if name == "quick.refit":
                os.killpg(server.pid, signal.SIGCONT)

        run(settings, a_while)
        again_runs = MlflowClient(uri).search_runs(["1"])
        assert {one.info.status for one in again_runs} == {"FINISHED"}
    assert not list((home / "mlruns" / "work").iterdir())


@pytest.mark.usefixtures("silent")
def test_one_line_says_that_the_same_command_goes_on(settings: TrainSettings, calls: list[float]) -> None:
    command = ["train", str(settings.source), "--horizon", "6", "--recipe", "seasonal_naive"]
    ended = CliRunner().invoke(app, command)
    assert ended.exit_code == AGAIN
    last = ended.output.strip().splitlines()[-1]
    assert last.startswith("error: MLflow at http://127.0.0.1:")
    assert last.endswith("what was done is kept, and the same command goes on once it answers")
    assert "Traceback" not in ended.output
    assert max(calls) < SECONDS


@pytest.mark.usefixtures("silent")
def test_a_server_that_is_silent_is_left_alone_for_a_while(calls: list[float]) -> None:
    began = time.monotonic()

    def log_much() -> None:
        with Run.start("experiment", "lstm") as one:
            for step in range(100):
                one.metrics({"loss": 1.0}, step)

    with pytest.raises(UnavailableError):
        log_much()
    assert time.monotonic() - began < 2 * SECONDS
    assert max(calls) < SECONDS


@pytest.mark.usefixtures("home")
def test_what_waits_is_told_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "PAUSE", 0.0)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    with Run.start("experiment", "train") as parent:
        with Run.start("experiment", "lstm", parent=parent) as child:
            child.metrics({"loss": 2.0}, 1)
        parent.params({"champion": "lstm"})
        monkeypatch.delenv("MLFLOW_TRACKING_URI")
        child.metrics({"loss": 1.0}, 2)
    kept = child.client.get_run(child.id)
    assert kept.data.tags["mlflow.parentRunId"] == parent.id
    assert [point.value for point in child.client.get_metric_history(child.id, "loss")] == [2.0, 1.0]
    assert parent.client.get_run(parent.id).data.params == {"champion": "lstm"}
    assert kept.info.status == "FINISHED"
