"""Whether a recipe can be built, and is for the values that a panel has."""

import numpy as np
import torch

from forecaster.build import build
from forecaster.errors import DataError
from forecaster.model import Numeric
from forecaster.spec import Task
from pipelines.panel import Panel
from pipelines.recipe import Recipe


def admit(panel: Panel, name: str, recipe: Recipe, task: Task) -> None:
    """Raises DataError on a recipe that nothing can be built from, and on the first value of `panel` that its model
    gives no probability to."""
    try:
        model = build(recipe.model, task)
    except DataError as error:
        raise DataError(error.message, place=f"recipe {name!r}", remedy=error.remedy) from None
    if not isinstance(model, Numeric):
        return
    outside = ~model.support.holds(torch.from_numpy(panel.values)).numpy()
    if outside.any():
        row = int(outside.argmax())
        i = int(np.searchsorted(panel.indptr, row, side="right")) - 1
        raise DataError(
            f"the value {panel.values[row]:g}, and the recipe {name!r} is for {model.support.words}",
            series=str(panel.ids[i]),
            place=f"ds {panel.times(i)[row - panel.indptr[i]]}",
            remedy="mend the value, or choose another recipe",
        )
