"""A store filled day by day is the source: late, duplicated, reordered, corrected; and broken data is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from forecaster.errors import DataError
from pipelines.data.doors import panel_from_frame
from pipelines.data.panel import Panel
from pipelines.sources.ingest import Ingested, ingest
from pipelines.sources.read import read
from pipelines.sources.storage import file_system

BERLIN = "Europe/Berlin"
DAYS = [f"2024-10-{day}" for day in range(26, 31)]


def hours(**columns: str) -> pd.DataFrame:
    """Three series over the day of 25 hours: one ends early and one begins late."""
    times = pd.date_range("2024-10-25", "2024-10-29 12:00", freq="h", tz=BERLIN)
    lives = {"a": slice(None), "ended": slice(0, 30), "new": slice(70, None)}
    frame = pd.concat([pd.DataFrame({"unique_id": one, "ds": times[lives[one]]}) for one in lives], ignore_index=True)
    return frame.assign(y=np.arange(len(frame)) % 17, price=2.5, **columns)


def written(frame: pd.DataFrame, file: Path) -> str:
    if file.suffix == ".csv":  # without offsets: the order of rows tells which 02:00 is meant
        frame = frame.assign(ds=[one.tz_localize(None).isoformat() for one in frame["ds"]])
        frame.to_csv(file, index=False)
    elif file.suffix == ".db":
        frame.assign(ds=frame["ds"].dt.tz_convert("UTC").dt.tz_localize(None)).to_sql(
            "hours", f"sqlite:///{file}", index=False, if_exists="replace"
        )
        return f"sqlite:///{file}#hours"
    else:
        frame.to_parquet(file, index=False)
    return str(file)


def stored(store: str | Path, **options: object) -> Panel:
    return read(store, duplicates="last", past=["price"], **options)  # type: ignore[arg-type]


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"{tmp_path if request.param == 'local' else request.getfixturevalue('s3')}/store"


def content(file: str) -> bytes:
    system, place = file_system(file)
    with system.open_input_stream(place) as stream:
        return bytes(stream.read())


@pytest.mark.parametrize("form", ["a.csv", "a.parquet"])
def test_day_by_day_is_the_source(form: str, store: str, tmp_path: Path) -> None:
    frame, seen = hours(), []
    source = written(frame, tmp_path / form)
    for day in DAYS:
        seen.append(ingest(source, store, day, zone=BERLIN))
        until = frame[frame["ds"] <= pd.Timestamp(day, tz=BERLIN)]
        assert stored(store).digest == panel_from_frame(until, past=["price"]).digest
    assert [one.rows for one in seen] == [25 + 25, 24 + 5, 25 + 4, 24 + 24, 12 + 12]
    assert [(one.appeared, one.vanished, one.again) for one in seen] == [
        (2, 0, 0),
        (0, 0, 0),
        (1, 1, 0),
        (0, 1, 0),
        (0, 1, 0),
    ]
    assert stored(store, as_of="2024-10-27").digest != stored(store).digest
    before = content(seen[2].file)
    assert ingest(source, store, DAYS[2], zone=BERLIN) == seen[2]
    assert content(seen[2].file) == before


def test_late_duplicated_reordered_and_corrected_rows(store: str, tmp_path: Path) -> None:
    frame = hours()
    hole = frame["ds"] == pd.Timestamp("2024-10-26 20:00", tz=BERLIN)
    wrong = frame["ds"] == pd.Timestamp("2024-10-26 21:00", tz=BERLIN)
    first = frame[~hole].assign(y=frame["y"].where(~wrong, 1e9))
    ingest(written(first, tmp_path / "a.parquet"), store, "2024-10-27")
    later = pd.concat([frame, frame[100:130]]).sample(frac=1, random_state=0)
    done = ingest(written(later, tmp_path / "b.parquet"), store, "2024-10-30", late="1d")
    assert done.again > 24
    assert stored(store).digest == panel_from_frame(frame, past=["price"]).digest


def test_a_database_is_asked_for_what_is_new_alone(store: str, tmp_path: Path) -> None:
    source = written(hours(), tmp_path / "a.db")
    ingest(source, store, "2024-10-27", zone="UTC")
    assert ingest(source, store, "2024-10-30", zone="UTC").again == 0
    assert stored(store).digest == panel_from_frame(hours(), past=["price"], zone="UTC").digest


def test_postgres_is_asked_for_what_is_new_alone(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = sa.create_engine(postgres_url, poolclass=sa.NullPool)
    hours().to_sql("hours", engine, index=False)
    source, store = f"{postgres_url}#hours", tmp_path / "store"
    ingest(source, store, "2024-10-27T00:00+02:00")
    with engine.begin() as connection:  # nobody looks at the past again
        connection.execute(sa.text("update hours set y = -1 where ds <= '2024-10-27T00:00+02:00'"))
    ingest(source, store, "2024-10-30")
    assert stored(store, zone=BERLIN).digest == panel_from_frame(hours(), past=["price"]).digest


def test_nothing_new_is_no_fault(store: str, tmp_path: Path) -> None:
    source = written(hours(), tmp_path / "a.parquet")
    ingest(source, store, "2024-10-30")
    done = ingest(source, store, "2024-10-31")
    assert (done.rows, done.again, done.appeared, done.vanished) == (0, 0, 0, 3)
    assert stored(store).digest == panel_from_frame(hours(), past=["price"]).digest


def test_steps(tmp_path: Path) -> None:
    frame = pd.DataFrame({"ds": np.arange(20), "y": np.arange(20.0)})
    frame.to_csv(tmp_path / "a.csv", index=False)
    for until in (3, 9, 10):
        ingest(tmp_path / "a.csv", tmp_path / "store", str(until), late="2")
        assert read(tmp_path / "store", duplicates="last").values.tolist() == list(range(until + 1))
    done = ingest(tmp_path / "a.csv", tmp_path / "store", "19", late="2")
    assert done == Ingested(f"{tmp_path}/store/{19:016d}.parquet", 11, 2, 0, 0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (hours().drop(columns="price"), "no column 'price' any more; the store has it; bring it back, or begin a new"),
        (hours().assign(price="high"), "price holds text, and in the store numbers; give numbers, or begin a new"),
        (hours().assign(y="idle"), "y holds text, and in the store numbers"),
        (
            hours().assign(ds=lambda frame: frame["ds"].dt.tz_localize(None)).drop_duplicates(["unique_id", "ds"]),
            "ds holds times, and in the store times with a zone",
        ),
    ],
)
def test_a_change_of_columns_is_refused_before_anything_is_written(
    changed: pd.DataFrame, message: str, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    ingest(written(hours(), tmp_path / "a.parquet"), store, "2024-10-26")
    with pytest.raises(DataError, match=message):
        ingest(written(changed, tmp_path / "b.parquet"), store, "2024-10-30")
    assert len(list(store.iterdir())) == 1


def test_a_column_more_and_one_that_is_empty_go_in(tmp_path: Path) -> None:
    store = tmp_path / "store"
    ingest(written(hours().assign(price=None), tmp_path / "a.parquet"), store, "2024-10-26")
    ingest(written(hours(weather="dry"), tmp_path / "b.parquet"), store, "2024-10-30")
    assert len(stored(store)) == 3


def test_a_source_that_moves_to_another_zone_goes_into_that_of_the_store(tmp_path: Path) -> None:
    store = tmp_path / "store"
    ingest(written(hours(), tmp_path / "a.parquet"), store, "2024-10-26")
    moved = hours().assign(ds=lambda frame: frame["ds"].dt.tz_convert("America/New_York"))
    ingest(written(moved, tmp_path / "b.parquet"), store, "2024-10-30")
    whole = stored(written(hours(), tmp_path / "a.parquet"))
    assert stored(store).zone == whole.zone == BERLIN
    assert np.array_equal(stored(store).values, whole.values, equal_nan=True)


def test_partitions_of_two_zones_are_told(tmp_path: Path) -> None:
    store = tmp_path / "store"
    ingest(written(hours(), tmp_path / "a.parquet"), store, "2024-10-26")
    moved = hours().assign(ds=lambda frame: frame["ds"].dt.tz_convert("America/New_York"))
    written(moved, store / "2024-10-27T000000.parquet")
    with pytest.raises(DataError, match=r"store: .*; give each column one type in all files, and ds one time zone"):
        ingest(written(hours(), tmp_path / "a.parquet"), store, "2024-10-30")


def test_a_corrupted_partition_is_named(store: str, tmp_path: Path) -> None:
    source = written(hours(), tmp_path / "a.parquet")
    file = ingest(source, store, "2024-10-26").file
    system, place = file_system(file)
    whole = content(file)
    with system.open_output_stream(place) as stream:
        stream.write(whole[: len(whole) // 2])
    name = r"store/2024-10-26T000000\.parquet: .*; check that the file is whole"
    for act in (lambda: ingest(source, store, "2024-10-30"), lambda: stored(store)):
        with pytest.raises(DataError, match=name):
            act()


def test_a_store_in_the_home_of_who_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    ingest(written(hours(), tmp_path / "a.parquet"), "~/deep/store", "2024-10-26")
    assert [file.name for file in (tmp_path / "deep" / "store").iterdir()] == ["2024-10-26T000000.parquet"]
    assert not (tmp_path / "~").exists()


@pytest.mark.parametrize(
    ("as_of", "late", "message"),
    [
        ("2024-10-30", "two days", "late is 'two days'; give a span such as 2d"),
        ("2024-10-30", "-2d", "late is '-2d'; give a span such as 2d"),
        ("2024-10-30", "2", "late is '2'; give a span such as 2d"),
        ("soon", "0", "as_of 'soon': not a time"),
        ("17", "0", "ds holds times and the as-of is 17"),
    ],
)
def test_refusals(as_of: str, late: str, message: str, tmp_path: Path) -> None:
    source = written(hours(), tmp_path / "a.parquet")
    ingest(source, tmp_path / "store", "2024-10-26")
    with pytest.raises(DataError, match=message):
        ingest(source, tmp_path / "store", as_of, late=late)
    with pytest.raises(DataError, match="no row is as early as 2020-01-01"):
        ingest(source, tmp_path / "another", "2020-01-01")
