"""Whether a model can read the values that a panel has."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool
from numpy import ndarray

from forecaster.errors import DataError
from forecaster.manifest import DataSpec
from forecaster.model import Model, Numeric
from pipelines.data.panel import Panel
from pipelines.forecasting.distribution import support


def readable(panel: Panel, model: Model, begun: Bool[ndarray, "series"] | None = None) -> None:
    """Raises DataError on the first value that a model gives no probability to, and on a series without any that it
    learns something from; those that have `begun` had one before."""
    known = ~np.isnan(panel.values)
    if isinstance(model, Numeric):
        held(panel, model, "the model")
        known &= model.domain.holds(torch.from_numpy(panel.values)).numpy()
    nothing = ~panel.having(known) if begun is None else ~panel.having(known) & ~begun
    if nothing.any():
        words = model.domain.words if isinstance(model, Numeric) else "labels"
        raise DataError(
            f"the model reads {words}, and there are none",
            series=str(panel.ids[nothing.argmax()]),
            remedy="give at least one, or leave the series out",
        )


def admissible(values: Sequence[float], model: Model, data: DataSpec) -> list[float]:
    """The values like the data, and that a model is for, nearest to these."""
    numbers = torch.tensor(values, dtype=torch.float64)
    return (support(model, data).nearest(numbers) if isinstance(model, Numeric) else numbers).tolist()


def held(panel: Panel, model: Numeric, reader: str) -> None:
    """Raises DataError on the first value that a model, called `reader`, gives no probability to."""
    outside = ~model.support.holds(torch.from_numpy(panel.values)).numpy()
    if outside.any():
        series, place = panel.where(row := int(outside.argmax()))
        raise DataError(
            f"the value {panel.values[row]:g}, and {reader} is for {model.support.words}",
            series=series,
            place=place,
            remedy="mend the value, or choose another recipe",
        )
