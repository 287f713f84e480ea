"""Forecasts in shards: those of the panel as a whole, whatever the engine, and wherever it was stopped."""

import hashlib
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from forecaster.artifact import load_artifact
from forecaster.errors import DataError
from pipelines.champion import bulk
from pipelines.champion.bulk import score_shards
from pipelines.champion.load import chosen
from pipelines.cli.app import app
from pipelines.data.doors import panel_from_frame
from pipelines.forecasting.ask import Question, answer_frame
from pipelines.runs.engine import Engine, Processes
from tests.pipelines.conftest import HORIZON, make_artifact

T = TypeVar("T")
R = TypeVar("R")
SERIES, STEPS = 40, 60
LEVELS = (0.1, 0.5, 0.9)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several pieces, shards and parts of a shard."""
    monkeypatch.setattr(bulk, "PIECE", 700)
    monkeypatch.setattr(bulk, "SHARD", 500)
    monkeypatch.setattr(bulk, "VALUES", 3 * HORIZON * len(LEVELS))


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Series whose rows are scattered, with a covariate known ahead, a category, and ends at different times."""
    random = np.random.default_rng(0)
    frames = []
    for i in range(SERIES):
        steps = STEPS - i % 3
        times = pd.date_range("2024-01-01", periods=steps + HORIZON, freq="h", tz="UTC")
        y = np.append(random.normal(10 * (i + 1), 1, steps), np.full(HORIZON, np.nan))
        columns = {
            "unique_id": f"s{i:02d}",
            "ds": times,
            "y": y,
            "price": random.random(len(times)),
            "shop": f"shop{i % 3}",
        }
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames).sample(frac=1, random_state=0)


@pytest.fixture
def data(table: pd.DataFrame, tmp_path: Path) -> Path:
    """Files in a folder in a folder, of several row groups."""
    folder = tmp_path / "data"
    for k, part in enumerate(np.array_split(np.arange(len(table)), 4)):
        (folder / f"month={k % 2}").mkdir(parents=True, exist_ok=True)
        table.iloc[part].to_parquet(folder / f"month={k % 2}" / f"{k}.parquet", index=False, row_group_size=150)
    return folder


@pytest.fixture
def model(table: pd.DataFrame, tmp_path: Path) -> Path:
    panel = panel_from_frame(table, known=("price",), static=("shop",))
    make_artifact(tmp_path / "artifact", panel)
    return tmp_path / "artifact"


def score(data: Path, out: Path, model: Path, engine: Engine, paths: int = 0, seed: int = 0) -> int:
    return score_shards(chosen("none", str(model)), data, None, out, LEVELS, engine, paths=paths, seed=seed)


def digests(out: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(out.iterdir())}


def read(out: Path) -> pd.DataFrame:
    return pd.read_parquet(out).sort_values(["unique_id", "ds"], ignore_index=True)


