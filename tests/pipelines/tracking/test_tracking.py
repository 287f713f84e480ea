"""What a run leaves in MLflow, and that it never hangs or hides an error."""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.telemetry import get_telemetry_client

from forecaster.errors import DataError
from pipelines.data.panel import Panel
from pipelines.faults import UnavailableError
from pipelines.tracking.connection import SETTINGS, connect, tracking_uri
from pipelines.tracking.run import Run
from tests.pipelines.processes import free_port

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def run() -> Iterator[Run]:
    with Run.start("experiment", "lstm") as started:
        yield started


def points(run: Run, name: str) -> dict[int, float]:
    return {point.step: point.value for point in run.client.get_metric_history(run.id, name)}


def status(run: Run) -> str:
    return str(run.client.get_run(run.id).info.status)


def test_the_default_store_is_in_the_working_folder(home: Path) -> None:
    assert tracking_uri() == f"sqlite:///{home / 'mlruns' / 'mlflow.db'}"
    with Run.start("experiment", "lstm") as run:
        place = run.client.get_run(run.id).info.artifact_uri
    assert place.startswith((home / "mlruns" / "artifacts").as_uri())


def test_another_store_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow.example:5000")
    assert tracking_uri() == "http://mlflow.example:5000"


def test_nothing_is_sent_to_anyone() -> None:
    assert SETTINGS["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert get_telemetry_client() is None


@pytest.mark.usefixtures("store")
def test_an_experiment_that_was_deleted_is_told() -> None:
    with Run.start("experiment", "lstm") as run:
        known = run.experiment_id
    connect().delete_experiment(known)
    deleted = "the experiment 'experiment' was deleted; restore it in MLflow"
    with pytest.raises(DataError, match=deleted), Run.start("experiment", "lstm"):
        pass


@pytest.mark.parametrize("copied", [True, False])
def test_a_store_that_was_moved_is_not_written_to_where_it_was(
    home: Path, monkeypatch: pytest.MonkeyPatch, copied: bool
) -> None:
    with Run.start("experiment", "lstm"):
        pass
    (home / "there").mkdir()
    (shutil.copytree if copied else shutil.move)(home / "mlruns", home / "there" / "mlruns")
    monkeypatch.chdir(home / "there")
    said = r"says that artifacts are in .*/mlruns/artifacts, where it was before; tell it"
    with pytest.raises(DataError, match=said), Run.start("experiment", "lstm"):
        pass


def test_a_store_is_the_same_by_another_name(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Run.start("experiment", "lstm"):
        pass
    (home / "link").mkdir()
    (home / "link" / "mlruns").symlink_to(home / "mlruns")
    monkeypatch.chdir(home / "link")
    with Run.start("experiment", "lstm") as run:
        assert status(run) == "RUNNING"


def test_a_store_of_no_kind_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "foo://bar")
    with pytest.raises(DataError, match=r"MLFLOW_TRACKING_URI: .*; such as http://host:5000"):
        connect()


def test_a_database_in_a_folder_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/new/mlflow.db")
    assert connect().search_experiments()


@pytest.mark.usefixtures("store")
def test_a_run_and_its_children() -> None:
    with Run.start("experiment", "train", tags={"seed": "0"}) as parent:
        assert status(parent) == "RUNNING"
        with Run.start("experiment", "lstm", parent=parent) as child:
            pass
    assert status(parent) == status(child) == "FINISHED"
    assert child.client.get_run(child.id).data.tags["mlflow.parentRunId"] == parent.id
    kept = parent.client.get_run(parent.id)
    assert kept.info.run_name == "train"
    assert kept.data.tags["seed"] == "0"
    assert kept.data.tags["mlflow.user"]


@pytest.mark.parametrize(
    ("error", "ended"), [(ValueError, "FAILED"), (SystemExit, "FAILED"), (KeyboardInterrupt, "KILLED")]
)
def test_a_run_that_breaks_says_so(error: type[BaseException], ended: str) -> None:
    with pytest.raises(error), Run.start("experiment", "lstm") as run:
        raise error
    assert status(run) == ended


def test_what_mlflow_refuses_breaks_the_run() -> None:
    def refused() -> None:
        with Run.start("experiment", "lstm") as run:
            runs.append(run)
            run.metrics({"a\nb": 1.0})

    runs: list[Run] = []
    with pytest.raises(MlflowException, match="Invalid value"):
        refused()
    assert status(runs[0]) == "FAILED"


def test_the_error_that_broke_a_run_is_raised_though_mlflow_cannot_be_told() -> None:
    def broken() -> None:
        with Run.start("experiment", "lstm") as run:
            run.client.delete_run(run.id)
            raise ValueError("the cause")

    with pytest.raises(ValueError, match="the cause"):
        broken()


def test_a_run_goes_on() -> None:
    with Run.start("experiment", "lstm", key="job/lstm") as first:
        first.params({"epochs": 1})
    with Run.start("experiment", "lstm", key="job/lstm") as second:
        assert status(second) == "RUNNING"
        second.params({"epochs": 2, "width": 8})
    assert second.id == first.id
    assert second.client.get_run(second.id).data.params == {"epochs": "1", "width": "8"}
    assert status(second) == "FINISHED"


def test_a_run_that_is_gone_begins_anew() -> None:
    with Run.start("experiment", "lstm", key="job/lstm") as first:
        pass
    connect().delete_run(first.id)
    with Run.start("experiment", "lstm", key="job/lstm") as second:
        pass
    assert second.id != first.id


def test_many_and_long_parameters(run: Run) -> None:
    run.params({f"p{k}": k for k in range(250)} | {"long": "x" * 10_000, "none": None, "list": (1, 2)})
    kept = run.client.get_run(run.id).data.params
    assert len(kept) == 253
    assert kept["long"] == "x" * 6000
    assert (kept["none"], kept["list"]) == ("None", "(1, 2)")


def test_a_long_curve_takes_few_calls_and_loses_nothing(run: Run) -> None:
    rows = [{"loss": 1 / (k + 1), "validation": np.nan if k % 2 else float(k)} for k in range(1500)]
    with patch.object(MlflowClient, "log_batch", autospec=True, side_effect=MlflowClient.log_batch) as call:
        run.curve(rows, range(10, 1510))
    assert [len(batch.kwargs["metrics"]) for batch in call.call_args_list] == [1000, 1000, 250]
    assert points(run, "loss") == {10 + k: 1 / (k + 1) for k in range(1500)}
    assert points(run, "validation") == {10 + k: float(k) for k in range(0, 1500, 2)}


def test_metrics_are_one_call_and_nothing_unknown_is_logged(run: Run) -> None:
    with patch.object(MlflowClient, "log_batch", autospec=True, side_effect=MlflowClient.log_batch) as call:
        run.metrics({"mase": 0.7, "smape": np.float64(12.0), "msis": np.nan})
        run.metrics({"msis": np.nan})
    assert call.call_count == 1
    assert run.client.get_run(run.id).data.metrics == {"mase": 0.7, "smape": 12.0}


@pytest.mark.usefixtures("store")
def test_the_first_step_of_a_metric_by_step_is_one() -> None:
    with Run.start("experiment", "lstm") as run:
        run.by_step({"mase": np.array([0.1, np.nan, 0.3]), "coverage": np.array([0.8, 0.9, 1.0])})
    assert points(run, "mase") == {1: 0.1, 3: 0.3}
    assert points(run, "coverage") == {1: 0.8, 2: 0.9, 3: 1.0}


@pytest.mark.usefixtures("store")
def test_data_is_an_input_with_digest_columns_and_profile(panel: Panel) -> None:
    with Run.start("experiment", "lstm") as run:
        run.dataset(panel, "sample.csv", "train")
    inputs = run.client.get_run(run.id).inputs
    assert inputs is not None
    (kept,) = inputs.dataset_inputs
    assert kept.dataset.name == "sample.csv"
    assert panel.digest.startswith(kept.dataset.digest)
    assert len(kept.dataset.digest) >= 32
    assert json.loads(kept.dataset.profile or "") == panel.profile
    columns = json.loads(kept.dataset.schema or "")["mlflow_colspec"]
    assert [(one["name"], one["type"]) for one in columns] == [
        ("unique_id", "string"),
        ("ds", "datetime"),
        ("y", "double"),
    ]
    assert {tag.key: tag.value for tag in kept.tags} == {"mlflow.data.context": "train"}


@pytest.mark.usefixtures("store")
def test_pictures_and_tables() -> None:
    frame = pd.DataFrame({"candidate": ["lstm", "naive"], "mase": [1 / 3, np.nan]})
    with Run.start("experiment", "lstm") as run:
        run.figure(Figure(), "forecasts/worst.png")
        for _ in range(2):  # a job that goes on after a crash writes its tables again
            run.table(frame, "candidates.json")
    there = {file.path for folder in (None, "forecasts") for file in run.client.list_artifacts(run.id, folder)}
    assert {"forecasts/worst.png", "candidates.json"} <= there
    table = json.loads(run.client.get_run(run.id).data.tags["mlflow.loggedArtifacts"])
    assert table == [{"path": "candidates.json", "type": "table"}]
    kept = pd.read_json(run.client.download_artifacts(run.id, "candidates.json"), orient="split")
    pd.testing.assert_frame_equal(kept, frame)


def test_a_dead_server_does_not_hold_anyone_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    began = time.monotonic()
    with pytest.raises(UnavailableError), Run.start("experiment", "lstm"):
        pass
    assert time.monotonic() - began < 5
