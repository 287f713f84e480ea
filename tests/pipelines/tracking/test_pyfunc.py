"""The artifact through MLflow's own doors: the same forecasts, no pickle, and no byte that was not sealed."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from forecaster.artifact import load_artifact
from forecaster.errors import ArtifactError
from pipelines.data.doors import panel_from_frame
from pipelines.data.panel import Panel
from pipelines.forecasting.predict import predict
from pipelines.pyfunc import example, log_model
from pipelines.registry.promotion import promote
from pipelines.registry.versions import register
from pipelines.tracking.connection import tracking_uri
from pipelines.tracking.run import Run
from tests.pipelines.conftest import HORIZON, flip, hourly, make_artifact, steps
from tests.pipelines.processes import free_port, running

Make = Callable[[int], tuple[Path, str]]
Load = Callable[[str], Callable[..., pd.DataFrame]]

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def load() -> Iterator[Load]:
    """`predict` of what `mlflow.pyfunc.load_model` gives, which finds the store by MLflow's global state."""
    before = mlflow.get_tracking_uri()

    def from_store(uri: str) -> Callable[..., pd.DataFrame]:
        mlflow.set_tracking_uri(tracking_uri())
        predict = mlflow.pyfunc.load_model(uri).predict
        return lambda frame, **params: predict(frame, params=params)

    yield from_store
    mlflow.set_tracking_uri(before)


def logged(folder: Path, panel: Panel) -> str:
    with Run.start("experiment", "train") as run:
        return log_model(run, folder, panel)


def of(frame: pd.DataFrame, folder: Path, **columns: tuple[str, ...]) -> Panel:
    """The frame as a panel, with an artifact for it in `folder`."""
    panel = panel_from_frame(frame, **columns)  # type: ignore[arg-type]
    make_artifact(folder, panel)
    return panel


def packed(home: Path) -> Path:
    """The folder of the only model in the default store."""
    (folder,) = (home / "mlruns" / "artifacts" / "models").glob("*/artifacts")
    return folder


def strict(text: str) -> Any:
    """JSON without NaN and the like."""
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


@pytest.mark.usefixtures("store")
def test_the_champion_forecasts_as_the_artifact_does(store: str, panel: Panel, artifact: Make, load: Load) -> None:
    folder, seal = artifact(0)
    name = f"pyfunc {store}"
    with Run.start(name, "train") as run:
        uri = log_model(run, folder, panel)
    promote(name, register(name, uri, run_id=run.id, digest=seal, metrics={}))
    expected = predict(load_artifact(folder), panel, 3, (0.1, 0.5), paths=2, temperature=0.5, seed=7).frame()
    for place in (uri, f"models:/{name}@champion"):
        answer = load(place)(hourly(), horizon=3, quantiles=[0.5, 0.1], paths=2, temperature=0.5, seed=7)
        pd.testing.assert_frame_equal(answer, expected)


def test_the_model_belongs_to_its_run(home: Path, panel: Panel, artifact: Make) -> None:
    with Run.start("experiment", "train") as run:
        uri = log_model(run, artifact(0)[0], panel)
    outputs = run.client.get_run(run.id).outputs
    assert outputs is not None
    (output,) = outputs.model_outputs
    assert uri == f"models:/{output.model_id}"
    model = run.client.get_logged_model(output.model_id)
    assert (model.source_run_id, model.name, model.status) == (run.id, "lstm", "READY")
    assert model.artifact_location == packed(home).as_uri()


def test_no_pickle_no_code_but_an_import_and_exact_requirements(home: Path, panel: Panel, artifact: Make) -> None:
    logged(artifact(0)[0], panel)
    files = {file.relative_to(packed(home)).as_posix() for file in packed(home).rglob("*") if file.is_file()}
    assert {file for file in files if file.startswith("artifacts/")} == {
        f"artifacts/artifact/{name}" for name in ("manifest.json", "spec.json", "weights.safetensors")
    }
    assert {Path(file).suffix for file in files} == {"", ".json", ".py", ".safetensors", ".txt", ".yaml"}
    assert [file for file in files if file.endswith(".py")] == ["model.py"]
    assert "python_model" not in (packed(home) / "MLmodel").read_text()
    requirements = (packed(home) / "requirements.txt").read_text().splitlines()
    assert "torch" in {line.partition("==")[0] for line in requirements}
    assert all("==" in line and "+" not in line for line in requirements)


@pytest.mark.parametrize(
    "ds",
    [
        lambda frame: frame["ds"],
        lambda frame: frame["ds"].map(pd.Timestamp.isoformat),
        lambda frame: frame["ds"].dt.tz_convert("UTC"),
    ],
    ids=["stamps", "text", "utc"],
)
def test_times_are_stamps_or_text(
    panel: Panel, artifact: Make, load: Load, ds: Callable[[pd.DataFrame], pd.Series]
) -> None:
    model = load(logged(artifact(0)[0], panel))
    answer = model(hourly().assign(ds=ds))
    assert len(answer) == 2 * HORIZON
    assert list(answer) == ["unique_id", "ds", "mean", *(f"q0.{k}" for k in range(1, 10))]
    assert str(answer["ds"][0]) == "2024-04-07 11:00:00+10:00"


