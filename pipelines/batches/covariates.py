"""Covariates as a network reads them: standardised numbers, codes of categories, features of the calendar."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int64
from numpy import ndarray

from forecaster.errors import DataError
from forecaster.manifest import Category, Covariate, DataSpec
from pipelines.clock.features import calendar_features, calendar_names
from pipelines.data.grid import crop, offsets, stretches
from pipelines.data.labels import check_labels, recode
from pipelines.data.panel import Panel


class Encoded(NamedTuple):
    """A panel as numbers that a network reads."""

    target: Float64[ndarray, " total"]
    known: Float32[ndarray, "reach known"]
    known_indptr: Int64[ndarray, "starts"]
    past: Float32[ndarray, "total past"]
    static: Int64[ndarray, "series static"]


def describe(panel: Panel, end: str | None = None) -> DataSpec:
    """What a model must remember of its training data to read other data in the same way.

    Covariates are standardised by what they were up to the end of each series: from the future nothing is learned.
    Raises DataError on a vocabulary that is none, and on a label `end` that is not in it or that something follows.
    """
    check_labels(panel, end)
    calendar = calendar_names(panel.frequency, int(panel.ends().max() - panel.start.min()))
    numbers = not panel.labels and panel.whole is None
    return DataSpec(
        frequency=panel.frequency.name,
        zone=panel.zone,
        known=_standards(panel.known_names, crop(panel.known, panel.known_indptr, panel.lengths)),
        past=_standards(panel.past_names, panel.past),
        static=tuple(
            Category(name=name, values=tuple(np.unique(panel.static[:, column]).tolist()))
            for column, name in enumerate(panel.static_names)
        ),
        labels=panel.vocabulary,
        whole=panel.whole.describe() if panel.whole is not None else None,
        end=end,
        positive=numbers and not (panel.values < 0).any(),
        integral=numbers and not panel.fractions.any(),
        calendar=calendar,
    )


def encode(panel: Panel, data: DataSpec, horizon: int) -> Encoded:
    """`panel` in the units and codes of `data`, its covariates known ahead for `horizon` steps after each series.

    Raises DataError when a column is missing, a known covariate ends before the horizon, or numbers stand for labels.
    """
    for kind, names, wanted in (
        ("known", panel.known_names, [c.name for c in data.known]),
        ("past", panel.past_names, [c.name for c in data.past]),
        ("static", panel.static_names, [c.name for c in data.static]),
    ):
        if list(names) != wanted:
            raise DataError(
                f"the model needs the {kind} covariates {wanted} and the data has {list(names)}",
                remedy=f"give exactly {wanted}" if wanted else "leave them out",
            )
    reach = panel.lengths + horizon
    indptr, steps = offsets(reach), stretches(np.zeros_like(reach), reach)
    parts = []
    if data.known:
        given = np.diff(panel.known_indptr)
        if (short := np.flatnonzero(given < reach)).size:
            i = int(short[0])
            raise DataError(
                f"known covariates reach {given[i] - panel.lengths[i]} steps ahead and the forecast {horizon}",
                series=str(panel.ids[i]),
                remedy=f"give {[c.name for c in data.known]} for every step up to the horizon",
            )
        parts.append(_standardise(crop(panel.known, panel.known_indptr, reach), data.known))
    if data.calendar:
        times = panel.frequency.advance(np.repeat(panel.start, reach), steps, panel.zone)
        parts.append(calendar_features(times, panel.zone, data.calendar))
    known = np.concatenate(parts, 1) if parts else np.zeros((len(steps), 0), np.float32)
    codes = [_codes(panel.static[:, column], category) for column, category in enumerate(data.static)]
    static = np.stack(codes, 1) if codes else np.zeros((len(panel), 0), np.int64)
    return Encoded(recode(panel, data), known, indptr, _standardise(panel.past, data.past), static)


def _standards(names: tuple[str, ...], values: ndarray) -> tuple[Covariate, ...]:
    result = []
    for column, name in enumerate(names):
        known = values[np.isfinite(values[:, column]), column]
        unit = np.frexp(np.abs(known).max(initial=0.0))[1]
        small = np.ldexp(known, -unit)  # whose squares are no overflow
        moments = (small.mean(), small.std()) if known.size else (0.0, 0.0)
        mean, deviation = (float(np.ldexp(one, unit)) for one in moments)
        result.append(Covariate(name=name, mean=mean, deviation=deviation))
    return tuple(result)


def _standardise(values: ndarray, covariates: tuple[Covariate, ...]) -> Float32[ndarray, "rows columns"]:
    mean = np.array([c.mean for c in covariates])
    still = np.array([c.still for c in covariates], dtype=bool)
    deviation = np.where(still, 1.0, np.array([c.deviation for c in covariates]))
    with np.errstate(over="ignore"):
        standard: Float32[ndarray, "rows columns"] = np.clip((values - mean) / deviation, -10, 10).astype(np.float32)
    standard[:, still] *= 0.0  # what is missing stays so
    return standard


def _codes(values: ndarray, category: Category) -> Int64[ndarray, "series"]:
    codes = {value: code for code, value in enumerate(category.values, start=1)}
    return np.array([codes.get(str(value), 0) for value in values], dtype=np.int64)
