"""From what is asked to a question, and from what a model says to the response."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import orjson

from forecaster.errors import DataError
from pipelines.forecasting.ask import Question
from pipelines.forecasting.predict import Predictions
from pipelines.forecasting.predict_labels import LabelPredictions
from pipelines.monitoring.kept import KEPT_LEVELS
from service.keep import Keeper
from service.schema import ForecastRequest, ModelVersion
from service.source import Champion


def question(request: ForecastRequest, keeper: Keeper | None) -> Question:
    """What is asked of a model, and what is to be kept of it."""
    levels = tuple(sorted({*request.quantiles, *(KEPT_LEVELS if keeper else ())}))
    return Question(request.horizon, levels, request.paths, request.temperature, request.seed)


def respond(
    champion: Champion,
    request: ForecastRequest,
    begin: Sequence[str | int],
    predictions: Predictions | LabelPredictions,
    warnings: Sequence[str],
    keeper: Keeper | None,
) -> bytes:
    """The response, as JSON, with when each forecast begins; `keeper` keeps the forecasts.

    Raises DataError where a forecast is beyond the largest number.
    """
    if isinstance(predictions, Predictions):
        _check_finite(predictions)
        if keeper:
            keeper.keep(champion, predictions)
        values = numbers(request, predictions)
    else:
        values = labels(predictions)
    frequency = champion.artifact.spec.data.frequency
    told = zip(request.series, begin, values, strict=True)
    response = {
        "model": model_version(champion).model_dump(),
        "forecasts": [{"id": one.id, "start": at, "freq": frequency, **value} for one, at, value in told],
        "warnings": warnings,
    }
    return orjson.dumps(response, option=orjson.OPT_SERIALIZE_NUMPY)


def model_version(champion: Champion) -> ModelVersion:
    """How answers name the model."""
    until = champion.artifact.spec.training.until
    return ModelVersion(name=champion.name, version=champion.version, trained_until=until)


def numbers(request: ForecastRequest, predictions: Predictions) -> Iterator[dict[str, Any]]:
    """The mean, the quantiles by level in the order of the request, and the paths where there are any."""
    rows = np.ascontiguousarray(predictions.quantiles.transpose(2, 0, 1))
    by_level = dict(zip(predictions.levels, rows, strict=True))
    for i, (mean, paths) in enumerate(zip(predictions.mean, predictions.paths, strict=True)):
        said = {"mean": mean, "quantiles": {repr(level): by_level[level][i] for level in request.quantiles}}
        yield said | ({"paths": np.ascontiguousarray(paths)} if len(paths) else {})


def labels(predictions: LabelPredictions) -> Iterator[dict[str, Any]]:
    """The likeliest label, the probabilities, and the paths where there are any."""
    rows = np.ascontiguousarray(predictions.probabilities.transpose(0, 2, 1))
    for likeliest, chances, paths in zip(predictions.label(), rows, predictions.paths(), strict=True):
        said = {"label": likeliest.tolist(), "probabilities": dict(zip(predictions.labels, chances, strict=True))}
        drawn = [[label for label in path if label is not None] for path in paths.tolist()]
        yield said | ({"paths": drawn} if drawn else {})


def _check_finite(predictions: Predictions) -> None:
    bad = ~np.isfinite(predictions.mean).all(1)
    bad |= ~np.isfinite(predictions.quantiles).all((1, 2)) | ~np.isfinite(predictions.paths).all((1, 2))
    if bad.any():
        raise DataError(
            "the forecast is beyond the largest number",
            series=str(predictions.ids[bad.argmax()]),
            place="horizon",
            remedy="divide the series by a constant, or ask for fewer steps",
        )
