"""The whole road on real series: train, look into MLflow, forecast, roll back; and killed in the middle of it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient
from mlflow.entities import Run
from typer.testing import CliRunner

from forecaster.artifact import load_artifact
from forecaster.learner import Learner
from forecaster.spec import FitSpec
from forecaster.train import Batches, Step, fit
from pipelines.cli.app import app
from pipelines.recipes.recipe import Recipe, recipes
from pipelines.registry.fetch import resolve
from pipelines.registry.promotion import history
from pipelines.registry.versions import versions
from pipelines.training import fitting
from pipelines.training.work import alone

SHORT = ["--budget", "60s", "--recipe", "seasonal_naive,lag_regression,quick"]
QUICK = "summary: for tests\nmodel: {kind: recurrent, core: {cell: gru, width: 8, layers: 1}}\nfit: {updates: 60}\n"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A recipe that takes a second."""
    known = recipes() | {"quick": Recipe.model_validate(yaml.safe_load(QUICK))}
    monkeypatch.setattr("pipelines.recipes.recipe.recipes", lambda: known)


def series(folder: Path, count: int = 6, length: int = 60) -> Path:
    random = np.random.default_rng(0)
    steps = np.arange(length)
    frames = [
        pd.DataFrame(
            {
                "unique_id": f"s{i}",
                "ds": pd.date_range("2015-01-01", periods=length, freq="MS"),
                "y": 100 * (i + 1) + 10 * np.sin(steps * np.pi / 6) + random.normal(0, 2, length),
            }
        )
        for i in range(count)
    ]
    file = folder / "series.csv"
    pd.concat(frames).to_csv(file, index=False)
    return file


def forecaster(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


def logged(home: Path) -> tuple[MlflowClient, dict[str, Run]]:
    """The runs by name, of which there is one each."""
    client = MlflowClient(f"sqlite:///{home}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("forecaster")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert len({run.info.run_name for run in runs}) == len(runs)
    return client, {str(run.info.run_name): run for run in runs}


def test_a_champion_of_other_data_is_told_of(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    command = ("--horizon", "6", "--recipe", "seasonal_naive")
    forecaster("train", str(series(home)), *command)
    forecaster("train", str(series(home)), *command, "--seed", "1")
    assert "champion" not in caplog.text
    days = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=60), "y": np.arange(60.0)})
    days.to_csv(home / "days.csv", index=False)
    forecaster("train", str(home / "days.csv"), *command)
    told = "version 2, the champion until now, read frequency MS, numbers, and the new one reads frequency D"
    assert told in caplog.text


def test_the_same_command_twice_at_once_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (work := home / "work").mkdir()
    monkeypatch.setattr("pipelines.training.prepare.work_folder", lambda identity: work)
    command = ["train", str(series(home)), "--horizon", "6", "--recipe", "seasonal_naive"]
    with alone(work):
        refused = CliRunner().invoke(app, command)
    assert refused.exit_code == 2
    assert "the same is at work; wait for it, or stop it" in refused.output
    assert "champion: " in forecaster(*command)


