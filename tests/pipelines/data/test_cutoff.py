"""Nothing after the as-of is read: with a poisoned future the panel is the one of a file that ends there."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine
from typer.testing import CliRunner

from forecaster.artifact import load_artifact
from forecaster.errors import DataError
from pipelines.cli.app import app
from pipelines.data.doors import panel_from_frame
from pipelines.data.panel import Panel
from pipelines.registry.fetch import resolve
from pipelines.sources.read import read

BERLIN = "Europe/Berlin"
AUTUMN, SPRING = "2024-10-26 16:00", "2024-03-30 16:00"
HOUR = pd.Timedelta(hours=1)
OPTIONS: dict[str, Any] = {"known": ["price"], "past": ["rain"], "static": ["state"], "zone": BERLIN}


def hours(begin: str, count: int = 30) -> pd.DataFrame:
    """Two series over a change of clocks, whole numbers, covariates, one of which is known ahead."""
    times = pd.date_range(begin, periods=count, freq="h", tz=BERLIN)
    frame = pd.concat([pd.DataFrame({"unique_id": one, "ds": times, "state": one * 2}) for one in ("a", "b")])
    frame = frame.assign(y=np.arange(2 * count) % 7, price=np.arange(2 * count) % 5, rain=1.5)
    return frame.reset_index(drop=True)


def poisoned(frame: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """The same up to the as-of; then words, huge values, nothing, states that change, and a series of its own."""
    late = (frame["ds"] > as_of).to_numpy()
    poison: dict[str, list[Any]] = {
        "y": [1e9, "soon", "true", "1.2.3"],
        "price": ["x", None],
        "rain": ["1e999"],
        "state": ["moved"],
    }
    for name, values in poison.items():
        frame[name] = [values[row % len(values)] if late[row] else one for row, one in enumerate(frame[name])]
    late_rows = frame[frame["ds"] > as_of + HOUR].assign(unique_id="later")  # a lone 02:00 means the first one
    return pd.concat([frame, late_rows], ignore_index=True)


def stamped(frame: pd.DataFrame, style: str) -> pd.DataFrame:
    times = pd.DatetimeIndex(frame["ds"])
    texts = {
        "offset": [one.isoformat() for one in times],
        "utc": [one.isoformat() for one in times.tz_convert("UTC")],
        "naive": [one.isoformat(sep=" ") for one in times.tz_localize(None)],
    }
    return frame.assign(ds=texts[style])


# Before, inside and after the hour that clocks show twice and the one that they leave out.
MOMENTS = [
    *(("2024-10-27T01:59+02:00", AUTUMN), ("2024-10-27T02:30+02:00", AUTUMN), ("2024-10-27T02:00+01:00", AUTUMN)),
    *(("2024-10-27T02:30+01:00", AUTUMN), ("2024-10-27T03:00+01:00", AUTUMN), ("2024-10-27", AUTUMN)),
    *(("2024-03-31T01:00+01:00", SPRING), ("2024-03-31T03:00+02:00", SPRING), ("2024-03-31T09:00:00", SPRING)),
]


@pytest.mark.parametrize("style", ["offset", "utc", "naive"])
@pytest.mark.parametrize(("as_of", "begin"), MOMENTS)
def test_a_poisoned_future_of_a_csv_file_changes_nothing(style: str, as_of: str, begin: str, tmp_path: Path) -> None:
    whole, moment = hours(begin), aware(as_of)
    expected = truth(whole, moment)
    stamped(poisoned(whole, moment), style).to_csv(tmp_path / "data.csv", index=False)
    assert read(tmp_path / "data.csv", as_of=as_of, **OPTIONS).digest == expected.digest


def aware(as_of: str) -> pd.Timestamp:
    moment = pd.Timestamp(as_of)
    return moment if moment.tzinfo else moment.tz_localize(BERLIN)


def truth(whole: pd.DataFrame, moment: pd.Timestamp) -> Panel:
    return panel_from_frame(whole[whole["ds"] <= moment], **OPTIONS)


@pytest.mark.parametrize("kind", ["utc", "named", "naive", "text"])
@pytest.mark.parametrize(("as_of", "begin"), MOMENTS)
def test_a_poisoned_future_of_parquet_changes_nothing(kind: str, as_of: str, begin: str, tmp_path: Path) -> None:
    whole, moment = hours(begin), aware(as_of)
    expected = truth(whole, moment)
    for hour, part in whole.groupby(whole["ds"].dt.tz_convert("UTC")):
        times = part["ds"].dt.tz_convert("UTC") if kind == "utc" else part["ds"]
        part = part.assign(ds=times.dt.tz_localize(None) if kind == "naive" else times)
        part = part.assign(ds=[str(one) for one in times]) if kind == "text" else part
        late = hour > moment + HOUR
        if late and kind != "text":  # the look of its stamps tells that a file is later
            part = part.assign(y="soon", price="x").drop(columns="rain")
        elif hour > moment:
            part = part.assign(y=1e9)
        part.to_parquet(tmp_path / f"{'0' if late else '1'} {hour:%Y%m%d %H}.parquet", index=False)
    assert read(tmp_path, as_of=as_of, **OPTIONS).digest == expected.digest


@given(step=st.integers(-5, 25), as_text=st.booleans())
def test_steps(step: int, as_text: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("steps") / ("data.csv" if as_text else "data.parquet")
    frame = pd.DataFrame({"unique_id": "a", "ds": np.arange(-5, 20), "y": np.arange(25.0)})
    frame.loc[frame["ds"] > step, "y"] = 1e300
    frame.to_csv(file, index=False) if as_text else frame.to_parquet(file, index=False)
    panel = read(file, as_of=str(step))
    assert panel.values.tolist() == np.arange(min(step + 6, 25)).tolist()


@pytest.mark.parametrize("kind", ["int8", "int16", "uint32", "float32"])
@pytest.mark.parametrize(("as_of", "many"), [("40000", 20), ("7", 8)])
def test_steps_of_any_type(kind: str, as_of: str, many: int, tmp_path: Path) -> None:
    frame = pd.DataFrame({"unique_id": "a", "ds": np.arange(20).astype(kind), "y": np.arange(20.0)})
    frame.to_parquet(tmp_path / "data.parquet", index=False)
    assert read(tmp_path / "data.parquet", as_of=as_of).total == many


def test_days_and_times_that_only_a_future_has(tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", periods=9).strftime("%Y-%m-%d")
    frame = pd.DataFrame({"ds": [*days, "9999-12-31", "2024-01-04T01:23:45"], "y": [*range(9), 5, 5]})
    frame.to_csv(tmp_path / "a.csv", index=False)
    panel = read(tmp_path / "a.csv", as_of="2024-01-03")
    assert (panel.values.tolist(), panel.frequency.name) == ([0, 1, 2], "D")
    table = pa.table({"ds": pa.array(pd.to_datetime(days)).cast(pa.date32()), "y": range(9)})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet", as_of="2024-01-03T23:00").values.tolist() == [0, 1, 2]


def test_the_types_of_columns_are_told_from_the_early_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("ds,y\n1,true\n2,false\n3,true\n4,maybe\n")
    assert read(tmp_path / "a.csv", as_of="3").values.tolist() == [1, 0, 1]
    (tmp_path / "b.csv").write_text("ds,y\n1,on\n2,off\n3,later\n")
    assert read(tmp_path / "b.csv", as_of="2").labels == ("off", "on")


@pytest.mark.parametrize(
    ("stamps", "as_of", "message"),
    [
        (["2024-01-01", "2024-01-02"], "2023-12-31", "no row is as early as 2023-12-31; give a later as-of"),
        (["2024-01-01", "2024-01-02"], "7", "ds holds times and the as-of is 7; give a time"),
        (["1", "2"], "2024-01-01", "ds counts integer steps and the as-of is 2024-01-01; give an integer"),
        (["2024-01-01", "2024-01-02"], "2024-01-02T00:00Z", "as-of .* has an offset and the times in ds have none"),
        (["2024-01-01", "2024-01-02"], "soon", "as_of 'soon': not a time; write it as in 2024-01-31"),
        (["2024-01-01", "soon"], "2024-01-01", "ds 'soon': not a time"),
    ],
)
def test_refusals(stamps: list[str], as_of: str, message: str, tmp_path: Path) -> None:
    pd.DataFrame({"ds": stamps, "y": 1}).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "a.csv", as_of=as_of)


@pytest.mark.parametrize(("as_of", "begin"), MOMENTS)
def test_a_query_is_cut_too(as_of: str, begin: str, tmp_path: Path) -> None:
    whole, moment, url = hours(begin), aware(as_of), f"sqlite:///{tmp_path}/a.db"
    stamped(poisoned(whole, moment), "naive").to_sql("hours", create_engine(url), index=False)
    expected = truth(whole, moment)
    assert read(f"{url}#hours", as_of=as_of, **OPTIONS).digest == expected.digest


def test_a_model_learns_nothing_from_after_the_as_of(home: Path) -> None:
    whole, moment = hours("2024-10-01", 600), aware("2024-10-20T12:00")
    stamped(poisoned(whole, moment), "naive").to_csv("data.csv", index=False)
    arguments = ["train", "data.csv", "--horizon", "6", "--recipe", "seasonal_naive", "--as-of", "2024-10-20T12:00"]
    columns = ["--known", "price", "--past", "rain", "--static", "state", "--zone", BERLIN]
    result = CliRunner().invoke(app, [*arguments, *columns])
    assert result.exit_code == 0, result.output
    training = load_artifact(resolve("forecaster").folder).spec.training
    assert training.until == "2024-10-20 12:00+02:00"
    assert training.digest == truth(whole, moment).digest


@pytest.mark.parametrize("zone", ["+10", "Z", "GMT+1", "Europe/Berlin"])
@pytest.mark.parametrize("written", [None, "UTC"])
def test_a_zone_however_it_is_written(zone: str, written: str | None, tmp_path: Path) -> None:
    times = pd.date_range("2024-01-01", periods=48, freq="h", tz=written)
    pd.DataFrame({"ds": times, "y": np.arange(48.0)}).to_parquet(tmp_path / "a.parquet", index=False)
    whole = read(tmp_path / "a.parquet", zone=zone)
    cut = read(tmp_path / "a.parquet", zone=zone, as_of="2024-01-02T05")
    until = pd.Timestamp("2024-01-02T05", tz=whole.zone)
    assert cut.total == (pd.DatetimeIndex(whole.times(0)) <= until).sum()


def test_a_zone_that_there_is_not(tmp_path: Path) -> None:
    times = pd.date_range("2024-01-01", periods=48, freq="h")
    pd.DataFrame({"ds": times, "y": 1.5}).to_parquet(tmp_path / "a.parquet", index=False)
    with pytest.raises(DataError, match="unknown time zone 'Nowhere'"):
        read(tmp_path / "a.parquet", zone="Nowhere", as_of="2024-01-02")
