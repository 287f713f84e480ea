"""Words to codes and back."""

from collections.abc import Sequence
from typing import cast

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from numpy.typing import NDArray


def vocabulary(labels: Sequence[float | str | None]) -> tuple[tuple[str, ...], Float64[ndarray, " total"]]:
    """The distinct labels in order, and the code of each one given, NaN for None.

    >>> vocabulary(["idle", None, "busy"])
    (('busy', 'idle'), array([ 1., nan,  0.]))
    """
    known = tuple(sorted({cast(str, label) for label in labels if label is not None}))
    codes: dict[float | str | None, float] = {label: code for code, label in enumerate(known)}
    return known, np.array([codes.get(label, np.nan) for label in labels], dtype=np.float64)


def translate(
    codes: Float64[ndarray, "*shape"], own: tuple[str, ...], other: tuple[str, ...]
) -> Float64[ndarray, "*shape"]:
    """Codes of one vocabulary in those of another; a label that is not in it has the code after its last.

    >>> translate(np.array([0.0, np.nan, 1.0]), ("busy", "idle"), ("idle",))
    array([ 1., nan,  0.])
    """
    codes_of = {label: code for code, label in enumerate(other)}
    table = np.array([*(codes_of.get(label, len(other)) for label in own), np.nan])
    return np.asarray(table[np.where(np.isnan(codes), -1, codes).astype(np.int64)])


def words(codes: Float64[ndarray, "*shape"], labels: tuple[str, ...]) -> NDArray[np.object_]:
    """The labels of codes, None for NaN."""
    table = np.array([*labels, None], dtype=object)
    return np.asarray(table[np.where(np.isnan(codes), -1, codes).astype(np.int64)])
