"""Jobs by each engine: the same candidates, the same champion, the same scores."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.champion import score
from pipelines.registry.fetch import resolve
from pipelines.runs.engine import Engine
from tests.pipelines.conftest import hourly
from tests.pipelines.training.test_job import QUICK, forecaster, series

ENGINES = {"alone": [], "processes": ["--workers", "2"], "ray": ["--engine", "ray"]}


def test_every_engine_trains_the_same_champion(home: Path, ray: Engine) -> None:
    data = series(home, count=4)
    (home / "own.yaml").write_text(QUICK)
    weights = {}
    for name, options in ENGINES.items():
        command = ["train", str(data), "--horizon", "6", "--recipe", "seasonal_naive,own.yaml"]
        printed = forecaster(*command, "--budget", "10m", "--name", name, *options)
        assert f"champion: {name} version 1" in printed
        weights[name] = (resolve(name).folder / "weights.safetensors").read_bytes()
    assert weights["processes"] == weights["alone"]
    assert weights["ray"] == weights["alone"]


def test_every_engine_backtests_to_the_same_scores(
    home: Path, ray: Engine, artifact: Callable[[int], tuple[Path, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score, "ORIGINS", 3)
    hourly().to_parquet(home / "hours.parquet")
    folder, _ = artifact(0)
    command = ["backtest", "hours.parquet", "--windows", "4", "--model", str(folder)]
    printed = {name: forecaster(*command, *options) for name, options in ENGINES.items()}
    assert printed["processes"] == printed["ray"] == printed["alone"]
    monkeypatch.setattr(score, "ORIGINS", 1000)
    assert forecaster(*command) == printed["alone"]


def test_windows_that_series_are_too_short_for_are_told(
    home: Path, artifact: Callable[[int], tuple[Path, str]], caplog: pytest.LogCaptureFixture
) -> None:
    hourly().to_parquet(home / "hours.parquet")
    folder, _ = artifact(0)
    forecaster("backtest", "hours.parquet", "--windows", "2", "--model", str(folder))
    assert "windows have something to compare with" not in caplog.text
    forecaster("backtest", "hours.parquet", "--windows", "90", "--model", str(folder))
    assert "of 90 windows have something to compare with: series are too short for more" in caplog.text
