"""The champion on data: forecasts into a file or a table, and backtests."""

import logging
from itertools import pairwise
from pathlib import Path

import numpy as np

from forecaster.errors import DataError
from pipelines.champion.load import panel_for
from pipelines.evaluation.backtest import backtest
from pipelines.evaluation.split import ended, origins
from pipelines.forecasting.ask import Question, answer_frame
from pipelines.registry.fetch import Fetched
from pipelines.runs.engine import HERE, Engine
from pipelines.sources.sink import check, write, write_forecasts
from pipelines.sources.source import Source, source

log = logging.getLogger(__name__)

ORIGINS = 2**13
"""Series and origins that are backtested at a time."""


def score(
    champion: Fetched,
    data: Source | str | Path,
    horizon: int | None,
    out: Source | str | Path,
    levels: tuple[float, ...],
    *,
    paths: int = 0,
    temperature: float = 1.0,
    seed: int = 0,
    zone: str | None = None,
    duplicates: str = "error",
    as_of: str | None = None,
    plain: bool = False,
) -> int:
    """Write the forecasts of every series as `pipelines.sources.sink.write_forecasts` does; returns the rows.

    A `plain` file is of the forecasts alone, without step, origin, model and version. Without a horizon it is the one
    that the model was trained for.
    """
    check(out, data)
    target, artifact = source(out), champion.artifact
    question = Question(horizon or artifact.spec.task.horizon, levels, paths, temperature, seed)
    panel = panel_for(artifact, data, zone, duplicates, as_of=as_of)
    frame = answer_frame(artifact, panel, question)
    if plain and target.path is not None:
        return write(frame, target.path)
    return write_forecasts(frame, panel, target, model=champion.name, version=champion.version)


def rolling(
    champion: Fetched,
    data: Source | str | Path,
    horizon: int | None,
    windows: int,
    *,
    zone: str | None = None,
    duplicates: str = "error",
    as_of: str | None = None,
    engine: Engine = HERE,
) -> dict[str, float]:
    """Every score of the model on the last `windows` origins of a file, a horizon apart, or on its whole series."""
    artifact = champion.artifact
    panel = panel_for(artifact, data, zone, duplicates, answers=True, as_of=as_of)
    spec = artifact.spec
    cut = ended(panel) if panel.whole is not None else origins(panel, horizon or spec.task.horizon, windows)
    if np.isnan(cut.actual).all():
        raise DataError("nothing is known of what was to be forecast", remedy="ask for a shorter horizon, or give more")
    told = int((~np.isnan(cut.actual)).any(1).reshape(-1, len(panel)).any(1).sum())
    if panel.whole is None and told < windows:
        log.warning("%d of %d windows have something to compare with: series are too short for more", told, windows)
    borders = pairwise([*range(0, len(cut.actual), ORIGINS), len(cut.actual)])
    parts = filter(None, (cut.rows(begin, end) for begin, end in borders))
    asked = artifact.model, spec.data, spec.task.seasons[0]
    scores = list(engine.map(lambda part: backtest(*asked, part, artifact.calibrator), parts))
    return type(scores[0]).joined(scores).metrics()