def test_steps_are_whole_numbers(tmp_path: Path, load: Load) -> None:
    panel = of(steps(), tmp_path / "artifact")
    answer = load(logged(tmp_path / "artifact", panel))(steps())
    assert answer["ds"].tolist() == [30, 31, 32, 33]


@pytest.mark.parametrize("y", [np.arange(120), np.arange(120) + 0.5, [None, *range(119)]], ids=["int", "float", "none"])
def test_values_are_numbers_of_any_kind(panel: Panel, artifact: Make, load: Load, y: object) -> None:
    answer = load(logged(artifact(0)[0], panel))(hourly(y=y))
    assert np.isfinite(answer["mean"]).all()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"horizon": 0}, "horizon of 0 steps; give 1 or more"),
        ({"quantiles": [0.5, 1.0]}, "give levels between 0 and 1"),
        ({"quantiles": []}, "give levels between 0 and 1"),
        ({"paths": -1}, "-1 paths at a temperature of 1; give neither below 0"),
        ({"temperature": -0.5}, "0 paths at a temperature of -0.5; give neither below 0"),
        ({"paths": 10**8}, "more than 100000000; ask for fewer paths"),
    ],
)
def test_parameters_are_checked(panel: Panel, artifact: Make, load: Load, params: dict[str, Any], message: str) -> None:
    model = load(logged(artifact(0)[0], panel))
    with pytest.raises(MlflowException, match=message):
        model(hourly(), **params)


def test_the_example_is_json_and_runs_gaps_and_covariates_included(home: Path, tmp_path: Path, load: Load) -> None:
    frame = hourly(price=np.arange(120) / 7, rain=np.arange(120) % 5, place="Melbourne")
    frame.loc[frame.index % 60 == 50, ["y", "rain"]] = np.nan
    panel = of(frame, tmp_path / "artifact", known=("price",), past=("rain",), static=("place",))
    model = load(logged(tmp_path / "artifact", panel))
    body = strict((packed(home) / "serving_input_example.json").read_text())
    sent = pd.DataFrame(**body["dataframe_split"])
    assert sent["y"].isna().sum() == HORIZON + 1  # the gap, and what is to be forecast
    answer = model(sent, **body["params"])
    assert list(answer["unique_id"]) == ["a"] * HORIZON
    assert list(answer) == ["unique_id", "ds", "mean", "q0.1", "q0.5", "q0.9"]


def test_an_example_of_a_series_shorter_than_the_horizon(tmp_path: Path) -> None:
    panel = of(steps().head(2), tmp_path / "artifact")
    frame = example(panel, load_artifact(tmp_path / "artifact").spec)
    assert frame["ds"].tolist() == [0, 1]


def test_a_flipped_bit_is_refused(home: Path, panel: Panel, artifact: Make, load: Load) -> None:
    uri = logged(artifact(0)[0], panel)
    for file in (packed(home) / "artifacts" / "artifact").iterdir():
        whole = file.read_bytes()
        flip(file, len(whole) // 2)
        with pytest.raises(ArtifactError):
            load(uri)
        file.write_bytes(whole)
    load(uri)


def test_mlflow_serves_it(home: Path, panel: Panel, artifact: Make) -> None:
    folder, _ = artifact(0)
    logged(folder, panel)
    port = free_port()
    command = ["-m", "mlflow", "models", "serve", "--model-uri", str(packed(home)), "--port", str(port)]
    command += ["--env-manager", "local"]
    frame = hourly().astype(object)
    frame["ds"] = frame["ds"].map(pd.Timestamp.isoformat)
    frame.loc[3, "y"] = None
    gap = hourly(y=hourly()["y"].where(hourly().index != 3))
    expected = predict(load_artifact(folder), panel_from_frame(gap), 2, (0.1, 0.9))
    url, params = f"http://127.0.0.1:{port}", {"horizon": 2, "quantiles": [0.1, 0.9]}
    with running(command, f"{url}/health", {}), httpx.Client(base_url=url, timeout=60) as client:
        records = frame.to_dict("records")
        split = frame.to_dict("split", index=False)
        for body in ({"dataframe_records": records}, {"dataframe_split": split}):
            answer = client.post("/invocations", json=body | {"params": params})
            assert answer.status_code == 200
            rows = strict(answer.text)["predictions"]
            assert [row["ds"] for row in rows[:2]] == [
                "2024-04-07T11:00:00+10:00",
                "2024-04-07T12:00:00+10:00",
            ]
            assert [row["q0.9"] for row in rows] == expected.quantiles[..., 1].ravel().tolist()
        bad = client.post("/invocations", json={"dataframe_records": [records[0] | {"y": "much"}]})
        assert bad.status_code == 400
        assert "series 'a'" in strict(bad.text)["message"]
        assert "Traceback" not in bad.text
