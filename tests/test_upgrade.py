"""Artifacts that were made by versions before still open and forecast as they did then.

tests/artifacts/v1 was made by `python -m tests.test_upgrade tests/artifacts/v1`, and is never made again: a format that
changes gets a folder of its own. Since v2 lag regression tells deviations.
"""

import json
import math
import shutil
import sys
from contextlib import chdir
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow.pyfunc.model import PythonModel

from forecaster.artifact import load_artifact
from service.forecast import answer
from service.source import Champion

ARTIFACTS = Path(__file__).parent / "artifacts"
REQUEST, ANSWER = "request.json", "answer.json"
NETWORK = {"core": {"cell": "gru", "width": 4, "layers": 1}}
FIT = {"updates": 20, "bptt": 8}
RECIPES = {
    "network": {"summary": "GRU.", "model": {"kind": "recurrent"} | NETWORK, "fit": FIT},
    "labels": {"summary": "GRU of labels.", "model": {"kind": "label_recurrent"} | NETWORK, "fit": FIT},
}
BUNDLED = ("seasonal_naive", "lag_regression", "state_space")


def champion(folder: Path) -> Champion:
    return Champion("shop", "7", load_artifact(folder / "artifact"))


@pytest.mark.parametrize("folder", sorted(ARTIFACTS.glob("*/*")), ids=lambda one: f"{one.parent.name}-{one.name}")
def test_an_old_artifact_forecasts_as_it_did(folder: Path) -> None:
    now = json.loads(answer(champion(folder), (folder / REQUEST).read_bytes()))
    assert same(now, json.loads((folder / ANSWER).read_text()))


def test_models_in_a_store_find_their_code() -> None:
    """Each version that was ever registered has this line in its `model.py`."""
    from pipelines.pyfunc import ForecastModel

    assert issubclass(ForecastModel, PythonModel)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_there_is_one_of_each_kind(version: str) -> None:
    assert {folder.name for folder in (ARTIFACTS / version).iterdir()} == {*RECIPES, *BUNDLED}


def same(now: Any, then: Any) -> bool:
    """Whether two answers agree, in numbers up to what another version of torch may round."""
    if isinstance(now, dict):
        return now.keys() == then.keys() and all(same(now[key], then[key]) for key in now)
    if isinstance(now, list):
        return len(now) == len(then) and all(map(same, now, then))
    return math.isclose(now, then, rel_tol=1e-4, abs_tol=1e-6) if isinstance(now, float) else now == then


def make(folder: Path) -> None:
    """An artifact of each kind, trained here, a request and the answer to it."""
    from pipelines.registry.fetch import resolve
    from pipelines.training.job import train
    from pipelines.training.settings import TrainSettings

    rng, days = np.random.default_rng(0), pd.date_range("2024-01-01", periods=120, freq="D")
    week = [3.0, 5.0, 9.0, 7.0, 4.0, 2.0, 1.0]
    for name in (*RECIPES, *BUNDLED):
        values: Any = np.array(list(islice(cycle(week), 120))) * 5 + rng.normal(size=120)
        if name == "labels":
            values = np.where(values > 20, "busy", "idle")
        frame = pd.concat([pd.DataFrame({"unique_id": one, "ds": days, "y": values}) for one in "ab"])
        with TemporaryDirectory() as home, chdir(home):
            frame.to_csv("series.csv", index=False)
            Path("own.yaml").write_text(yaml.safe_dump(RECIPES.get(name)))
            recipe = "own.yaml" if name in RECIPES else name
            told = {"source": "series.csv", "horizon": 3, "budget": 20, "recipes": [recipe], "name": "shop"}
            result = train(TrainSettings.model_validate(told), lambda *_: None)
            artifact = resolve("shop", result.version).folder
            shutil.copytree(artifact, place := folder / name / "artifact")
        series = {"id": "a", "start": "2024-04-30T00:00:00", "freq": "D", "target": list(values[-28:])}
        body = json.dumps({"series": [series], "horizon": 5, "paths": 2, "seed": 1}).encode()
        (place.parent / REQUEST).write_bytes(body)
        (place.parent / ANSWER).write_bytes(answer(champion(place.parent), body))


if __name__ == "__main__":
    make(Path(sys.argv[1]).absolute())
