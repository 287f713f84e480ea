"""What is to be told of whole series: one label or one number for each."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int32, Int64
from numpy import ndarray
from numpy.typing import NDArray

from forecaster.errors import DataError
from forecaster.manifest import Covariate, DataSpec
from pipelines.data.vocabulary import translate


@dataclass(frozen=True, eq=False)
class Answers:
    """A column that is constant in each series."""

    name: str
    values: Float64[ndarray, " series"]
    """NaN where it is to be told; codes of `labels`, if there are any."""
    labels: tuple[str, ...] = ()

    def select(self, indices: Int64[ndarray, " chosen"]) -> "Answers":
        """Those of the series at `indices`."""
        return replace(self, values=self.values[indices])

    def describe(self) -> Covariate:
        """By what numbers are standardised; labels are left as they are."""
        known = self.values[~np.isnan(self.values)]
        if self.labels or not known.size:
            return Covariate(name=self.name)
        return Covariate(name=self.name, mean=float(known.mean()), deviation=float(known.std()) or 1.0)

    def encode(self, data: DataSpec) -> Float64[ndarray, " series"]:
        """In the units or the codes of `data`; a label that it does not know gets the code after the last."""
        if data.whole is None or data.labels:
            return translate(self.values, self.labels, data.labels)
        return np.asarray((self.values - data.whole.mean) / data.whole.deviation)


def collapse(
    name: str,
    labels: tuple[str, ...],
    values: Float64[ndarray, " rows"],
    ids: NDArray[np.object_],
    series: Int32[ndarray, " rows"],
) -> Answers:
    """The one value of each series; rows, and all rows of a series, may leave it empty. Raises DataError on two."""
    given = ~np.isnan(values)
    one = np.full(len(ids), np.nan)
    one[series[given]] = values[given]
    other = given & (one[series] != values)
    if other.any():
        row = int(other.argmax())
        pair = [labels[int(value)] if labels else f"{value:g}" for value in (values[row], one[series[row]])]
        raise DataError(
            f"{name} is {pair[0]} and {pair[1]}",
            series=str(ids[series[row]]),
            remedy="a target of whole series has one value in a series: correct it, or forecast it as y",
        )
    return Answers(name, one, labels)