def test_from_a_table_to_a_champion_and_its_forecasts(home: Path) -> None:
    data = series(home)
    printed = forecaster("train", str(data), "--horizon", "6", *SHORT, "--name", "months")
    told = printed[printed.index("candidate ") :].splitlines()
    assert told[0].split()[:3] == ["candidate", "held_out_loss", "scaled_quantile_loss"]
    end = next(i for i, line in enumerate(told) if line.startswith("champion: months version 1"))
    losses = [float(row.split()[1]) for row in told[1:end]]
    assert losses == sorted(losses)
    what = ("for tests", recipes()["lag_regression"].summary, "The median of lag_regression, quick.")
    assert told[end + 1].startswith(what)
    assert re.search(r"Its loss on what was held out is [\d.]+% below that of", told[end + 1])
    out = home / "forecasts.csv"
    forecaster("forecast", str(data), "--horizon", "6", "--out", str(out), "--name", "months")
    frame = pd.read_csv(out)
    assert list(frame.columns) == ["unique_id", "ds", "mean", *(f"q0.{k}" for k in range(1, 10))]
    assert len(frame) == 6 * 6
    assert frame["ds"].iloc[0] == "2020-01-01"
    assert np.isfinite(frame.iloc[:, 2:]).all(axis=None)
    assert (np.diff(frame.filter(like="q0").to_numpy(), axis=1) >= 0).all()
    assert (frame.groupby("unique_id")["mean"].mean() / (100 * np.arange(1, 7)) - 1).abs().max() < 0.1

    longer = home / "long.parquet"
    forecaster(
        "forecast",
        str(data),
        "--horizon",
        "30",
        "--out",
        str(longer),
        "--name",
        "months",
        "--quantiles",
        "0.05,0.5",
    )
    assert list(pd.read_parquet(longer).columns) == ["unique_id", "ds", "mean", "q0.05", "q0.5"]

    sampled = home / "paths.csv"
    forecaster(
        *("forecast", str(data), "--horizon", "6", "--out", str(sampled), "--name", "months"),
        *("--paths", "300", "--seed", "5", "--quantiles", "0.1,0.9"),
    )
    paths = pd.read_csv(sampled)
    assert list(paths.columns[5:]) == [f"path.{k + 1}" for k in range(300)]
    assert ((paths.iloc[:, 5:].le(paths["q0.9"], axis=0)).mean(axis=1) - 0.9).abs().max() < 0.1
    assert len(load_artifact(resolve("months").folder).dependence.correlation) == 6

    scores = forecaster("backtest", str(data), "--horizon", "6", "--windows", "2", "--name", "months")
    assert float(re.search(r"mase\s+([\d.]+)", scores)[1]) < 1.5  # type: ignore[index]

    forecaster("train", str(data), "--horizon", "6", *SHORT, "--name", "months", "--seed", "1")
    assert [one.version for one in history("months")] == ["1", "2"]
    assert "version 1 of months is the champion again" in forecaster("models", "rollback", "--name", "months")
    assert resolve("months").version == "1"
    assert sum(line.startswith("*") for line in forecaster("models", "list", "--name", "months").splitlines()) == 1
    assert "promoted by" in forecaster("models", "champion", "--name", "months")


def test_so_many_updates_from_a_seed_give_the_same_model_and_a_budget_that_is_short_is_told(home: Path) -> None:
    command = ("train", str(series(home)), "--horizon", "6", "--recipe", "seasonal_naive,quick")
    for name, seed in (("one", "3"), ("two", "3"), ("other", "4")):
        assert "cut short" not in forecaster(*command, "--updates", "12", "--seed", seed, "--name", name)
    one, two, other = (resolve(name) for name in ("one", "two", "other"))
    assert one.digest == two.digest != other.digest
    assert one.artifact.spec.fit is not None
    assert one.artifact.spec.fit.updates == 12
    printed = forecaster(*command, "--budget", "0.01s")
    assert (
        "cut short by the budget: quick at 20 of 60 updates; with updates instead of a budget the same seed" in printed
    )


