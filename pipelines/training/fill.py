"""The job that fills gaps: train on gaps made where values are known, test on others, fill the real ones."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64
from numpy import ndarray

from forecaster.build import build_filler
from forecaster.conformal import Calibrator
from forecaster.errors import DataError
from forecaster.parallel import device
from forecaster.quantiles import LEVELS
from forecaster.spec import FitSpec
from pipelines.batches.covariates import describe
from pipelines.batches.gaps import Gaps, draw, guesses, lengths
from pipelines.data.panel import Panel
from pipelines.forecasting.restore import Units, tell
from pipelines.recipes.recipe import choose
from pipelines.sources.read import read
from pipelines.sources.sink import check, write
from pipelines.tracking.run import Run
from pipelines.training import automatic
from pipelines.training.fitting import Point, asked, converging, train, within
from pipelines.training.logbook import log_curve
from pipelines.training.settings import FillSettings
from pipelines.training.work import RunKeys, alone, work_folder

HELD_OUT = 0.1
"""Share of the known values that is hidden to calibrate on, and as many to test on."""
WINDOW = 192
"""Steps that the network reads at a time."""
LOW, MEDIAN, HIGH = (LEVELS.index(level) for level in (0.1, 0.5, 0.9))


@dataclass(frozen=True)
class Filled:
    """What a job ends with."""

    rows: int
    filled: int
    empty: list[str]
    """Series that have no value at all, and are left so."""
    metrics: dict[str, float]
    """Scores on values that were hidden from the network; empty where nothing was missing."""


def run(settings: FillSettings, report: Callable[[str, FitSpec, Point], None] = lambda *epoch: None) -> Filled:
    """Fill every gap and write unique_id, ds, y, filled and the ends of the 80 % interval.

    Stopped at any moment and run again, it goes on where it was. Raises DataError on data that cannot be read, on
    labels, and on a recipe that does not read in both directions or whose training diverges.
    """
    check(settings.out, settings.source)
    panel = read(settings.source, zone=settings.zone, duplicates=settings.duplicates, to_the_end=True)
    if panel.labels:
        first = int((~np.isnan(panel.values)).argmax())
        series, place = panel.where(first)
        label = panel.labels[int(panel.values[first])]
        raise DataError(
            f"y is {label!r}, and only numbers are filled", series=series, place=place, remedy="give numbers"
        )
    missing = np.isnan(panel.values)
    empty = ~panel.having(~missing)
    wanted, some = missing & ~np.repeat(empty, panel.lengths), panel.select(np.flatnonzero(~empty))
    quantiles, metrics, folder = np.full((panel.total, len(LEVELS)), np.nan), dict[str, float](), None
    if wanted.any():
        quantiles[wanted], metrics, folder = fill(settings, some, report)
    frame = panel.frame()
    frame["y"], frame["filled"] = np.where(wanted, quantiles[:, MEDIAN], panel.values), wanted
    frame["q0.1"], frame["q0.9"] = quantiles[:, LOW], quantiles[:, HIGH]
    rows = write(frame, settings.out)
    if folder is not None:
        shutil.rmtree(folder)
    return Filled(rows, int(wanted.sum()), panel.ids[empty].tolist(), metrics)


def fill(
    settings: FillSettings, panel: Panel, report: Callable[[str, FitSpec, Point], None]
) -> tuple[Float64[ndarray, "missing levels"], dict[str, float], Path]:
    """The quantiles of all missing values, how well those of held-out ones were told, and the folder of the work, to
    be removed once they are written. Keeps a run in MLflow."""
    data = describe(panel)
    (recipe,) = choose((settings.recipe,)).values()
    like, random = lengths(panel), np.random.default_rng(settings.seed)
    seasons = tuple(s for s in automatic.task(panel, data, 1, settings.season).seasons if s > 1)
    calibrate = draw(panel, like, HELD_OUT, random)
    test = draw(panel, like, HELD_OUT, random) & ~calibrate
    seen = replace(panel, values=np.where(calibrate | test, np.nan, panel.values))
    units = Units.of(panel)
    every, small = units.small(panel.values), units.small(seen.values)
    spec = asked(recipe.fit or FitSpec(), settings.seed, settings.updates)
    gaps = Gaps(
        replace(seen, values=small), data, seasons, like=like, lanes=spec.lanes, time=WINDOW, seed=settings.seed
    )
    model = build_filler(recipe.model, 1 + len(seasons), len(data.calendar), settings.seed).to(device())

    folder = work_folder(settings.model_dump_json() + recipe.model_dump_json() + panel.digest)
    keys = RunKeys(folder)
    with alone(folder), Run.start(settings.name, "fill", key=keys.of("fill")) as tracked:
        asked_for = settings.model_dump(mode="json", exclude=settings.idle)
        tracked.params(asked_for | {"seasons": seasons, "gaps": len(like), "window": WINDOW})
        tracked.dataset(panel, settings.source.name, "fill")
        with converging(settings.recipe):
            if settings.updates is None:
                spec = within(settings.budget, model, gaps, spec, folder)
            curve = train(model, gaps, spec, folder, report=lambda point: report(settings.recipe, spec, point))
        log_curve(tracked, curve)
        calibrator = Calibrator.learn(tell(model, gaps, small, calibrate), every[calibrate, None])

        def quantiles(values: Float64[ndarray, "total"], at: Bool[ndarray, "total"]) -> Float64[ndarray, "at levels"]:
            made = tell(model, gaps, values, at)
            made = calibrator.apply(made) if calibrator is not None else made
            found = units.large(made.quantiles.squeeze(1).numpy(), at)
            found = np.maximum(found, 0.0) if data.positive else found
            return found.round() + 0.0 if data.integral else found

        interpolated = guesses(panel, seen.values, seasons)[test]
        metrics = scores(panel.values[test], quantiles(small, test), interpolated, seasons)
        found = quantiles(every, np.isnan(every))
        tracked.metrics(metrics | {"filled": len(found)})
    return found, metrics, folder


def scores(
    actual: Float64[ndarray, "hidden"],
    quantiles: Float64[ndarray, "hidden levels"],
    interpolated: Float64[ndarray, "hidden guesses"],
    seasons: tuple[int, ...],
) -> dict[str, float]:
    """Mean absolute errors, of the median beside lines, plain and in each season, and what the interval holds."""
    if not len(actual):
        return {}
    error = np.abs(actual[:, None] - np.column_stack([quantiles[:, MEDIAN], interpolated])).mean(0)
    inside = (actual >= quantiles[:, LOW]) & (actual <= quantiles[:, HIGH])
    names = ("mae", "mae_linear", *(f"mae_season_{season}" for season in seasons))
    return dict(zip(names, error.tolist(), strict=True)) | {"coverage_80": float(inside.mean())}
