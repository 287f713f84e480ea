"""The labels of a panel, held against those of a model."""

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from forecaster.errors import DataError
from forecaster.manifest import DataSpec
from pipelines.data.panel import Panel
from pipelines.data.vocabulary import translate

MOST = 1000
"""Labels that a vocabulary has at most; more are taken for free text."""


def check_labels(panel: Panel, end: str | None) -> None:
    """Raise DataError on too many labels, and on a label `end` that is not among them or that something follows."""
    if len(panel.vocabulary) > MOST:
        raise DataError(
            f"{len(panel.vocabulary)} different labels, and at most {MOST} are learned",
            place="y",
            remedy="give numbers, or fewer labels",
        )
    if end is None:
        return
    if end not in panel.labels:
        there = f"the labels are {', '.join(panel.labels[:9])}" if panel.labels else "there are only numbers"
        raise DataError(f"no series ends with {end!r}", place="y", remedy=f"{there}: name one of the labels")
    ended = panel.values == panel.labels.index(end)
    ended[panel.indptr[1:] - 1] = False
    if ended.any():
        series, place = panel.where(int(ended.argmax()))
        raise DataError(f"something follows {end!r}", series=series, place=place, remedy="split the series there")


def recode(panel: Panel, data: DataSpec) -> Float64[ndarray, " total"]:
    """The values of a panel in the codes of `data`; a label it does not know gets the code after the last.

    Raises DataError where numbers stand for labels, or labels for numbers.
    """
    observed = ~np.isnan(panel.values)
    if bool(panel.labels) != bool(data.steps) and observed.any():
        row = int(observed.argmax())
        series, place = panel.where(row)
        value = repr(panel.labels[int(panel.values[row])]) if panel.labels else f"{panel.values[row]:g}"
        needs = f"labels ({', '.join(data.steps[:9])})" if data.steps else "numbers"
        raise DataError(f"y is {value} and the model reads {needs}", series=series, place=place, remedy=f"give {needs}")
    return translate(panel.values, panel.labels, data.steps) if data.steps and panel.labels else panel.values
