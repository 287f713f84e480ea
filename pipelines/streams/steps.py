"""From a panel to what it says of each step, a step of a series by itself, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain, pairwise
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from forecaster.errors import DataError
from pipelines.data.grid import crop, offsets
from pipelines.data.panel import Panel
from pipelines.data.vocabulary import vocabulary, words

Said: TypeAlias = dict[str, Any]
"""What is known of a step: `y`, a number or a label, and covariates by their names."""
ANEW = "forget the series, and give its history again"
"""What mends what was sent for another model."""


def steps(panel: Panel) -> list[list[Said]]:
    """What each series says of each of its steps; nothing of a gap."""
    y = words(panel.values, panel.labels) if panel.labels else panel.values
    known = crop(panel.known, panel.known_indptr, panel.lengths)
    names = ("y", *panel.known_names, *panel.past_names)
    cells = [y.tolist(), *known.T.tolist(), *panel.past.T.tolist()]
    rows = [
        {name: value for name, value in zip(names, row, strict=True) if value is not None and value == value}
        for row in zip(*cells, strict=True)
    ]
    return [rows[begin:end] for begin, end in pairwise(panel.indptr.tolist())]


def panel_of(
    told: Sequence[Mapping[int, Said]],
    start: Int64[ndarray, "series"],
    lengths: Int64[ndarray, "series"],
    like: Panel,
) -> Panel:
    """The inverse, of what is told of the steps after the `start` of each series, for the columns of another panel.

    Raises DataError where a covariate that was known ahead is missing.
    """
    series = np.repeat(np.arange(len(told)), [len(one) for one in told])
    place = np.fromiter(chain.from_iterable(told), dtype=np.int64)
    indptr = offsets(lengths)
    rows = [said for one in told for said in one.values()]

    def column(cells: Sequence[float | None] | Float64[ndarray, "rows"]) -> Float64[ndarray, "total"]:
        whole = np.full(indptr[-1], np.nan)
        whole[indptr[series] + place] = np.array(cells, dtype=np.float64)
        return whole

    def columns(names: Sequence[str]) -> Float64[ndarray, "total columns"]:
        told = [column([said.get(name) for said in rows]) for name in names]
        return np.stack(told, 1) if told else np.empty((indptr[-1], 0))

    y = [said.get("y") for said in rows]
    labels, codes = vocabulary(y) if any(isinstance(value, str) for value in y) else ((), y)
    known = columns(like.known_names)
    panel = replace(
        like,
        values=column(codes),
        indptr=indptr,
        start=start,
        known=known,
        known_indptr=indptr,
        past=columns(like.past_names),
        labels=labels,
    )
    if np.isnan(known).any():
        row, name = (int(one[0]) for one in np.nonzero(np.isnan(known)))
        one, when = panel.where(row)
        message = f"the known covariate {like.known_names[name]!r} is missing"
        raise DataError(message, series=one, place=when, remedy=ANEW)
    return panel
