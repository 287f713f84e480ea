"""Artifacts that were made by versions before still open and forecast as they did then.

tests/artifacts/v1 was made by `python -m tests.test_upgrade tests/artifacts/v1`, and is never made again: a format that
changes gets a folder of its own. Since v2 lag regression tells deviations. What has
joined a folder since was made by the version before it.
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
OWN = {
    "network": {"summary": "GRU.", "model": {"kind": "recurrent"} | NETWORK, "fit": FIT},
    "labels": {"summary": "GRU of labels.", "model": {"kind": "label_recurrent"} | NETWORK, "fit": FIT},
    "ensemble": {"summary": "GRU.", "model": {"kind": "recurrent"} | NETWORK, "fit": FIT | {"updates": 300}},
    "whole": {"summary": "GRU of whole series.", "model": {"kind": "whole"} | NETWORK, "fit": FIT},
}
BUNDLED = ("seasonal_naive", "lag_regression", "state_space", "theta", "label_chain")
FIRST = {"network", "labels", "seasonal_naive", "lag_regression", "state_space"}
"""Those of v1; the others joined v2 later, the ensemble with covariates of each kind."""


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


@pytest.mark.parametrize(("version", "kinds"), [("v1", FIRST), ("v2", {*OWN, *BUNDLED})])
def test_there_is_one_of_each_kind(version: str, kinds: set[str]) -> None:
    assert {folder.name for folder in (ARTIFACTS / version).iterdir()} == kinds


def same(now: Any, then: Any) -> bool:
    """Whether two answers agree, in numbers up to what another version of torch may round."""
    if isinstance(now, dict):
        return now.keys() == then.keys() and all(same(now[key], then[key]) for key in now)
    if isinstance(now, list):
        return len(now) == len(then) and all(map(same, now, then))
    return math.isclose(now, then, rel_tol=1e-4, abs_tol=1e-6) if isinstance(now, float) else now == then


def make(folder: Path) -> None:
    """An artifact of each kind that is not there yet, trained here, a request and the answer to it."""
    from pipelines.registry.fetch import resolve
    from pipelines.training.job import train
    from pipelines.training.settings import TrainSettings

    for name in (*OWN, *BUNDLED):
        if (folder / name).exists():
            continue
        covariates = {"known": ("price",), "past": ("visits",), "static": ("region",)} if name == "ensemble" else {}
        recipes = [name] if name in BUNDLED else ["own.yaml"]
        asked = {"target_kind": "series", "target": "size"} if name == "whole" else {"horizon": 3}
        data = table(name)
        with TemporaryDirectory() as home, chdir(home):
            data.to_csv("series.csv", index=False)
            Path("own.yaml").write_text(yaml.safe_dump(OWN.get(name)))
            if name == "ensemble":
                recipes += ["theta"]
            told = {"source": "series.csv", "budget": 20, "recipes": recipes, "name": "shop", **asked, **covariates}
            result = train(TrainSettings.model_validate(told), lambda *_: None)
            artifact = resolve("shop", result.version).folder
            shutil.copytree(artifact, place := folder / name / "artifact")
        assert (champion(place.parent).artifact.spec.model.kind == "ensemble") == (name == "ensemble")
        horizon = 1 if name == "whole" else 5
        last = data[data["unique_id"] == "a"].iloc[-28 - horizon :]
        series = {"id": "a", "start": last["ds"].iloc[0].isoformat(), "freq": "D", "target": list(last["y"][:28])}
        if covariates:
            series["known"] = {"price": list(last["price"])}
            series["past"] = {"visits": list(last["visits"][:28])}
            series["static"] = {"region": "north"}
        body = json.dumps({"series": [series], "horizon": horizon, "paths": 2, "seed": 1}).encode()
        (place.parent / REQUEST).write_bytes(body)
        (place.parent / ANSWER).write_bytes(answer(champion(place.parent), body))


def table(name: str) -> pd.DataFrame:
    """Series of 120 days that follow the week, or what is like it in labels; of whole series there are more."""
    rng, days = np.random.default_rng(0), pd.date_range("2024-01-01", periods=120, freq="D")
    week = [3.0, 5.0, 9.0, 7.0, 4.0, 2.0, 1.0]
    frames = []
    for number, one in enumerate("abcdefghijklmnopqrst" if name == "whole" else "ab"):
        price, size = rng.integers(1, 3, 120).astype(float), 5.0 + number
        values: Any = np.array(list(islice(cycle(week), 120))) * size + rng.normal(size=120)
        if name == "ensemble":
            values = values / price
        if name in ("labels", "label_chain"):
            values = np.where(values > 20, "busy", "idle")
        columns: dict[str, Any] = {"unique_id": one, "ds": days, "y": values}
        if name == "ensemble":
            columns |= {"price": price, "visits": rng.normal(size=120), "region": "north" if one == "a" else "south"}
        if name == "whole":
            columns["size"] = size
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames)


if __name__ == "__main__":
    make(Path(sys.argv[1]).absolute())
