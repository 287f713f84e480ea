"""A disk that is full, for real: what was written last stays whole, one line says where, and the command goes on."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from forecaster.artifact import load_artifact
from forecaster.durable import replace
from pipelines.cli.app import app
from pipelines.faults import AGAIN, FULL, passing
from pipelines.registry.versions import versions
from pipelines.sources.files import naming
from pipelines.sources.sink import write

ROOT = Path(__file__).parents[3]
SIZE = 2**20
"""Bytes of the small disk."""


@contextmanager
def small(folder: Path) -> Iterator[Path]:
    """A disk of one megabyte at `folder`; a test is left out where nobody may mount."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no right to mount a disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path, leave: int) -> Path:
    """A file that leaves so many bytes of the disk free."""
    state = os.statvfs(folder)
    ballast = folder / "ballast"
    ballast.write_bytes(b"x" * (state.f_bavail * state.f_frsize - leave))
    return ballast


@pytest.fixture
def data(home: Path) -> Path:
    times, steps = pd.date_range("2015-01-01", periods=60, freq="MS"), np.arange(60)
    frames = [pd.DataFrame({"unique_id": f"s{i}", "ds": times, "y": 100 + i + np.sin(steps / 2)}) for i in range(3)]
    pd.concat(frames).to_csv(home / "series.csv", index=False)
    (home / "wide.yaml").write_text(
        "summary: for tests\nmodel: {kind: recurrent, core: {cell: gru, width: 32, layers: 1}}\nfit: {updates: 60}\n"
    )
    return home / "series.csv"


def told(arguments: list[str], code: int) -> list[str]:
    """The lines that a command prints."""
    ended = CliRunner().invoke(app, arguments)
    assert ended.exit_code == code, ended.output
    assert "Traceback" not in ended.output
    return ended.output.strip().splitlines()


@pytest.mark.parametrize("leave", [8_192, 150_000], ids=["at once", "at a checkpoint"])
def test_training(home: Path, data: Path, leave: int) -> None:
    command = ["train", str(data), "--horizon", "6", "--recipe", "seasonal_naive,wide.yaml", "--budget", "60s"]
    with small(home / "mlruns" / "work") as work:
        ballast = fill(work, leave)
        line = told(command, AGAIN)[-1]
        assert line.startswith(f"error: no room to write {work}/")
        assert line.endswith("the same command goes on once there is room")
        ballast.unlink()
        assert any(line.startswith("champion: forecaster version 1") for line in told(command, 0))


def test_the_copy_of_the_champion(home: Path, data: Path) -> None:
    told(["train", str(data), "--horizon", "6", "--recipe", "seasonal_naive,wide.yaml", "--budget", "60s"], 0)
    command = ["forecast", str(data), "--out", str(home / "forecasts.csv")]
    with small(home / "mlruns" / "cache") as cache:
        ballast = fill(cache, 8_192)
        assert str(cache) in told(command, AGAIN)[-1]
        assert [file.name for file in cache.iterdir()] == ["ballast"]
        ballast.unlink()
        told(command, 0)
        load_artifact(cache / versions("forecaster")[0].digest)


def test_forecasts(home: Path) -> None:
    frame = pd.DataFrame(
        {"unique_id": "a", "ds": np.arange(100_000), "mean": np.random.default_rng(0).normal(size=100_000)}
    )
    for name in ("forecasts.csv", "forecasts.parquet"):
        with small(home / "out") as out:
            write(frame.head(100), out / name)
            before = (out / name).read_bytes()
            fill(out, 100_000)
            with pytest.raises(OSError, match="No space left") as full:
                write(frame, out / name)
            assert str(out / name) in str(passing(full.value))
            assert (out / name).read_bytes() == before
            assert sorted(file.name for file in out.iterdir()) == ["ballast", name]


def test_a_small_file(tmp_path: Path) -> None:
    with small(tmp_path / "disk") as disk:
        replace(disk / "note", b"before")
        fill(disk, 0)
        with pytest.raises(OSError, match="No space left"):
            replace(disk / "note", b"x" * 10_000)
        assert (disk / "note").read_bytes() == b"before"
        assert sorted(file.name for file in disk.iterdir()) == ["ballast", "note"]


def test_an_error_names_the_place_once(tmp_path: Path) -> None:
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    for place, said in (("none/x", "No such file or directory"), ("folder", "Is a directory")):
        with pytest.raises(OSError, match=said) as error:
            replace(tmp_path / place, b"x")
        assert str(error.value).endswith(f"{said}: {str(tmp_path / place)!r}")


@pytest.mark.parametrize("number", sorted(FULL))
def test_a_quota_is_a_full_disk_and_no_fault_of_the_file(number: int) -> None:
    with pytest.raises(OSError, match="sales") as full, naming("sales.parquet"):
        raise OSError(number, "no room", "sales.parquet")
    assert "no room to write sales.parquet" in str(passing(full.value))
