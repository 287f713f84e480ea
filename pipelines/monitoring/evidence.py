"""What the numbers prove: errors come in blocks that go together, and only blocks are taken to be independent.

Everything is done for many cells (groups of series) at once. `cell` and `block` number that of each row, from 0.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray
from scipy import stats


class Bounds(NamedTuple):
    """A share, and the interval that holds the true one."""

    share: Float64[ndarray, " cells"]
    low: Float64[ndarray, " cells"]
    high: Float64[ndarray, " cells"]
    rows: Float64[ndarray, " cells"]


def bounds(
    hit: Float64[ndarray, " rows"],
    cell: Int64[ndarray, " rows"],
    block: Int64[ndarray, " rows"],
    cells: int,
    risk: float,
) -> Bounds:
    """The share of hits in each cell, and exact binomial bounds (Clopper, Pearson 1934) wrong at most at a rate `risk`.

    For rows that go together in blocks the rows count for as many as would tell as much (Korn, Graubard 1998,
    "Confidence intervals for proportions with small expected number of positive counts"); where each row is a block,
    these are Clopper's and Pearson's. One block proves nothing: 0 to 1. NaN is left out.
    """
    known = ~np.isnan(hit)
    hit, cell, block = hit[known], cell[known], block[known]
    owner, of = _pairs(cell, block)
    rows = np.bincount(cell, minlength=cells).astype(np.float64)
    hits = np.bincount(cell, hit, minlength=cells)
    blocks = np.bincount(owner, minlength=cells).astype(np.float64)
    share = _ratio(hits, rows)
    beyond = np.bincount(of, hit, minlength=len(owner)) - share[owner] * np.bincount(of, minlength=len(owner))
    spread = _ratio(blocks * np.bincount(owner, beyond**2, minlength=cells), (blocks - 1) * rows**2)
    simple = _ratio(share * (1 - share), rows - 1)
    effective = rows * np.divide(simple, spread, out=np.ones(cells), where=spread > simple)
    many, few = (stats.t.ppf(1 - risk / 2, np.maximum(count - 1, 1e-9)) for count in (rows, blocks))
    effective = effective * np.where(blocks == rows, 1.0, np.where(blocks > 1, (many / few) ** 2, 0.0))
    hits, misses = share * effective, (1 - share) * effective
    with np.errstate(invalid="ignore"):
        low, high = stats.beta.ppf(risk / 2, hits, misses + 1), stats.beta.ppf(1 - risk / 2, hits + 1, misses)
    return Bounds(share, np.where(hits > 0, low, 0.0), np.where(misses > 0, high, 1.0), rows)


def above(
    difference: Float64[ndarray, " rows"], cell: Int64[ndarray, " rows"], block: Int64[ndarray, " rows"], cells: int
) -> Float64[ndarray, " cells"]:
    """How likely a mean difference as large as that of each cell is where the true one is zero or less.

    Student's t over the means of the blocks, as `scipy.stats.ttest_1samp` has it; 1 where there are less than two.
    NaN is left out.
    """
    known = ~np.isnan(difference)
    difference, cell, block = difference[known], cell[known], block[known]
    owner, of = _pairs(cell, block)
    mean = np.bincount(of, difference, minlength=len(owner)) / np.bincount(of, minlength=len(owner))
    blocks = np.bincount(owner, minlength=cells).astype(np.float64)
    centre = _ratio(np.bincount(owner, mean, minlength=cells), blocks)
    variance = _ratio(np.bincount(owner, (mean - centre[owner]) ** 2, minlength=cells), blocks - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        likely = stats.t.sf(centre / np.sqrt(variance / blocks), blocks - 1)
    return np.asarray(np.where(np.isnan(likely), 1.0, likely))


def _pairs(cell: ndarray, block: ndarray) -> tuple[Int64[ndarray, " pairs"], Int64[ndarray, " rows"]]:
    """The cell of each block that has rows, and the number of that of each row."""
    width = int(block.max(initial=0)) + 1
    pairs, of = np.unique(cell * width + block, return_inverse=True)
    return pairs // width, of


def _ratio(much: ndarray, many: ndarray) -> Float64[ndarray, " cells"]:
    """much / many, NaN where there are none."""
    return np.asarray(np.divide(much, many, out=np.full(len(many), np.nan), where=many > 0))
