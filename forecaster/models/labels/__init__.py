"""Series of labels instead of numbers: their models, the recurrent one and the two that are counted."""

from forecaster.models.labels.model import LabelModel

__all__ = ["LabelModel"]
