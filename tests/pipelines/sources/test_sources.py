"""Files of every format give the same panel, and broken ones a refusal that names the file."""

import gzip
from io import FileIO
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import fs

from forecaster.errors import DataError
from pipelines.data.doors import panel_from_frame
from pipelines.sources.read import read


def table() -> pd.DataFrame:
    hours = pd.date_range("2024-03-30", periods=60, freq="h", tz="Europe/Berlin")
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"unique_id": np.repeat(["007", "NA"], 60), "ds": hours.append(hours), "y": random.normal(size=120)}
    )
    frame["price"] = random.integers(0, 9, 120)
    frame["state"] = np.repeat(["x", "y"], 60)
    return frame.assign(y=frame["y"].where(random.random(120) < 0.8)).sample(frac=0.9, random_state=0)


def write(frame: pd.DataFrame, folder: Path, kind: str) -> Path:
    path = folder / f"data{kind}"
    if kind.startswith(".csv"):
        frame.to_csv(path, index=False)
    elif kind == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        (path / "2024").mkdir(parents=True)
        frame[:50].to_parquet(path / "2024" / "b.parquet", index=False)
        frame[50:].to_parquet(path / "a.parquet", index=False)
        (path / "README.md").write_text("not data")
    return path


@pytest.mark.parametrize("kind", [".csv", ".csv.gz", ".parquet", "folder"])
def test_every_format_gives_the_panel_of_the_table(kind: str, tmp_path: Path) -> None:
    frame = table()
    expected = panel_from_frame(frame, frequency="h", past=["price"], static=["state"], zone="Europe/Berlin")
    path = write(frame, tmp_path, kind)
    panel = read(path, past=["price"], static=["state"], zone="Europe/Berlin")
    assert panel.digest == expected.digest
    assert panel.ids.tolist() == ["007", "NA"]
    assert panel.static.tolist() == [["x"], ["y"]]


@pytest.mark.parametrize("kind", [".parquet", "folder"])
def test_parquet_keeps_the_zone(kind: str, tmp_path: Path) -> None:
    assert read(write(table(), tmp_path, kind)).zone == "Europe/Berlin"


def test_offsets_of_a_csv_file_need_a_zone_where_they_change(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"another UTC offset than .*; .*name the time zone, as in Europe/Berlin"):
        read(write(table(), tmp_path, ".csv"))


def test_columns_that_nobody_asked_for_are_not_read(tmp_path: Path) -> None:
    frame = table().assign(note="ä" * 10)
    assert read(write(frame, tmp_path, ".csv"), zone="Europe/Berlin").past_names == ()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "a.csv: Empty CSV file"),
        ("a.csv", "unique_id,ds,y\n", "the table has no rows"),
        ("a.csv", "unique_id,ds,y\na,1,2\na,2\n", "a.csv: CSV parse error.*; check that the file is whole"),
        ("a.csv", "unique_id,ds,y\na,1,x\na,2,3\n", "series 'a', ds 1: y is 'x'"),
        ("a.csv", "unique_id,ds,y\na,1,\na,2,1e999\n", "series 'a', ds 2: y is inf"),
        ("a.csv", "unique_id,ds\na,1\n", "no column 'y'; there are"),
        ("a.csv", "date,HUFL,OT\n2024-01-01,1,2\n", "no column 'ds' and no column 'y'.*pandas.melt"),
        ("a.csv.gz", "not gzip", "a.csv.gz: .*; check that the file is whole"),
        ("a.parquet", "not parquet", "a.parquet: .*; check that the file is whole"),
        ("a.xlsx", "x", "a.xlsx: the ending says the format; end it with"),
    ],
)
def test_broken_files(name: str, content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        read(tmp_path / name)


@pytest.mark.parametrize(
    "text",
    ["\ufeffunique_id,ds,y\na,1,2\na,2,3\n", '"unique_id","ds",y\r\na,1,2\r\na,2,3', "unique_id,ds,y\ra,1,2\ra,2,3\r"],
)
def test_heads_of_every_kind(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(text.encode())
    assert read(tmp_path / "a.csv").values.tolist() == [2.0, 3.0]


def test_nothing_of_a_file_is_read_ahead_before_it_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that still reads the head when the file is opened again may take rows from that reading."""
    pd.DataFrame({"ds": np.arange(400_000), "y": 1.5}).to_csv(tmp_path / "a.csv", index=False)
    taken: list[int] = []

    class Watched(FileIO):
        def read(self, size: int | None = -1) -> bytes:
            found = super().read(-1 if size is None else size)
            taken[-1] += len(found)
            return found

    class Files:
        get_file_info = fs.LocalFileSystem().get_file_info

        def open_input_stream(self, path: str) -> pa.PythonFile:
            taken.append(0)
            return pa.PythonFile(Watched(path), "r")

    monkeypatch.setattr("pipelines.sources.files.file_system", lambda path: (Files(), path))
    assert read(tmp_path / "a.csv").total == 400_000
    head, whole = taken
    assert head <= 2**16
    assert whole == (tmp_path / "a.csv").stat().st_size


def test_text_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress("unique_id,ds,y\nKöln,1,2\n".encode("latin1")))
    with pytest.raises(DataError, match=r"a\.csv\.gz: .*UTF-?8"):
        read(path)


def test_files_of_a_folder_whose_times_are_of_two_zones(tmp_path: Path) -> None:
    for zone in ("UTC", "Europe/Berlin"):
        times = pd.date_range("2024-01-01", periods=3, freq="D", tz=zone)
        pd.DataFrame({"ds": times, "y": 1.5}).to_parquet(tmp_path / f"{zone[:3]}.parquet", index=False)
    with pytest.raises(DataError, match=r"ds has incompatible types.*; give .* ds one time zone"):
        read(tmp_path)


def test_missing_files_and_empty_folders(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path / "none.csv")
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path / "none.parquet")
    with pytest.raises(DataError, match="no file in this folder"):
        read(tmp_path)
