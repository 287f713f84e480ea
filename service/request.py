"""From a request to a panel, with what neither the schema nor the panel can check."""

import math
from collections.abc import Sequence

import numpy as np

from forecaster.errors import DataError
from forecaster.manifest import DataSpec
from pipelines.clock.frequency import Frequency
from pipelines.data.doors import panel_from_series
from pipelines.data.panel import Panel
from service.schema import MAX_NUMBERS, MAX_VALUE, ForecastRequest, Series
from service.times import starts


def check(request: ForecastRequest, data: DataSpec) -> None:
    """Raises DataError on a level that is there twice, on an answer that would be too large, and on series that the
    model is not for. A model of labels tells the probability of each label in place of quantiles."""
    for index, level in enumerate(request.quantiles):
        if level in request.quantiles[:index]:
            raise DataError(
                f"the level {level!r} is there twice",
                place=f"quantiles[{index}]",
                remedy="give each level once",
            )
    shape = len(request.series), request.horizon, (len(data.labels) or len(request.quantiles)) + 1 + request.paths
    if math.prod(shape) > MAX_NUMBERS:
        raise DataError(
            f"{shape[0]} series x {shape[1]} steps x {shape[2]} numbers are more than {MAX_NUMBERS}",
            place="horizon",
            remedy="send several requests",
        )
    for series in request.series:
        _check_frequency(series, data)
        _check_kind(series, data)


def check_reach(series: Series, reach: int) -> None:
    """Raises DataError where known covariates have another number of steps."""
    for name, values in series.known.items():
        if len(values) != reach:
            raise DataError(
                f"{len(values)} values, and the target and the horizon have {reach} steps",
                series=series.id,
                place=f"known.{name}",
                remedy="give a value for each of these steps",
            )


def read_panel(series: Sequence[Series], data: DataSpec) -> Panel:
    """The panel of series, each with its start or none. Raises DataError."""
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


def _check_frequency(series: Series, data: DataSpec) -> None:
    if series.freq is None:
        return
    try:
        frequency = Frequency.parse(series.freq).name
    except DataError as error:
        raise DataError(error.message, series=series.id, place="freq", remedy=error.remedy) from None
    if frequency != data.frequency:
        raise DataError(
            f"the frequency is {series.freq!r} and the model's is {data.frequency!r}",
            series=series.id,
            place="freq",
            remedy=f"resample to {data.frequency!r}, or ask a model of {series.freq!r}",
        )


def _check_kind(series: Series, data: DataSpec) -> None:
    """Whether the target has labels for a model of labels, and else numbers."""
    kinds = set(map(type, series.target)) - {type(None)}
    if strangers := {kind for kind in kinds if (kind is str) != bool(data.steps)}:
        index = next(index for index, value in enumerate(series.target) if type(value) in strangers)
        needed = f"labels ({', '.join(data.steps[:9])})" if data.steps else "numbers"
        raise DataError(
            f"{series.target[index]!r} where the model reads {needed}",
            series=series.id,
            place=f"target[{index}]",
            remedy=f"give {needed}",
        )
