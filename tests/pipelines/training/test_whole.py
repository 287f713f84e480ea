"""One label or one number of each series: how they are read, held out, trained and told."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow import MlflowClient
from sklearn.metrics import log_loss, mean_absolute_error
from typer.testing import CliRunner

from forecaster.errors import DataError
from pipelines.batches.covariates import describe
from pipelines.batches.windows import Lanes, Table
from pipelines.champion.load import live
from pipelines.cli.app import app
from pipelines.data.doors import panel_from_frame
from pipelines.data.panel import Panel
from pipelines.evaluation.split import answered, by_series
from pipelines.pyfunc import forecast as by_mlflow
from pipelines.sources.read import read


def series(**columns: Any) -> pd.DataFrame:
    """Three series of two steps with a column each of answers by series."""
    frame = pd.DataFrame({"unique_id": np.repeat(["a", "b", "c"], 2), "ds": [0, 1] * 3, "y": np.arange(6.0)})
    return frame.assign(**{name: np.repeat(values, 2) for name, values in columns.items()})


def autoregressive(count: int, seed: int, phi: np.ndarray) -> pd.DataFrame:
    """AR(1) processes of mean 10 and deviation 1, whatever their phi, of 20 to 60 steps."""
    random, rows = np.random.default_rng(seed), []
    for i in range(count):
        values = [random.normal()]
        for _ in range(int(random.integers(20, 60))):
            values.append(phi[i] * values[-1] + np.sqrt(1 - phi[i] ** 2) * random.normal())
        rows.append(pd.DataFrame({"unique_id": f"s{i:03}", "ds": range(len(values)), "y": 10 + np.array(values)}))
    return pd.concat(rows, ignore_index=True)


RECIPE = """
summary: A small network, trained for as long on a busy machine.
model: {kind: whole, core: {cell: gru, width: 64}}
fit: {updates: 80}
"""


def cli(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_answers_are_read_from_any_row_of_a_series(ending: str, tmp_path: Path) -> None:
    frame = series(kind=["x", None, "w"], size=[5.0, np.nan, 7.0])
    frame.loc[0, ["kind", "size"]] = None
    file = tmp_path / f"data.{ending}"
    frame.to_csv(file, index=False) if ending == "csv" else frame.to_parquet(file)
    kind, size = (read(file, whole=name).whole for name in ("kind", "size"))
    assert kind is not None
    assert size is not None
    assert (kind.name, kind.labels) == ("kind", ("w", "x"))
    np.testing.assert_array_equal(kind.values, [1.0, np.nan, 0.0])
    assert size.labels == ()
    np.testing.assert_array_equal(size.values, [5.0, np.nan, 7.0])


def test_data_remembers_what_is_told_and_its_units() -> None:
    numbers = panel_from_frame(series(size=[5.0, np.nan, 7.0]), whole="size")
    data = describe(numbers)
    assert data.whole is not None
    assert (data.whole.name, data.whole.mean, data.whole.deviation, data.labels) == ("size", 6.0, 1.0, ())
    assert numbers.whole is not None
    np.testing.assert_array_equal(numbers.whole.encode(data), [-1.0, np.nan, 1.0])
    words = panel_from_frame(series(kind=["x", None, "w"]), whole="kind")
    assert (describe(words).labels, describe(words).steps) == (("w", "x"), ())
    assert words.digest != panel_from_frame(series(kind=["x", "x", "w"]), whole="kind").digest


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (series(kind=["x", "x", "w"]).assign(kind=["x", "w", "x", "x", "w", "w"]), "series 'a': kind is x and w"),
        (series(kind=["x", "1", "w"]), "kind is 'x'"),
        (series(kind=["x", "x", "w"]).assign(y="idle"), "y holds labels"),
        (series(), "no column 'kind'"),
    ],
)
def test_what_is_no_answer_is_refused(frame: pd.DataFrame, told: str) -> None:
    with pytest.raises(DataError, match=told):
        panel_from_frame(frame, whole="kind")


def test_two_different_answers_are_the_least_to_learn_from() -> None:
    with pytest.raises(DataError, match="fewer than two different values"):
        answered(panel_from_frame(series(kind=["x", None, "x"]), whole="kind"))
    assert answered(panel_from_frame(series(kind=["x", None, "w"]), whole="kind")).ids.tolist() == ["a", "c"]


def many(count: int) -> Panel:
    ids = [f"s{i:03}" for i in range(count)]
    return panel_from_frame(pd.DataFrame({"unique_id": ids, "ds": 0, "y": 1.0, "n": np.arange(count)}), whole="n")


@given(count=st.integers(2, 60), seed=st.integers(0, 99))
def test_each_series_is_in_one_part(count: int, seed: int) -> None:
    panel = many(count)
    parts = by_series(panel, seed)
    held = [part for part in (parts.calibrate, parts.test) if part is not None]
    assert sorted([*parts.train.ids, *(name for part in held for name in part.panel.ids)]) == panel.ids.tolist()
    assert sum(len(part.actual) for part in held) == 2 * (count // 5)
    for part in held:
        assert [f"s{int(answer):03}" for answer in part.actual[:, 0]] == part.panel.ids.tolist()
    assert by_series(panel, seed).train.ids.tolist() == parts.train.ids.tolist()


def test_the_future_of_every_chunk_is_the_answer() -> None:
    panel = panel_from_frame(autoregressive(6, 0, np.zeros(6)).assign(n=lambda f: f["unique_id"].str[1:]), whole="n")
    data = describe(panel)
    assert data.whole is not None
    table = Table(panel, data)
    answers = {round(value, 9): i for i in range(6) for value in panel.series(i)}
    for batch in Lanes(table, lanes=3, chunk=7, ahead=1, stride=1, seed=0).epoch(0):
        told = batch.future[:, 0] * data.whole.deviation + data.whole.mean
        for lane in np.flatnonzero(~batch.target[:, 0].isnan()):
            assert told[lane].item() == pytest.approx(answers[round(batch.target[lane, 0].item(), 9)])
    assert table.gather(np.array([-1]), np.array([0]), 1, 1, reset=True).future.isnan().all()


def test_kinds_that_differ_in_dynamics_alone_are_told_apart(home: Path) -> None:
    """The level and the scale are the same, so only a network that reads the order of values can tell."""
    slow = np.arange(90) % 3 == 0
    data = autoregressive(90, 0, np.where(slow, 0.9, -0.5))
    truth = pd.Series(np.where(slow, "slow", "rough"), index=[f"s{i:03}" for i in range(90)])
    unknown = {f"s{i:03}" for i in range(70, 90)}
    data.assign(kind=data["unique_id"].map(truth.drop(sorted(unknown)))).to_csv(home / "data.csv", index=False)
    (home / "small.yaml").write_text(RECIPE)
    recipes = ("--recipe", "whole_constant,small.yaml", "--budget", "10m", "--name", "kinds")
    printed = cli("train", "data.csv", "--target-kind", "series", "--target", "kind", *recipes)
    assert "champion: kinds version 1 (small)" in printed

    cli("forecast", "data.csv", "--out", "out.csv", "--name", "kinds")
    out = pd.read_csv("out.csv").set_index("unique_id")
    assert list(out.columns) == ["label", "p.rough", "p.slow"]
    assert out.index.tolist() == sorted(truth.index)
    new = out.loc[sorted(unknown)]
    assert (new["label"] == truth[new.index]).mean() >= 0.9
    loss = log_loss(truth[new.index], new[["p.rough", "p.slow"]])
    assert loss < 0.5 * log_loss(truth[new.index], np.tile([2 / 3, 1 / 3], (len(new), 1)))

    asked = data[data["unique_id"].isin(unknown)]
    pd.testing.assert_frame_equal(by_mlflow(live("kinds"), asked, {}).set_index("unique_id"), new, rtol=1e-5)
    assert float(cli("backtest", "data.csv", "--name", "kinds").split()[1]) < 0.3
    assert "steps back" in cli("gradients", "data.csv", "--name", "kinds", "--steps", "5")

    client = MlflowClient(f"sqlite:///{home}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("kinds")
    assert experiment is not None
    runs = {run.info.run_name: run.data for run in client.search_runs([experiment.experiment_id])}
    assert {"train", "whole_constant", "small"} <= set(runs)
    assert runs["train"].params["target"] == "kind"
    assert runs["small"].metrics["log_loss"] < runs["whole_constant"].metrics["log_loss"]
    assert runs["small"].tags["mlflow.parentRunId"] == runs["whole_constant"].tags["mlflow.parentRunId"]


def test_a_number_is_told_with_an_interval(home: Path) -> None:
    phi = np.random.default_rng(0).uniform(-0.9, 0.9, 120)
    data = autoregressive(120, 1, phi)
    truth = pd.Series(phi, index=[f"s{i:03}" for i in range(120)])
    data.assign(phi=data["unique_id"].map(truth[:90])).to_parquet(home / "data.parquet")
    (home / "small.yaml").write_text(RECIPE)
    recipes = ("--recipe", "whole_constant,small.yaml", "--budget", "10m", "--name", "phi")
    cli("train", "data.parquet", "--target-kind", "series", "--target", "phi", *recipes)
    cli("forecast", "data.parquet", "--out", "out.parquet", "--name", "phi", "--quantiles", "0.1,0.5,0.9")
    out = pd.read_parquet("out.parquet").set_index("unique_id")
    assert list(out.columns) == ["mean", "q0.1", "q0.5", "q0.9"]
    new, known = out[90:], truth[:90]
    error = mean_absolute_error(truth[90:], new["q0.5"])
    assert error < 0.5 * mean_absolute_error(truth[90:], np.full(30, known.median()))
    inside = (truth[90:] >= new["q0.1"]) & (truth[90:] <= new["q0.9"])
    assert 0.5 < inside.mean() <= 1.0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "give a horizon, or the target kind series with a target"),
        (("--target", "kind"), "give a horizon, or the target kind series with a target"),
        (("--target-kind", "series"), "has a target, which is a column, and no horizon"),
        (("--target-kind", "series", "--target", "kind", "--horizon", "3"), "has a target, which is a column, and no"),
        (("--target-kind", "both", "--target", "kind"), "target_kind: Input should be 'step' or 'series'"),
        (("--target-kind", "series", "--target", "kind", "--recipe", "lstm"), "is for numbers and the target is whole"),
    ],
)
def test_mistakes_end_in_one_line(arguments: tuple[str, ...], told: str, home: Path) -> None:
    series(kind=["x", "x", "w"]).to_csv(home / "data.csv", index=False)
    result = CliRunner().invoke(app, ["train", "data.csv", *arguments])
    assert result.exit_code == 2
    assert told in result.output
    assert len(result.output.strip().splitlines()) == 1
