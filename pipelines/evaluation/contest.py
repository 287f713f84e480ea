"""Champion against challenger: whether forecasts of the same rolling origins are better, and not by chance."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Shaped
from numpy import ndarray
from scipy import stats

from pipelines.data.panel import Panel
from pipelines.evaluation.scores import Scores
from pipelines.evaluation.split import HeldOut

MARGIN = 0.01
"""Share of the champion's loss that a challenger has to save."""
CONFIDENCE = 0.95
"""That it saves anything, as the bootstrap of paired losses says, and that a group is worse."""
WORSE = 0.1
"""Share of the loss that no group of series may lose."""
OFF = 0.1
"""How far from 80 % an 80 % interval may cover, unless the champion's is further off."""
ENOUGH = 10
"""From so many series on, each series is one pair of losses; of fewer, which may move together, all series at all
origins within a horizon are one pair."""
DRAWS = 2000


@dataclass(frozen=True)
class Saving:
    """Which share of the champion's loss a challenger saves, and within which bounds; negative where it is worse."""

    share: float
    low: float
    high: float
    pairs: int


@dataclass(frozen=True)
class Verdict:
    """Whether a challenger becomes the champion, and why."""

    promoted: bool
    reason: str
    saving: Saving
    groups: dict[str, Saving]


def contest(challenger: Scores, champion: Scores, held_out: HeldOut) -> Verdict:
    """Compare two backtests of the same rows: every series at several origins.

    The challenger wins if it saves `MARGIN` of the loss, the bootstrap leaves no doubt that it saves something, its
    intervals hold and no group of series (the values of static covariates, else the quarters by unit) is much worse.
    """
    losses, units = _pairs(challenger, champion, held_out)
    known = np.isfinite(losses).all(1)
    saving = compare(losses[known], units[known])
    groups = {
        title: compare(losses[chosen], units[chosen])
        for title, rows in _groups(held_out.panel, champion).items()
        if (chosen := known & rows).any()
    }
    reason = _objection(saving, groups, challenger, champion)
    gain = f"{saving.share:+.1%} of the loss saved, {saving.low:+.1%} to {saving.high:+.1%}, {saving.pairs} pairs"
    return Verdict(reason is None, f"better: {gain}" if reason is None else f"{reason} ({gain})", saving, groups)


def versus(*parts: tuple[Scores, Scores, HeldOut]) -> Saving:
    """The saving of a challenger over a champion on the rows of all parts, each of which both have told."""
    losses, units = (np.concatenate(cells) for cells in zip(*(_pairs(*part) for part in parts), strict=True))
    known = np.isfinite(losses).all(1)
    return compare(losses[known], units[known])


def compare(losses: Float64[ndarray, "rows both"], units: Shaped[ndarray, " rows"]) -> Saving:
    """The saving of the first column of losses over the second, with bounds by the paired bootstrap over the units, of
    which each row is a part."""
    _, number = np.unique(units, return_inverse=True)
    count = np.bincount(number)
    losses = np.stack([np.bincount(number, column) / count for column in losses.T], 1)
    if len(losses) < 2:
        return Saving(float(_share(*losses.T)) if len(losses) else float("nan"), -np.inf, np.inf, len(losses))
    share = float(_share(*losses.T))
    drawn = stats.bootstrap(
        (losses[:, 0], losses[:, 1]),
        _share,
        paired=True,
        vectorized=True,
        n_resamples=DRAWS,
        batch=100,
        confidence_level=2 * CONFIDENCE - 1,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Saving(share, float(drawn.low), float(drawn.high), len(losses))


def _pairs(challenger: Scores, champion: Scores, held_out: HeldOut) -> tuple[ndarray, ndarray]:
    """The losses of both by row, and which rows are one pair."""
    losses = np.stack([next(iter(test.by_row().values())) for test in (challenger, champion)], 1)
    ids, length = held_out.panel.ids.astype(str), held_out.panel.lengths
    if (count := len(np.unique(ids))) >= ENOUGH:
        return losses, ids
    since = length.reshape(-1, count)
    horizon = held_out.actual.shape[1]
    later = (since - since[0]).max(1) // horizon  # horizons since the first origin, of which each part has its own
    return losses, (since[0].max() + horizon * later).repeat(count)


def _share(challenger: ndarray, champion: ndarray, axis: int = -1) -> ndarray:
    before = champion.mean(axis)
    return np.asarray(np.divide(before - challenger.mean(axis), before, out=np.zeros_like(before), where=before > 0))


def _groups(panel: Panel, champion: Scores) -> dict[str, ndarray]:
    """The rows of each group by its title."""
    groups = {
        f"{name}={value}": panel.static[:, column] == value
        for column, name in enumerate(panel.static_names)
        for value in np.unique(panel.static[:, column].astype(str))
    }
    unit = champion.by_row().get("unit")
    if groups or unit is None or not np.isfinite(unit).any():
        return groups
    quarter = np.digitize(unit, np.nanquantile(unit, [0.25, 0.5, 0.75]))
    return {f"quarter {1 + i} by unit": quarter == i for i in range(4)}


def _objection(saving: Saving, groups: dict[str, Saving], challenger: Scores, champion: Scores) -> str | None:
    """What speaks against the challenger."""
    if not saving.share >= MARGIN:
        return "not better by the margin"
    if not saving.low > 0:
        return "not better beyond doubt"
    if challenger.miscovered() > max(OFF, champion.miscovered()):
        return f"its 80 % intervals cover {challenger.metrics()['coverage_80']:.0%}"
    worse = [title for title, one in groups.items() if one.share < -WORSE and one.high < 0]
    return f"much worse on {', '.join(worse)}" if worse else None