def test_a_job_leaves_in_mlflow_what_candidates_are_compared_by(home: Path) -> None:
    forecaster("train", str(series(home)), "--horizon", "6", *SHORT)
    client, runs = logged(home)
    assert set(runs) - {"ensemble"} == {"train", "seasonal_naive", "lag_regression", "quick"}  # it need not help
    parent = runs["train"]
    for name in ("seasonal_naive", "lag_regression", "quick"):
        child = runs[name]
        assert child.info.status == "FINISHED"
        assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert {
            "mase",
            "smape",
            "weighted_quantile_loss",
            "coverage_80",
            "coverage_95",
            "seconds",
            "weights",
        } <= set(child.data.metrics)
        by_step = client.get_metric_history(child.info.run_id, "mase_by_step")
        assert [metric.step for metric in by_step] == [1, 2, 3, 4, 5, 6]
        pictures = {item.path for item in client.list_artifacts(child.info.run_id)}
        assert {"coverage_by_step.png", "forecasts"} <= pictures
    page = (Path(__file__).parents[3] / "docs" / "recipes.md").read_text()
    assert all(f"`{metric}`" in page for run in runs.values() for metric in run.data.metrics)
    won = runs[parent.data.params["champion"]].data
    assert parent.data.metrics["held_out_loss"] == won.metrics["held_out_loss"]
    assert (parent.data.params["frequency"], parent.data.params["task.horizon"]) == ("MS", "6")
    curve = client.get_metric_history(runs["quick"].info.run_id, "loss")
    assert len(curve) >= 2
    assert curve[-1].value < curve[0].value
    assert parent.inputs is not None
    dataset = parent.inputs.dataset_inputs[0].dataset
    assert dataset.name == "series.csv"
    assert json.loads(str(dataset.profile))["series"] == 6
    version = versions("forecaster")[0]
    assert version.champion
    assert not list((home / "mlruns").rglob("*.pkl"))
    assert load_artifact(resolve("forecaster").folder).spec.training.observations == 360


@pytest.mark.parametrize("length", [10, 3, 1])
def test_short_series_get_a_champion(home: Path, length: int) -> None:
    data = series(home, count=3, length=length)
    assert "champion" in forecaster("train", str(data), "--horizon", "6", "--freq", "MS", *SHORT)
    forecaster("forecast", str(data), "--horizon", "6", "--out", str(home / "f.csv"))
    assert np.isfinite(pd.read_csv(home / "f.csv").iloc[:, 2:]).all(axis=None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "nowhere.csv", "--horizon", "6"], "there is no such file"),
        (["train", "series.csv", "--horizon", "6", "--recipe", "gruu"], "no recipe is called 'gruu'"),
        (
            ["train", "series.csv", "--horizon", "6", "--recipe", "gru,negative_binomial"],
            "series 's0', ds 2015-01-01 00:00: the value 100.251, and the recipe 'negative_binomial' is for counts",
        ),
        (["train", "series.csv", "--horizon", "6", "--recipe", "bernoulli"], "'bernoulli' is for 0 or 1"),
        (["train", "series.csv", "--horizon", "6", "--recipe", "gru,own.yaml"], "own.yaml"),
        (["train", "series.csv", "--horizon", "6", "--recipe", "wrong.yaml"], "the cell 'gru' has no option 'order'"),
        (
            ["train", "series.csv", "--horizon", "6", "--recipe", "half.yaml"],
            "error: recipe 'half': the option 'order' of the cell 'ar' is 2.5; Input should be a valid integer",
        ),
        (["train", "series.csv", "--horizon", "6", "--budget", "soon"], "budget"),
        (["train", "series.csv", "--horizon", "6", "--known", "price"], "price"),
        (["train", "series.csv", "--horizon", "6", "--name", "a/b"], "name"),
        (["forecast", "series.csv", "--horizon", "6", "--out", "f.csv"], "forecaster"),
        (["forecast", "series.csv", "--horizon", "6", "--out", "f.txt"], r".csv or .parquet"),
        (
            ["forecast", "series.csv", "--horizon", "6", "--out", "f.csv", "--paths", "-1"],
            "--paths",
        ),
        (
            ["forecast", "series.csv", "--horizon", "6", "--out", "f.csv", "--quantiles", "half"],
            "quantiles 'half' are not numbers",
        ),
        (
            ["forecast", "series.csv", "--horizon", "6", "--out", "f.csv", "--model", "./missing"],
            "there is no folder './missing'",
        ),
    ],
)
def test_what_a_user_can_mend_is_one_line_and_exit_code_2(home: Path, arguments: list[str], message: str) -> None:
    series(home)
    (home / "wrong.yaml").write_text(QUICK.replace("layers: 1", "layers: 1, options: {order: 2}"))
    half = "{kind: recurrent, core: {cell: ar, options: {order: 2.5}}}"
    (home / "half.yaml").write_text(f"summary: Half.\nmodel: {half}\nfit: {{}}\n")
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2, result.output
    assert message in result.output
    assert "Traceback" not in result.output


