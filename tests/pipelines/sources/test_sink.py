"""Forecasts are written whole or not at all, and twice is once: to files, a real object store and a real database."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecaster.artifact import load_artifact
from forecaster.errors import DataError
from pipelines.data.doors import panel_from_frame
from pipelines.data.panel import Panel
from pipelines.forecasting.ask import Question, answer_frame
from pipelines.sources.sink import check, write_forecasts
from pipelines.sources.storage import file_system
from tests.pipelines.conftest import HORIZON, hourly, make_artifact, steps

MELBOURNE = "Australia/Melbourne"


@dataclass(frozen=True)
class Said:
    """A panel and its forecasts."""

    panel: Panel
    frame: pd.DataFrame

    def write(self, out: str, version: str = "3") -> int:
        return write_forecasts(self.frame, self.panel, out, model="m", version=version)


@pytest.fixture
def said(panel: Panel, artifact: Callable[[int], tuple[Path, str]]) -> Said:
    return Said(panel, answer_frame(load_artifact(artifact(0)[0]), panel, Question(HORIZON, (0.1, 0.5))))


@pytest.fixture(params=["csv", "parquet", "s3 csv", "s3 parquet", "sqlite", "postgres"])
def out(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    place, _, ending = request.param.rpartition(" ")
    if ending == "postgres":
        return f"{request.getfixturevalue('postgres_url')}#forecasts"
    if ending == "sqlite":
        return f"sqlite:///{tmp_path}/out.db#forecasts"
    return f"{request.getfixturevalue('s3') if place else tmp_path}/forecasts.{ending}"


def written(out: str) -> pd.DataFrame:
    url, _, table = out.partition("#")
    if table:
        frame = pd.read_sql(f"select * from {table} order by model, unique_id, origin, step", url)
    else:
        system, place = file_system(out)
        with system.open_input_file(place) as file:
            frame = pd.read_csv(file) if out.endswith(".csv") else pd.read_parquet(file)
    for name in ("ds", "origin"):
        frame[name] = pd.to_datetime(frame[name], utc=True)
    return frame.astype({"version": str})


def test_a_row_for_each_series_step_and_origin(said: Said, out: str) -> None:
    assert said.write(out) == 2 * HORIZON
    frame = written(out)
    head = ["unique_id", "ds", "step", "origin", "model", "version", "mean", "q0.1", "q0.5"]
    assert list(frame.columns) == head
    assert frame["unique_id"].tolist() == ["a"] * HORIZON + ["b"] * HORIZON
    assert frame["step"].tolist() == [1, 2, 3, 4] * 2
    last = pd.Timestamp("2024-04-05", tz=MELBOURNE) + pd.Timedelta(hours=59)
    assert set(frame["origin"]) == {last.tz_convert("UTC")}
    assert (frame["ds"] == frame["origin"] + pd.to_timedelta(frame["step"], "h")).all()
    assert (set(frame["model"]), set(frame["version"])) == ({"m"}, {"3"})
    np.testing.assert_allclose(frame[head[6:]], said.frame[head[6:]], rtol=1e-12)


def test_twice_is_once(said: Said, out: str) -> None:
    said.write(out)
    once = written(out)
    said.write(out)
    pd.testing.assert_frame_equal(written(out), once)


@pytest.mark.parametrize("out", ["sqlite", "postgres"], indirect=True)
def test_only_the_same_model_series_and_origin_are_replaced(said: Said, out: str) -> None:
    said.write(out)
    write_forecasts(said.frame, said.panel, out, model="other", version="1")
    earlier = said.panel.cut(said.panel.lengths - np.array([0, 5]))
    write_forecasts(said.frame.assign(mean=7.0), earlier, out, model="m", version="4")
    frame = written(out)
    count = frame.groupby(["model", "unique_id", "origin", "version"])["mean"].agg(["count", "max"])
    assert count["count"].tolist() == [HORIZON] * 5
    assert (count.xs("4", level="version")["max"] == 7).all()
    assert len(count.xs("3", level="version")) == 1  # of the series that has another origin now


@pytest.mark.parametrize("out", ["sqlite", "postgres"], indirect=True)
def test_a_failure_in_the_middle_changes_nothing(said: Said, out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said.write(out)
    before = written(out)
    monkeypatch.setattr("pipelines.sources.sql.CHUNK", 3)
    broken = said.frame.astype({"mean": object})
    broken.loc[6, "q0.5"] = 1.0
    broken.loc[6, "unique_id"] = None
    with pytest.raises(DataError, match=r"forecasts: .*(null|NULL)"):
        write_forecasts(broken, said.panel, out, model="m", version="4")
    pd.testing.assert_frame_equal(written(out), before)


def test_those_who_write_at_once_write_one_after_the_other(said: Said, postgres_url: str) -> None:
    out = f"{postgres_url}#public.forecasts"
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda version: said.write(out, str(version)), range(8))) == [2 * HORIZON] * 8
    frame = written(out)
    assert (len(frame), frame["version"].nunique()) == (2 * HORIZON, 1)


@pytest.mark.parametrize("out", ["sqlite", "postgres"], indirect=True)
def test_steps_and_whole_series(out: str, tmp_path: Path) -> None:
    panel, url = panel_from_frame(steps()), out.partition("#")[0]
    make_artifact(tmp_path / "model", panel)
    frame = answer_frame(load_artifact(tmp_path / "model"), panel, Question(2))
    write_forecasts(frame, panel, out, model="m", version="1")
    there = pd.read_sql("select ds, step, origin from forecasts order by step", url)
    assert there.to_numpy().tolist() == [[30, 1, 29], [31, 2, 29]]
    told = pd.DataFrame({"unique_id": ["a"], "label": ["idle"], "p.idle": [0.5], "p.busy": [0.5]})
    write_forecasts(told, panel, f"{url}#whole", model="m", version="1")
    there = pd.read_sql("select * from whole", url)
    assert there.to_numpy().tolist() == [["a", 1, 29, "m", "1", "idle", 0.5, 0.5]]


@pytest.mark.parametrize("out", ["sqlite", "postgres"], indirect=True)
def test_a_table_that_lacks_a_column(said: Said, out: str) -> None:
    said.write(out)
    more = said.frame.assign(**{"q0.05": 1.0})
    with pytest.raises(DataError, match=r"the table has no column 'q0\.05'; write to another table, or add") as refused:
        write_forecasts(more, said.panel, out, model="m", version="4")
    assert "p%40ss" not in str(refused.value)
    assert len(written(out)) == 2 * HORIZON


def test_refusals(said: Said, tmp_path: Path, s3: str) -> None:
    with pytest.raises(DataError, match="nothing can be written to a query"):
        check({"url": "sqlite://", "query": "select 1"})  # type: ignore[arg-type]
    with pytest.raises(DataError, match="the ending says the format"):
        check(f"{tmp_path}/a.xlsx")
    with pytest.raises(DataError, match=r"a\.csv is what is read, or lies in it; write to another place"):
        check(f"{tmp_path}/b/../a.csv", f"{tmp_path}/a.csv")
    with pytest.raises(DataError, match=r"a\.parquet is what is read, or lies in it"):
        check(f"{tmp_path}/sales/day=1/a.parquet", tmp_path / "sales")
    check(f"{tmp_path}/a.parquet", tmp_path / "sales")
    for out, message in (
        (f"{tmp_path}/none/a.csv", r"none/a.csv: .*No such file or directory: '[^']*none/a\.csv'"),
        ("s3://no-such-bucket/a.parquet", "s3://no-such-bucket/a.parquet: .*NO_SUCH_BUCKET"),
        ("postgresql+psycopg://me:geheim@127.0.0.1:1/x#t", r"me:\*\*\*@127.0.0.1:1/x#t: .*refused"),
    ):
        with pytest.raises(DataError, match=message):
            said.write(out)


def test_the_command_writes_to_a_table(
    said: Said, postgres_url: str, tmp_path: Path, artifact: Callable[[int], tuple[Path, str]]
) -> None:
    from typer.testing import CliRunner

    from pipelines.cli.app import app

    hourly().to_parquet(tmp_path / "data.parquet")
    out = f"{postgres_url}#forecasts"
    arguments = ["forecast", f"{tmp_path}/data.parquet", "--out", out, "--model", str(artifact(0)[0])]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "p%40ss" not in result.output
    assert len(written(out)) == 2 * HORIZON
