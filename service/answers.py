"""What an answer says of each series: of numbers and of labels."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from pipelines.forecasting.predict import Predictions
from pipelines.forecasting.predict_labels import LabelPredictions
from service.schema import ForecastRequest


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