def test_shards_are_the_panel(data: Path, table: pd.DataFrame, model: Path, tmp_path: Path) -> None:
    rows = score(data, tmp_path / "out", model, Processes(1))
    artifact = load_artifact(model)
    expected = answer_frame(
        artifact, panel_from_frame(table, known=("price",), static=("shop",)), Question(HORIZON, LEVELS)
    )
    found = read(tmp_path / "out")
    assert rows == len(found) == SERIES * HORIZON
    pd.testing.assert_frame_equal(found, expected, rtol=1e-5, check_dtype=False)
    parts = sorted((tmp_path / "out").glob("*.parquet"))
    assert len(parts) == -(-len(table) // 500)
    each = [set(pd.read_parquet(part)["unique_id"]) for part in parts]
    assert sum(map(len, each)) == SERIES
    assert all(each)


def test_engines_write_the_same_bytes(data: Path, model: Path, tmp_path: Path, ray: Engine) -> None:
    engines = {"here": Processes(1), "processes": Processes(2), "ray": ray}
    for name, engine in engines.items():
        score(data, tmp_path / name, model, engine, paths=3, seed=5)
    assert digests(tmp_path / "here") == digests(tmp_path / "processes") == digests(tmp_path / "ray")
    other = tmp_path / "other"
    score(data, other, model, Processes(1), paths=3, seed=6)
    assert not np.allclose(read(other)["path.1"], read(tmp_path / "here")["path.1"])


def killed(folder: Path, function: Callable[[T], R], item: T) -> R:
    """The first process that comes to the fourth item is killed."""
    if item == 3 and not (folder / "killed").exists():
        (folder / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return function(item)


class Deadly(Engine):
    """An engine one of whose workers is killed half-way."""

    def __init__(self, inner: Engine, folder: Path) -> None:
        self.inner, self.folder, self.workers, self.here = inner, folder, inner.workers, False

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        return self.inner.map(partial(killed, self.folder, function), items)


def test_a_worker_killed_half_way_changes_nothing(data: Path, model: Path, tmp_path: Path, ray: Engine) -> None:
    score(data, tmp_path / "whole", model, ray)
    score(data, tmp_path / "broken", model, Deadly(ray, tmp_path))
    assert (tmp_path / "killed").exists()
    assert digests(tmp_path / "broken") == digests(tmp_path / "whole")


class Stopped(Engine):
    """An engine that does some items and is then interrupted."""

    workers, here = 1, True

    def __init__(self, items: int) -> None:
        self.left = items

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        for item in items:
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            yield function(item)


@pytest.mark.parametrize("after", [0, 2, 5, 7])
def test_stopped_it_goes_on(data: Path, model: Path, tmp_path: Path, after: int) -> None:
    score(data, tmp_path / "whole", model, Processes(1))
    out = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        score(data, out, model, Stopped(after))
    before = {file: file.stat().st_mtime_ns for file in out.rglob("*.parquet")}
    parts = [file for file in before if file.parent == out]
    assert len(before) == after
    score(data, out, model, Processes(1))
    assert digests(out) == digests(tmp_path / "whole")
    assert all(file.stat().st_mtime_ns == before[file] for file in parts), "what was there is not done again"
    done = {file: file.stat().st_mtime_ns for file in out.iterdir()}
    assert score(data, out, model, Stopped(0)) == SERIES * HORIZON
    assert {file: file.stat().st_mtime_ns for file in out.iterdir()} == done


def test_stopped_before_it_is_marked_it_begins(data: Path, model: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "_work").mkdir(parents=True)
    assert score(data, tmp_path / "out", model, Processes(1)) == SERIES * HORIZON


def test_what_was_not_there_in_training_is_said(
    table: pd.DataFrame, model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table.replace({"shop": {"shop2": "new"}}).to_parquet(tmp_path / "new.parquet")
    score(tmp_path / "new.parquet", tmp_path / "out", model, Processes(1))
    assert "the category 'new' was not there in training" in caplog.text


def test_files_may_differ_in_the_type_of_a_number(table: pd.DataFrame, model: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    names = np.array(sorted(table["unique_id"].unique()))
    whole = table[table["unique_id"].isin(names[:20])].assign(y=lambda rows: rows["y"].round())
    rest = table[table["unique_id"].isin(names[20:])]
    whole.astype({"y": "Int64"}).to_parquet(tmp_path / "data" / "a.parquet", index=False)
    rest.to_parquet(tmp_path / "data" / "b.parquet", index=False)
    assert score(tmp_path / "data", tmp_path / "out", model, Processes(1)) == SERIES * HORIZON
    both = panel_from_frame(pd.concat([whole, rest]), known=("price",), static=("shop",))
    expected = answer_frame(load_artifact(model), both, Question(HORIZON, LEVELS))
    pd.testing.assert_frame_equal(read(tmp_path / "out"), expected, rtol=1e-5, check_dtype=False)
    rest.assign(price="dear").to_parquet(tmp_path / "data" / "c.parquet", index=False)
    with pytest.raises(DataError, match="price"):
        score(tmp_path / "data", tmp_path / "other", model, Processes(1))


def test_rows_that_wait_for_a_forecast_wait_in_every_shard(tmp_path: Path) -> None:
    """Of series that end early it begins where the last y of all is, as in one file, whoever shares a shard."""
    random, days = np.random.default_rng(0), pd.date_range("2024-01-01", periods=100)
    frames = []
    for i in range(SERIES):
        y = random.normal(10, 1, 100)
        y[95 - 5 * (i % 3) :] = np.nan  # the last five wait, and of some series more are missing
        frames.append(pd.DataFrame({"unique_id": f"s{i:02d}", "ds": days, "y": y}))
    table = pd.concat(frames)
    make_artifact(tmp_path / "artifact", panel_from_frame(table))
    for kind, ds in (("times", table["ds"]), ("text", table["ds"].astype(str))):
        table.assign(ds=ds).to_parquet(tmp_path / f"{kind}.parquet", index=False)
        score(tmp_path / f"{kind}.parquet", tmp_path / kind, tmp_path / "artifact", Processes(1))
        found = read(tmp_path / kind)
        artifact = load_artifact(tmp_path / "artifact")
        expected = answer_frame(artifact, panel_from_frame(table), Question(HORIZON, LEVELS))
        assert found["ds"].min() == pd.Timestamp(days[95])
        pd.testing.assert_frame_equal(found, expected, rtol=1e-5, check_dtype=False)


def test_a_folder_of_something_else_is_refused(data: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    score(data, out, model, Processes(1))
    with pytest.raises(DataError, match="holds something else"):
        score(data, out, model, Processes(1), seed=1)
    for inside in (data, data / "month=0" / "out"):
        with pytest.raises(DataError, match="is what is read, or lies in it"):
            score(data, inside, model, Processes(1))
    with pytest.raises(DataError, match="s3://bucket/out/ is no folder of this machine; write shards here"):
        score_shards(chosen("none", str(model)), data, None, "s3://bucket/out/", LEVELS, Processes(1))


def test_data_that_cannot_be_dealt_out_is_refused(data: Path, table: pd.DataFrame, model: Path, tmp_path: Path) -> None:
    table.to_csv(tmp_path / "table.csv")
    table.drop(columns="unique_id").to_parquet(tmp_path / "single.parquet")
    table.drop(columns="price").to_parquet(tmp_path / "poor.parquet")
    (tmp_path / "zones").mkdir()
    for zone in ("UTC", "Asia"):
        times = pd.date_range("2024-01-01", periods=len(table), freq="h", tz=zone.replace("Asia", "Asia/Tokyo"))
        table.assign(ds=times).to_parquet(tmp_path / "zones" / f"{zone}.parquet")
    for name, message in {
        "table.csv": "a folder of forecasts is made from a Parquet file or a folder of them",
        "nowhere.parquet": "made from a Parquet file",
        "single.parquet": "there is no column unique_id",
        "poor.parquet": "no column 'price'",
        "zones": "give each column one type in all files, and ds one time zone",
    }.items():
        with pytest.raises(DataError, match=message):
            score(tmp_path / name, tmp_path / "out", model, Processes(1))
        assert not (tmp_path / "out").exists()


def test_the_command_line_forecasts_into_a_folder(data: Path, model: Path, home: Path) -> None:
    command = [
        "forecast",
        str(data),
        "--model",
        str(model),
        "--out",
        "many/",
        "--quantiles",
        "0.1,0.5,0.9",
        "--workers",
        "2",
    ]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert f"{SERIES * HORIZON} rows in many/" in result.output
    assert len(read(home / "many")) == SERIES * HORIZON
    result = CliRunner().invoke(app, [*command, "--address", "10.0.0.1:6379"])
    assert result.exit_code == 2
    assert "add --engine ray" in result.output
    result = CliRunner().invoke(app, [*command, "--out", "one.csv"])
    assert result.exit_code == 2
    assert "end --out with / to write a folder" in result.output
