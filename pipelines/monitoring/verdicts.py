"""When a person, or a retrain, is called for: each breach a sentence that says where, how much and what to do."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.monitoring.drift import Drift
from pipelines.monitoring.evidence import Bounds, above, bounds
from pipelines.monitoring.settings import Limits

NOMINAL = 0.8
"""What the interval from the quantile 0.1 to 0.9 should hold."""
ALL = "all series"
_JUDGED = ["error", "promised_error", "naive_error", "inside", "promised_coverage", "block"]


@dataclass(frozen=True)
class Breach:
    """A rule that is broken: error, naive, coverage, drift or missing."""

    rule: str
    group: str
    sentence: str


def verdicts(rows: pd.DataFrame, moved: Drift, limits: Limits) -> list[Breach]:
    """The breaches in forecasts beside what came and what was promised, of all series together and of each group.

    Each rule is tested at the risk over the number of tests (Bonferroni), so that the risk holds for all of them.
    """
    code, names = pd.factorize(rows["group"], sort=True)
    groups = [ALL, *names] if len(names) > 1 else [ALL]
    risk = limits.risk / (3 * len(groups) + 2)
    judged = rows[_JUDGED]
    every = judged.assign(cell=0)
    cells = pd.concat([every, judged.assign(cell=code + 1)]) if len(groups) > 1 else every
    return [
        *_error(cells, groups, limits, risk),
        *_naive(cells, groups, limits, risk),
        *_coverage(cells, groups, limits, risk),
        *_drift(moved, limits, risk),
        *_missing(rows.assign(cell=0), moved, limits, risk),
    ]


def _error(rows: pd.DataFrame, groups: list[str], limits: Limits, risk: float) -> list[Breach]:
    return [
        Breach(
            "error",
            name,
            f"{name}: the error is {error:.3f} where the backtest promised {promised:.3f}, over {count} forecasts; "
            "retrain, or roll back if this version is new",
        )
        for name, error, promised, count in _worse(rows, "promised_error", 1 + limits.error, groups, risk)
    ]


def _naive(rows: pd.DataFrame, groups: list[str], limits: Limits, risk: float) -> list[Breach]:
    return [
        Breach(
            "naive",
            name,
            f"{name}: the error is {error:.3f} where seasonal naive has {naive:.3f}, over {count} forecasts; retrain, "
            "with seasonal_naive among the recipes",
        )
        for name, error, naive, count in _worse(rows, "naive_error", 1 + limits.naive, groups, risk)
    ]


def _worse(
    rows: pd.DataFrame, other: str, factor: float, groups: list[str], risk: float
) -> Iterator[tuple[str, float, float, int]]:
    """The groups whose error is above `factor` times another: with the error, the other and the number of rows."""
    both = rows[rows["error"].notna() & rows[other].notna()]
    difference = (both["error"] - factor * both[other]).to_numpy()
    likely = above(difference, both["cell"].to_numpy(), both["block"].to_numpy(), len(groups))
    for cell in np.flatnonzero(likely < risk).tolist():
        own = both[both["cell"] == cell]
        yield groups[cell], own["error"].mean(), own[other].mean(), len(own)


def _coverage(rows: pd.DataFrame, groups: list[str], limits: Limits, risk: float) -> list[Breach]:
    one = _bounds(rows, "inside", len(groups), risk)
    promised = rows.groupby("cell")["promised_coverage"].mean().reindex(range(len(groups))).fillna(NOMINAL).to_numpy()
    least = np.minimum(promised, NOMINAL) - limits.coverage
    most = np.maximum(promised, NOMINAL) + limits.coverage
    return [
        Breach(
            "coverage",
            groups[cell],
            f"{groups[cell]}: the 80 % interval held {one.share[cell]:.1%} of {one.rows[cell]:.0f} values (between "
            f"{one.low[cell]:.1%} and {one.high[cell]:.1%} by exact bounds) where the backtest "
            f"promised {promised[cell]:.1%}; retrain, which calibrates anew",
        )
        for cell in np.flatnonzero((one.high < least) | (one.low > most))
    ]


def _drift(moved: Drift, limits: Limits, risk: float) -> list[Breach]:
    if not (moved.distance > limits.drift and moved.likely < risk):
        return []
    sentence = (
        f"{ALL}: the values since training lie {moved.distance:.2f} deviations from where they lay in training, on "
        "average; see what has changed in the data, and retrain"
    )
    return [Breach("drift", ALL, sentence)]


def _missing(rows: pd.DataFrame, moved: Drift, limits: Limits, risk: float) -> list[Breach]:
    one = _bounds(rows.assign(gone=rows["actual"].isna().astype(float)), "gone", 1, risk)
    if not one.low[0] > moved.gaps + limits.missing:
        return []
    never = rows.groupby("unique_id")["actual"].count()
    named = ", ".join(map(repr, never.index[never == 0][:3]))
    sentence = (
        f"{ALL}: {one.share[0]:.1%} of {one.rows[0]:.0f} values that are due have not come"
        f"{f', of {named} none at all' if named else ''}, where {moved.gaps:.1%} were missing in training; "
        "see whether the source still delivers"
    )
    return [Breach("missing", ALL, sentence)]


def _bounds(rows: pd.DataFrame, column: str, cells: int, risk: float) -> Bounds:
    hit, cell, block = (rows[name].to_numpy() for name in (column, "cell", "block"))
    return bounds(hit.astype(np.float64), cell, block, cells, risk)
