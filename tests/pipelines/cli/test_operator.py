"""The pages for the operator, run as they stand, on one machine without containers."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from typer.testing import CliRunner

from pipelines.champion.load import chosen
from pipelines.champion.score import score
from pipelines.cli.app import app
from pipelines.data.panel import Panel
from pipelines.pyfunc import log_model
from pipelines.registry.fetch import resolve
from pipelines.registry.promotion import history, promote
from pipelines.registry.versions import register
from pipelines.runs.attempts import SUCCEEDED, Key
from pipelines.runs.ledger import open_ledger
from pipelines.tracking.run import Run
from tests.pipelines.conftest import hourly

ROOT = Path(__file__).parents[3]
NAME = "pedestrians"
Make = Callable[[int], tuple[Path, str]]


def blocks(page: str) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", (ROOT / "docs/operations" / page).read_text(), flags=re.DOTALL)


def script(lines: str, **environment: str) -> None:
    """Run the shell lines of a page in this folder."""
    command = ["bash", "-euo", "pipefail", "-c", lines]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def versions(home: Path, panel: Panel, artifact: Make) -> None:
    """Two versions, the second one the champion."""
    for seed in (0, 1):
        folder, seal = artifact(seed)
        with Run.start(NAME, "train") as run:
            uri = log_model(run, folder, panel)
        promote(NAME, register(NAME, uri, run_id=run.id, digest=seal, metrics={}))


def test_promotion_and_rollback_by_hand(versions: None) -> None:
    (lines,) = blocks("promotion_and_rollback.md")
    for line in lines.splitlines():
        program, *words = shlex.split(line)
        assert program == "forecaster"
        assert CliRunner().invoke(app, words).exit_code == 0, line
    assert [(one.version, one.reason) for one in history(NAME)[-2:]] == [("1", "holidays"), ("2", "rolled back")]
    assert resolve(NAME).version == "2"


@pytest.mark.needs("sqlite3")
def test_what_is_restored_in_an_empty_folder_forecasts_the_same(
    versions: None, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, series = open_ledger(), tmp_path / "series.csv"
    attempt = ledger.begin(Key("retrain", NAME, "2024-04-08", "0"), None)
    assert attempt is not None
    ledger.end(attempt, SUCCEEDED, "promoted", "2")
    hourly().to_csv(series, index=False)

    def forecasts(version: str) -> bytes:
        out = tmp_path / f"{version}.csv"
        score(chosen(NAME, version), series, 4, out, (0.1, 0.5, 0.9), zone="Australia/Melbourne")
        return out.read_bytes()

    save, load, move, *_ = blocks("backup_and_restore.md")
    before, runs = {version: forecasts(version) for version in ("1", "2")}, ledger.attempts()
    script(save)
    backup = shutil.move("backup", tmp_path / "backup")
    shutil.rmtree(home)
    restored = tmp_path / "restored"
    restored.mkdir()
    monkeypatch.chdir(restored)
    script(load + move, BACKUP=str(backup), OLD=quote(str(home)))
    assert resolve(NAME).version == "2"
    assert {version: forecasts(version) for version in before} == before
    assert open_ledger().attempts() == runs
