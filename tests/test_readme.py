"""What the README shows is run as it stands."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from pipelines.cli.demo import sample
from tests.service.server import serving

README = (Path(__file__).parents[1] / "README.md").read_text()
BIN = Path(sys.executable).parent


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the commands of the README have been run on a part of the sample."""
    folder = tmp_path_factory.mktemp("readme")
    frame = pd.read_csv(sample())
    frame[frame["ds"] > "2016-10"].to_csv(folder / "series.csv", index=False)
    shutil.copy(sample(), folder)
    (folder / "retrain.yaml").write_text(blocks("yaml")[0])
    commands = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("forecaster ")]
    assert len(commands) == 10
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    for command in commands:
        done = subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return folder


def test_the_commands_run_and_leave_forecasts(trained: Path) -> None:
    lines = (trained / "forecasts.csv").read_text().splitlines()
    assert lines[0].startswith("unique_id,ds,mean,q0.1,")
    assert len(lines) == 1 + 4 * 24


def test_the_request_gets_the_answer_that_is_shown(trained: Path, tmp_path: Path) -> None:
    request = next(block for block in blocks("sh") if block.startswith("curl"))
    body = json.loads(re.search(r"-d '(.*)'", request, flags=re.DOTALL)[1])  # type: ignore[index]
    shown = blocks("json")[0]
    with serving([str(BIN / "forecaster"), "serve"], trained, {"MLFLOW_TRACKING_URI": ""}, tmp_path / "log") as server:
        answer = server.client.post("/forecast", json=body)
    assert answer.status_code == 200
    got = answer.json()
    assert set(re.findall(r'"([a-z_]+)":', shown)) == {*got, *got["model"], *got["forecasts"][0]}
    forecast = got["forecasts"][0]
    assert forecast["start"] == re.search(r'"start": "([^"]+)"', shown)[1]  # type: ignore[index]
    assert list(forecast["quantiles"]) == ["0.1", "0.5", "0.9"]
    assert [len(values) for values in forecast["quantiles"].values()] == [3, 3, 3]
