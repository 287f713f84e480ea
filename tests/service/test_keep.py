"""What the service answered is kept: in time, in Parquet, off the way of the request, and to the last row."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import orjson
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecaster.artifact import load_artifact
from forecaster.errors import DataError
from forecaster.manifest import Covariate, DataSpec
from forecaster.spec import CoreSpec, WholeSpec
from pipelines.clock.frequency import Frequency
from pipelines.forecasting.predict import Predictions
from pipelines.monitoring.kept import read_kept, rows, write_part
from service import keep
from service.forecast import answer
from service.keep import Keeper, Keeping, keeping, sampled
from service.source import Champion
from tests.service.examples import HOURLY, LSTM, STATES, STEPS, artifact, request, series
from tests.service.examples import LABELS as STATE_MODEL
from tests.service.server import serving

ROOT = Path(__file__).parents[2]
BERLIN = "2024-03-30T20:00:00+01:00"


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Champion:
    """An LSTM on the hours of Berlin."""
    return Champion("shop", "7", load_artifact(artifact(tmp_path_factory.mktemp("keep") / "artifact", LSTM, HOURLY)))


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    one = Keeper(Keeping(tmp_path / "kept", 1.0))
    yield one
    one.close()


def made(ids: list[str], horizon: int = 3, value: float = 1.0) -> Predictions:
    """Forecasts of steps."""
    shape = len(ids), horizon
    return Predictions(
        ids=np.array(ids, dtype=object),
        start=np.full(len(ids), 10),
        frequency=Frequency("step"),
        zone=None,
        levels=(0.1, 0.5, 0.9),
        mean=np.full(shape, value),
        quantiles=np.full((*shape, 3), value),
        paths=np.empty((len(ids), 0, horizon)),
    )


def test_what_is_kept_is_what_was_answered(champion: Champion, keeper: Keeper) -> None:
    asked = request(series("a", start=BERLIN), series("b", start=BERLIN), horizon=30, quantiles=[0.25, 0.5])
    said = orjson.loads(answer(champion, orjson.dumps(asked), keeper))
    assert said == orjson.loads(answer(champion, orjson.dumps(asked)))
    keeper.close()
    kept = read_kept(keeper.folder, "shop", steps=False, zone="Europe/Berlin")
    assert len(kept) == 60
    assert set(kept["version"]) == {"7"}
    for one in said["forecasts"]:
        own = kept[kept["unique_id"] == one["id"]].sort_values("step")
        assert own["step"].tolist() == list(range(1, 31))
        assert own["mean"].tolist() == one["mean"]
        assert own["q0.5"].tolist() == one["quantiles"]["0.5"]
        assert (own["q0.1"] <= own["q0.9"]).all()
        # Twelve hours after eight in the evening, over the beginning of summer time, an instant an hour.
        first = pd.Timestamp(one["start"])
        assert first == pd.Timestamp("2024-03-31T09:00:00+02:00")
        assert own["ds"].tolist() == [first.value + step * 3_600_000_000_000 for step in range(30)]
    (part,) = keeper.folder.rglob("*.parquet")
    table = pq.read_table(part).to_pandas()
    assert list(table) == [
        *("unique_id", "ds", "step", "origin", "issued_at", "model", "version", "mean"),
        *("q0.1", "q0.5", "q0.9"),
    ]
    assert (table["origin"] == pd.Timestamp("2024-03-31T08:00:00+02:00")).all()
    assert not list(keeper.folder.rglob("*.new"))


def test_series_without_a_time_are_not_kept(champion: Champion, keeper: Keeper) -> None:
    answer(champion, orjson.dumps(request(series("a"))), keeper)
    keeper.close()
    assert not list(keeper.folder.rglob("*.parquet"))


def test_a_model_without_a_zone_keeps_the_wall_clock_of_each_request(tmp_path: Path) -> None:
    naive = Champion("shop", "7", load_artifact(artifact(tmp_path / "artifact", LSTM, DataSpec(frequency="D"))))
    one = Keeper(Keeping(tmp_path / "kept", 1.0))
    for name, start in (("a", "2024-01-01"), ("b", "2024-01-01T00:00:00+05:00"), ("c", "2024-01-01T00:00:00Z")):
        answer(naive, orjson.dumps(request({"id": name, "start": start, "target": [1.0, 2.0]})), one)
    one.close()
    kept = read_kept(one.folder, "shop", steps=False, zone=None).groupby("unique_id")["ds"].min()
    assert {pd.Timestamp(ds) for ds in kept} == {pd.Timestamp("2024-01-03")}
    assert len(kept) == 3


def test_champions_that_read_time_differently_keep_files_of_their_own(champion: Champion, tmp_path: Path) -> None:
    counting = Champion("shop", "8", load_artifact(artifact(tmp_path / "artifact", LSTM, STEPS)))
    one = Keeper(Keeping(tmp_path / "kept", 1.0))
    for model, start in ((champion, BERLIN), (counting, 0)):
        answer(model, orjson.dumps(request(series("a", start=start))), one)
    one.close()
    assert len(list(one.folder.rglob("*.parquet"))) == 2


def test_labels_are_not_kept(tmp_path: Path, keeper: Keeper) -> None:
    states = Champion("shop", "7", load_artifact(artifact(tmp_path / "artifact", STATE_MODEL, STATES)))
    one = {"id": "a", "start": 0, "target": ["idle", "busy", "idle"], "static": {"shop": "north"}}
    answer(states, orjson.dumps(request(one)), keeper)
    keeper.close()
    assert not list(keeper.folder.rglob("*.parquet"))


def test_what_is_told_of_whole_series_is_not_kept(tmp_path: Path, keeper: Keeper) -> None:
    sizes = DataSpec(frequency="step", whole=Covariate(name="size", mean=100, deviation=5))
    model = WholeSpec(core=CoreSpec(cell="gru", width=8, layers=1))
    whole = Champion("shop", "7", load_artifact(artifact(tmp_path / "artifact", model, sizes)))
    answer(whole, orjson.dumps(request(series("a", start=0), horizon=1)), keeper)
    keeper.close()
    assert not list(keeper.folder.rglob("*.parquet"))


@given(ids=st.lists(st.text(max_size=9), min_size=1, max_size=50), low=st.floats(0, 1), high=st.floats(0, 1))
def test_law_of_the_sample(ids: list[str], low: float, high: float) -> None:
    """A series of a small sample is in every larger one."""
    low, high = sorted([low, high])
    assert all(sampled(one, high) for one in ids if sampled(one, low))


def test_the_sample_is_a_fair_share() -> None:
    count = sum(sampled(f"series {number}", 0.25) for number in range(20_000))
    assert abs(count - 5_000) < 4 * np.sqrt(20_000 * 0.25 * 0.75)


def test_a_sampled_series_is_kept_always(champion: Champion, tmp_path: Path) -> None:
    one = Keeper(Keeping(tmp_path, 0.5))
    ids = [f"s{number}" for number in range(40)]
    for _ in range(3):
        one.keep(champion, made(ids))
    one.close()
    (part,) = tmp_path.rglob("*.parquet")
    counted = pq.read_table(part).to_pandas().groupby("unique_id").size()
    assert set(counted.index) == {name for name in ids if sampled(name, 0.5)}
    assert set(counted) == {9}


def test_a_full_line_drops_and_counts_and_never_waits(
    champion: Champion, monkeypatch: pytest.MonkeyPatch, keeper: Keeper
) -> None:
    held, go = threading.Event(), threading.Event()

    def stuck(folder: Path, tables: list[object]) -> Path:
        held.set()
        assert go.wait(30)
        return folder

    monkeypatch.setattr("pipelines.monitoring.kept.write_part", stuck)
    monkeypatch.setattr(keep, "WAITING", 10)
    monkeypatch.setattr(keep, "ROWS", 1)
    dropped = keep.dropped._value.get()
    keeper.keep(champion, made(["a", "b"]))  # six steps, which the disk holds up
    assert held.wait(30)
    keeper.keep(champion, made(["a"]))
    keeper.keep(champion, made(["a"]))
    assert keep.dropped._value.get() - dropped == 3
    go.set()
    keeper.close()
    assert keeper.waiting == 0


def test_series_that_are_not_sampled_take_no_place_in_line(
    champion: Champion, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = Keeper(Keeping(tmp_path, 0.5))
    ids = [f"s{number}" for number in range(40)]
    chosen = [name for name in ids if sampled(name, 0.5)]
    monkeypatch.setattr(keep, "WAITING", 3 * len(chosen))
    dropped = keep.dropped._value.get()
    one.keep(champion, made(ids))
    one.keep(champion, made(list({*ids} - {*chosen})))
    one.close()
    assert keep.dropped._value.get() == dropped
    assert set(read_kept(tmp_path, "shop", steps=True, zone=None)["unique_id"]) == {*chosen}


def test_a_disk_without_room_is_told_and_survived(
    champion: Champion, keeper: Keeper, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(folder: Path, tables: list[object]) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keep, "ROWS", 1)
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.monitoring.kept.write_part", full)
        keeper.keep(champion, made(["a"]))
        while keeper.waiting:
            assert keeper.thread.is_alive()
    keeper.keep(champion, made(["b"]))
    keeper.close()
    assert "could not be kept" in caplog.text
    assert set(read_kept(keeper.folder, "shop", steps=True, zone=None)["unique_id"]) == {"b"}


def test_forecasts_beyond_all_clocks_are_not_kept_and_those_beside_them_are(
    keeper: Keeper, champion: Champion, caplog: pytest.LogCaptureFixture
) -> None:
    late = replace(
        made(["late"]), frequency=Frequency("YE"), start=np.array([np.datetime64("2199-12-31", "ns").astype(int)])
    )
    keeper.keep(champion, made(["a"]))
    keeper.keep(champion, late)
    keeper.keep(champion, made(["b"]))
    keeper.close()
    assert sorted(set(pd.read_parquet(keeper.folder)["unique_id"])) == ["a", "b"]
    assert "years 1700 to 2200" in caplog.text


@pytest.mark.parametrize("share", ["-1", "1.5", "many"])
def test_a_share_that_is_none_is_told(share: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(keep.FOLDER, str(tmp_path))
    monkeypatch.setenv(keep.SHARE, share)
    with pytest.raises(ValueError, match=f"FORECASTER_KEEP_SHARE is {share}, and a share is between 0 and 1"):
        keeping()


def test_what_was_issued_later_wins(tmp_path: Path) -> None:
    early, late = (datetime(2024, 1, day, tzinfo=UTC) for day in (1, 2))
    write_part(tmp_path, [rows(made(["a"], value=2.0), "shop", "8", late, zone=None)])
    write_part(tmp_path, [rows(made(["a", "b"], value=1.0), "shop", "7", early, zone=None)])
    write_part(tmp_path, [rows(made(["a"], value=3.0), "other", "1", late, zone=None)])
    kept = read_kept(tmp_path, "shop", steps=True, zone=None)
    assert kept.set_index("unique_id")["mean"].to_dict() == {"a": 2.0, "b": 1.0}
    assert len(kept) == 6
    assert set(read_kept(tmp_path, "shop", steps=True, zone=None, version="7")["mean"]) == {1.0}


def test_a_batch_is_read_by_the_same_reader(tmp_path: Path) -> None:
    """A file of another writer: zoned times, categories, small integers, more levels, and no time of issue."""
    frame = pd.DataFrame(
        {
            "unique_id": pd.Categorical(["a", "a"]),
            "ds": pd.date_range("2024-03-31 01:00", periods=2, freq="h", tz="Europe/Berlin"),
            "step": np.array([1, 2], dtype=np.int32),
            "origin": pd.Timestamp("2024-03-31", tz="Europe/Berlin"),
            "model": "shop",
            "version": "7",
            "mean": [1.0, 2.0],
            **{f"q{level / 10:g}": [1.0, 2.0] for level in range(1, 10)},
        }
    )
    frame.to_parquet(tmp_path / "batch.parquet")
    kept = read_kept(tmp_path / "batch.parquet", "shop", steps=False, zone="Europe/Berlin")
    assert kept["ds"].tolist() == [pd.Timestamp(f"2024-03-31T0{hour}:00Z").value for hour in (0, 1)]
    assert kept["mean"].tolist() == [1.0, 2.0]


def test_no_forecasts_and_broken_ones_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="FORECASTER_KEEP"):
        read_kept(tmp_path, "shop", steps=True, zone=None)
    write_part(tmp_path, [rows(made(["a"], value=1.0), "shop", "7", datetime.now(UTC), zone=None)])
    with pytest.raises(DataError, match="no forecasts of 'shops' are kept here; choose from shop"):
        read_kept(tmp_path, "shops", steps=True, zone=None)
    assert read_kept(tmp_path, "shop", steps=True, zone=None, version="8").empty
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"a\.parquet"):
        read_kept(tmp_path, "shop", steps=True, zone=None)


def test_a_server_that_is_ended_writes_all_that_it_answered(tmp_path: Path) -> None:
    model = artifact(tmp_path / "artifact", LSTM, STEPS)
    command = [sys.executable, "-m", "service", str(model), "--name", "shop", "--version", "7"]
    with serving(command, ROOT, {keep.FOLDER: str(tmp_path / "kept")}, tmp_path / "log") as server:
        for number in range(20):
            asked = request(series(f"s{number}", start=number), horizon=5)
            assert server.client.post("/forecast", json=asked).status_code == 200
        assert "forecaster_kept_total" in server.client.get("/metrics").text
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
    kept = read_kept(tmp_path / "kept", "shop", steps=True, zone=None)
    assert sorted(set(kept["unique_id"])) == sorted(f"s{number}" for number in range(20))
    assert len(kept) == 100
    first = kept[kept["step"] == 1].set_index("unique_id")["ds"]
    assert all(first[f"s{number}"] == number + 12 for number in range(20))


def test_a_folder_that_cannot_be_is_told_before_the_start(tmp_path: Path) -> None:
    model = artifact(tmp_path / "artifact", LSTM, STEPS)
    (tmp_path / "file").write_text("")
    command = [sys.executable, "-m", "service", str(model), "--port", "0"]
    environment = {**os.environ, keep.FOLDER: str(tmp_path / "file" / "kept")}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert "forecasts cannot be kept" in ended.stderr
