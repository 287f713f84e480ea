"""Files in a real object store give the panel of the table, and broken ones a refusal that names the file."""

import gzip
import io
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pandas as pd
import pytest

from forecaster.errors import DataError
from pipelines.data.doors import panel_from_frame
from pipelines.sources.read import read
from pipelines.sources.storage import file_system, put
from tests.pipelines.conftest import hourly

Store = Callable[[str, bytes], str]


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Puts a file into a folder and tells the place of the folder."""
    root = str(tmp_path) if request.param == "local" else str(request.getfixturevalue("s3"))

    def keep(name: str, content: bytes) -> str:
        if request.param == "local":
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        put(f"{root}/{name}", lambda file: file.write(content))
        return root

    return keep


def parquet(frame: pd.DataFrame) -> bytes:
    written = io.BytesIO()
    frame.to_parquet(written, index=False)
    return written.getvalue()


def test_csv_parquet_and_folders(store: Store) -> None:
    frame = hourly()
    expected = panel_from_frame(frame, zone="Australia/Melbourne").digest
    root = store("a b/data.csv.gz", gzip.compress(frame.to_csv(index=False).encode()))
    assert read(f"{root}/a b/data.csv.gz", zone="Australia/Melbourne").digest == expected
    for day, part in frame.groupby(frame["ds"].dt.date):
        store(f"folder/day={day}/part.parquet", parquet(part))
    assert read(f"{root}/folder").digest == expected
    early = frame[frame["ds"] <= pd.Timestamp("2024-04-06 02:00", tz="Australia/Melbourne")]
    assert read(f"{root}/folder/", as_of="2024-04-06T02:00").digest == panel_from_frame(early).digest


def test_a_column_that_is_in_the_names_of_folders(store: Store) -> None:
    frame = hourly().assign(unique_id=lambda frame: frame["unique_id"].map({"a": "007", "b": "b c"}))
    root = store("data/README.md", b"not data")
    for name, part in frame.groupby("unique_id"):
        store(f"data/unique_id={name}/part.parquet", parquet(part.drop(columns="unique_id")))
    assert read(f"{root}/data").digest == panel_from_frame(frame).digest


def test_partitions_of_other_types_go_together(store: Store) -> None:
    store("data/a.parquet", parquet(pd.DataFrame({"ds": [1, 2], "y": [1, 2]})))
    store("data/b.parquet", parquet(pd.DataFrame({"ds": [3, 4], "y": [2.5, None]})))
    root = store("data/c.parquet", parquet(pd.DataFrame({"ds": [5], "y": [None]})))
    assert str(read(f"{root}/data", to_the_end=True).values.tolist()) == "[1.0, 2.0, 2.5, nan, nan]"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("b.parquet", parquet(hourly())[:-9], r"data/b\.parquet: .*; check that the file is whole"),
        ("b.parquet", b"", r"data/b\.parquet: .*; check that the file is whole"),
        ("b.parquet", parquet(hourly().drop(columns="y")), r"data/b\.parquet: no column 'y'"),
        ("b.parquet", parquet(hourly(y="high")), r"data.*: .*y.*"),
    ],
)
def test_a_broken_partition_is_named(name: str, content: bytes, message: str, store: Store) -> None:
    store("data/a.parquet", parquet(hourly()))
    root = store(f"data/{name}", content)
    with pytest.raises(DataError, match=message):
        read(f"{root}/data")


def test_bits_that_flip_within_a_partition(store: Store) -> None:
    content = bytearray(parquet(hourly()))
    content[4:400] = bytes(396)
    root = store("data/a.parquet", bytes(content))
    with pytest.raises(DataError, match=r"data/a\.parquet: .*; check that the file is whole"):
        read(f"{root}/data")


def test_csv_that_is_cut_in_the_middle(store: Store) -> None:
    text = hourly().to_csv(index=False).encode()
    root = store("a.csv", text[:-20])
    store("a.csv.gz", gzip.compress(text)[:-200])
    for name in ("a.csv", "a.csv.gz"):
        with pytest.raises(DataError, match=f"{name}: .*; check that the file is whole"):
            read(f"{root}/{name}", zone="Australia/Melbourne")


def test_what_is_not_there(store: Store, s3: str) -> None:
    root = store("data/a.txt", b"text")
    for place, message in (
        (f"{root}/none.csv", "none.csv: there is no such file or folder"),
        (f"{root}/data", "data: no file in this folder ends with .parquet"),
        ("s3://no-such-bucket/a.csv", "s3://no-such-bucket/a.csv: there is no such file or folder"),
    ):
        with pytest.raises(DataError, match=message):
            read(place)


def test_a_store_that_does_not_answer(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(DataError, match=r"s3://.*/a\.csv: .*onnect"):
        read(f"{s3}/a.csv")


@pytest.fixture
def forbidden(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A store that gives nobody anything."""

    class Forbid(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(403)
            self.end_headers()
            self.wfile.write(b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Forbid)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "guest")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "geheim")
    yield
    server.shutdown()
    server.server_close()


def test_a_store_that_denies_access(forbidden: None) -> None:
    with pytest.raises(DataError, match=r"s3://bucket/a\.csv: .*ACCESS_DENIED") as refused:
        read("s3://bucket/a.csv")
    assert "geheim" not in str(refused.value)


def test_a_file_is_there_whole_or_not_at_all(store: Store) -> None:
    root = store("data/a.csv", b"old")
    put(f"{root}/data/a.csv", lambda file: file.write(b"new"))
    system, place = file_system(f"{root}/data")
    with system.open_input_stream(f"{place}/a.csv") as stream:
        assert stream.read() == b"new"


def test_what_fails_leaves_nothing(tmp_path: Path, s3: str) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(OSError, match="directory"):
        put(f"{tmp_path}/a.csv", lambda file: file.write(b"new"))
    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]
    with pytest.raises(OSError, match="NO_SUCH_BUCKET"):
        put("s3://no-such-bucket/a.csv", lambda file: file.write(b"new"))
