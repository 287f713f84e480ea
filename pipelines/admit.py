"""Whether a recipe is for the values that a panel has."""

import numpy as np
import torch

from forecaster.errors import DataError
from forecaster.model import Model, Numeric
from pipelines.panel import Panel


def admit(panel: Panel, recipe: str, model: Model) -> None:
    """Raises DataError on the first value of `panel` that the model of `recipe` gives no probability to."""
    if not isinstance(model, Numeric):
        return
    outside = ~model.support.holds(torch.from_numpy(panel.values)).numpy()
    if outside.any():
        row = int(outside.argmax())
        i = int(np.searchsorted(panel.indptr, row, side="right")) - 1
        raise DataError(
            f"the value {panel.values[row]:g}, and the recipe {recipe!r} is for {model.support.words}",
            series=str(panel.ids[i]),
            place=f"ds {panel.times(i)[row - panel.indptr[i]]}",
            remedy="mend the value, or choose another recipe",
        )