WILD = QUICK.replace("updates: 60", "updates: 60, learning_rate: 1e30")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_candidate_whose_training_diverges_is_left_out(
    home: Path, workers: str, caplog: pytest.LogCaptureFixture
) -> None:
    (home / "wild.yaml").write_text(WILD)
    command = ["train", str(series(home, count=2)), "--horizon", "6", "--workers", workers, "--budget", "60s"]
    told = forecaster(*command, "--recipe", "wild.yaml,seasonal_naive")
    assert [line.split()[0] for line in told[told.index("candidate ") :].splitlines()[1:3]] == [
        "seasonal_naive",
        "champion:",
    ]
    assert re.search(
        r"left out: recipe 'wild': the training diverges in epoch \d+: .*; lower the learning", caplog.text
    )
    assert "recipe 'wild'" in logged(home)[1]["wild"].data.params["left_out"]


def test_where_every_training_diverges_the_recipe_is_named(home: Path) -> None:
    (home / "wild.yaml").write_text(WILD)
    result = CliRunner().invoke(app, ["train", str(series(home, count=2)), "--horizon", "6", "--recipe", "wild.yaml"])
    assert result.exit_code == 2, result.output
    assert "error: recipe 'wild': the training diverges in epoch" in result.output


def test_the_last_training_diverges_in_one_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def diverging(model: Learner, data: Batches, spec: FitSpec, checkpoint: Path | None = None) -> Iterator[Step]:
        if checkpoint is not None and checkpoint.parent.name == "quick.refit":
            raise FloatingPointError("epoch 0: loss nan, gradient nan; lower the learning rate")
        yield from fit(model, data, spec, checkpoint)

    monkeypatch.setattr(fitting, "fit", diverging)
    result = CliRunner().invoke(app, ["train", str(series(home, count=2)), "--horizon", "6", "--recipe", "quick"])
    assert result.exit_code == 2, result.output
    assert "error: recipe 'quick': the training diverges in epoch 0" in result.output


def train_process(home: Path) -> "subprocess.Popen[bytes]":
    settings = {"MLFLOW_TRACKING_URI": "", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pipelines", "train", str(home / "series.csv"), "--horizon", "6"]
    command += ["--updates", "200", "--recipe", "seasonal_naive,elman"]
    return subprocess.Popen(command, cwd=home, env={**os.environ, **settings}, stderr=subprocess.DEVNULL)


def weights(home: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    monkeypatch.chdir(home)
    return (resolve("forecaster").folder / "weights.safetensors").read_bytes()


def test_killed_in_the_middle_the_same_command_ends_with_the_same_weights(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    series(home, count=2, length=40)
    other = tmp_path / "undisturbed"
    shutil.copytree(home, other)
    assert train_process(other).wait() == 0
    expected = weights(other, monkeypatch)
    for epochs in (1, 3):  # killed once early and once later
        process = train_process(home)
        deadline = time.monotonic() + 120
        while not _epochs(home) >= epochs:
            assert process.poll() is None, "it was done before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert train_process(home).wait() == 0
    assert weights(home, monkeypatch) == expected
    assert load_artifact(resolve("forecaster").folder).spec.candidate in {"elman", "seasonal_naive"}
    assert sorted(logged(home)[1]) == ["elman", "seasonal_naive", "train"], "it goes on in the same runs"


def _epochs(home: Path) -> int:
    curves = list((home / "mlruns" / "work").glob("*/elman/curve.json"))
    try:
        return len(json.loads(curves[0].read_text())) if curves else 0
    except (OSError, ValueError):
        return 0
