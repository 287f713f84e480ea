"""The way of a request: JSON -> request -> panel -> predict -> response -> JSON."""

import math
from collections.abc import Sequence

import numpy as np
import orjson

from forecaster.errors import DataError
from forecaster.manifest import DataSpec
from pipelines.clock.frequency import Frequency
from pipelines.data.doors import panel_from_series
from pipelines.data.panel import Panel
from pipelines.forecasting.ask import Question, ask
from pipelines.forecasting.doubts import doubts
from pipelines.forecasting.predict import Predictions
from pipelines.monitoring.kept import KEPT_LEVELS
from service.answers import labels, numbers
from service.keep import Keeper
from service.schema import MAX_NUMBERS, MAX_VALUE, ForecastRequest, ModelName, Series, read_request
from service.source import Champion
from service.times import forecast_starts, starts


def answer(champion: Champion, body: bytes, keeper: Keeper | None = None) -> bytes:
    """The response to the body of a request, which `keeper` keeps where it can be held against what comes.

    Raises RequestError on a body that is no request, and DataError, which names the series, the place and the remedy.
    """
    request = read_request(body)
    data = champion.artifact.spec.data
    _check_size(request, data)
    for series in request.series:
        _check(series, request.horizon, data)
    panel = _panel(request.series, data)
    begin = forecast_starts(request.series, panel, data.zone)
    kept = keeper if request.series[0].start is not None and data.whole is None else None
    levels = tuple(sorted({*request.quantiles, *(KEPT_LEVELS if kept else ())}))
    question = Question(request.horizon, levels, request.paths, request.temperature, request.seed)
    predictions = ask(champion.artifact, panel, question)
    if isinstance(predictions, Predictions):
        _check_finite(predictions)
        if kept:
            kept.keep(champion, predictions)
        values = numbers(request, predictions)
    else:
        values = labels(predictions)
    told = zip(request.series, begin, values, strict=True)
    response = {
        "model": model_name(champion).model_dump(),
        "forecasts": [{"id": one.id, "start": at, "freq": data.frequency, **value} for one, at, value in told],
        "warnings": doubts(champion.artifact, panel),
    }
    return orjson.dumps(response, option=orjson.OPT_SERIALIZE_NUMPY)


def model_name(champion: Champion) -> ModelName:
    """How answers name the model."""
    until = champion.artifact.spec.training.until
    return ModelName(name=champion.name, version=champion.version, trained_until=until)


def _check_size(request: ForecastRequest, data: DataSpec) -> None:
    """A model of labels tells the probability of each label in place of quantiles."""
    shape = len(request.series), request.horizon, (len(data.labels) or len(request.quantiles)) + 1 + request.paths
    if math.prod(shape) > MAX_NUMBERS:
        raise DataError(
            f"{shape[0]} series x {shape[1]} steps x {shape[2]} numbers are more than {MAX_NUMBERS}",
            place="horizon",
            remedy="send several requests",
        )


def _check(series: Series, horizon: int, data: DataSpec) -> None:
    """What neither the schema nor the panel can know."""
    if series.freq is not None and _frequency(series.freq, series.id) != data.frequency:
        raise DataError(
            f"the frequency is {series.freq!r} and the model's is {data.frequency!r}",
            series=series.id,
            place="freq",
            remedy=f"resample to {data.frequency!r}, or ask a model of {series.freq!r}",
        )
    kinds = set(map(type, series.target)) - {type(None)}
    if not kinds:
        raise DataError("nothing but null", series=series.id, place="target", remedy="give at least one value")
    if strangers := {kind for kind in kinds if (kind is str) != bool(data.steps)}:
        index = next(index for index, value in enumerate(series.target) if type(value) in strangers)
        needed = f"labels ({', '.join(data.steps[:9])})" if data.steps else "numbers"
        raise DataError(
            f"{series.target[index]!r} where the model reads {needed}",
            series=series.id,
            place=f"target[{index}]",
            remedy=f"give {needed}",
        )
    reach = len(series.target) + (horizon if data.whole is None else 0)
    for name, values in series.known.items():
        if len(values) != reach:
            raise DataError(
                f"{len(values)} values, and the target and the horizon have {reach} steps",
                series=series.id,
                place=f"known.{name}",
                remedy="give a value for each of these steps",
            )


def _frequency(name: str, series: str) -> str:
    try:
        return Frequency.parse(name).name
    except DataError as error:
        raise DataError(error.message, series=series, place="freq", remedy=error.remedy) from None


def _panel(series: Sequence[Series], data: DataSpec) -> Panel:
    panel = panel_from_series(
        [one.id for one in series],
        starts(series, data),
        [one.target for one in series],
        data.frequency,
        zone=data.zone,
        known=[one.known for one in series],
        past=[one.past for one in series],
        static=[one.static for one in series],
        known_names=[covariate.name for covariate in data.known],
        past_names=[covariate.name for covariate in data.past],
        static_names=[category.name for category in data.static],
    )
    large = np.abs(panel.values) > MAX_VALUE
    if large.any():
        row = int(large.argmax())
        i = int(np.searchsorted(panel.indptr, row, side="right")) - 1
        raise DataError(
            f"{float(panel.values[row])!r} is beyond {MAX_VALUE!r}",
            series=series[i].id,
            place=f"target[{row - panel.indptr[i]}]",
            remedy="divide the series by a constant",
        )
    return panel


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
