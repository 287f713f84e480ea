"""Small real models as artifacts, requests, and a client that needs no server."""

import asyncio
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from forecaster.artifact import Artifact, save
from forecaster.manifest import ArtifactSpec, Category, Covariate, DataSpec, Training
from forecaster.spec import CoreSpec, LabelRecurrentSpec, ModelSpec, RecurrentSpec, SeasonalNaiveSpec, Task
from pipelines.clock.features import calendar_names
from pipelines.clock.frequency import Frequency
from pipelines.clock.zone import DAY
from service.guard import Doors
from service.routes import METHODS
from tests.examples import moved

LSTM = RecurrentSpec(core=CoreSpec(cell="lstm", width=8, layers=1))
LABELS = LabelRecurrentSpec(core=CoreSpec(cell="gru", width=8, layers=1))
NAIVE = SeasonalNaiveSpec()
HOURLY = DataSpec(frequency="h", zone="Europe/Berlin")
STEPS = DataSpec(frequency="step")
RICH = DataSpec(
    frequency="D",
    known=(Covariate(name="price", mean=10, deviation=2),),
    past=(Covariate(name="rain"),),
    static=(Category(name="shop", values=("north", "south")),),
)
STATES = DataSpec(
    frequency="step",
    labels=("busy", "done", "idle"),
    end="done",
    static=(Category(name="shop", values=("north", "south")),),
)
UNTIL = "2024-01-01T00:00:00+01:00"
JSON = {"Content-Type": "application/json"}


def artifact(
    folder: Path, model: ModelSpec, data: DataSpec, *, horizon: int = 4, season: int = 3, positive: bool = False
) -> Path:
    """A model that has learned nothing, in an artifact folder."""
    frequency = Frequency.parse(data.frequency)
    calendar = calendar_names(frequency, span=3 * 366 * DAY)
    task = Task(
        horizon=horizon,
        stride=2,
        seasons=(season,),
        known=len(data.known) + len(calendar),
        past=len(data.past),
        static=tuple(len(category.values) for category in data.static),
        positive=positive,
        labels=len(data.labels),
        end=None if data.end is None else data.labels.index(data.end),
    )
    spec = ArtifactSpec(
        candidate="test",
        data=data.model_copy(update={"calendar": calendar}),
        task=task,
        model=model,
        training=Training(series=1, observations=9, start=None, until=UNTIL, digest="0"),
        packages={},
    )
    save(Artifact(spec, moved(model, task, seed=1)), folder)
    return folder


def series(id: str = "a", length: int = 12, **fields: Any) -> dict[str, Any]:  # noqa: A002
    """One series of a request."""
    target = [round(100 + 20 * math.sin(step), 2) for step in range(length)]
    return {"id": id, "target": target, **fields}


def request(*all_series: dict[str, Any], horizon: int = 3, **fields: Any) -> dict[str, Any]:
    """A request."""
    return {"series": list(all_series or (series(),)), "horizon": horizon, **fields}


class Client:
    """Posts to an application in this process."""

    def __init__(self, app: Starlette) -> None:
        self.app = app
        self.transport = httpx.ASGITransport(Doors(app, methods=METHODS))
        self.runner = asyncio.Runner()

    def __call__(
        self,
        method: str,
        path: str,
        content: bytes | str | dict[str, Any] = b"",
        headers: Mapping[str, str] = JSON,
    ) -> httpx.Response:
        """The response to a request; a dictionary goes as JSON."""
        body = json.dumps(content) if isinstance(content, dict) else content

        async def send() -> httpx.Response:
            async with httpx.AsyncClient(transport=self.transport, base_url="http://test") as client:
                return await client.request(method, path, content=body, headers=dict(headers))

        return self.runner.run(send())

    def forecast(self, content: bytes | str | dict[str, Any]) -> dict[str, Any]:
        """The forecasts that a request gets."""
        response = self("POST", "/forecast", content)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer
