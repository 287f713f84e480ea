"""The monitoring job: kept forecasts against what came, what was promised and seasonal naive."""

import logging
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from forecaster.durable import replace
from forecaster.errors import DataError
from pipelines.faults import UnavailableError
from pipelines.monitoring.alert import address, call, expose
from pipelines.monitoring.beside import beside
from pipelines.monitoring.drift import drift
from pipelines.monitoring.kept import read_kept
from pipelines.monitoring.page import page
from pipelines.monitoring.pictures import pictures
from pipelines.monitoring.promises import promises
from pipelines.monitoring.report import Report
from pipelines.monitoring.scores import in_all, scores
from pipelines.monitoring.settings import MonitorSettings
from pipelines.monitoring.verdicts import verdicts
from pipelines.registry.fetch import resolve
from pipelines.runs.events import Events
from pipelines.runs.ledger import open_ledger
from pipelines.sources.read import read
from pipelines.tracking.run import Run

log = logging.getLogger(__name__)


def monitor(settings: MonitorSettings, key: str | None = None) -> Report:
    """Judge the forecasts that have come due, and tell it: in a file, to Prometheus, a webhook, the ledger and MLflow,
    there in the run of this `key` if there is one.

    Raises DataError where there is no such model, where it is none of numbers by time, or where forecasts or values
    cannot be read.
    """
    webhook = address(settings.webhook) if settings.webhook is not None else None
    for place in (settings.report, settings.metrics):
        if place is not None and place.is_dir():
            raise DataError(f"{place} is a folder", remedy="name a file")
    report = judge(settings)
    html = page(report)
    if settings.report is not None:
        settings.report.parent.mkdir(parents=True, exist_ok=True)
        replace(settings.report, html.encode())
    if settings.metrics is not None:
        expose(report, settings.metrics)
    if webhook is not None and report.breaches:
        call(webhook, report)
    if report.reasons:
        Events(open_ledger()).call("retrain", report.name, report.reasons)
    try:
        _log(settings, report, html, key)
    except UnavailableError as error:
        log.warning("MLflow was not told of this: %s", error)
    return report


def judge(settings: MonitorSettings) -> Report:
    """The report of the forecasts that have come due."""
    champion = resolve(settings.name)
    spec = champion.artifact.spec
    if spec.data.labels or spec.data.whole is not None:
        raise DataError(f"{settings.name!r} does not forecast numbers by time", remedy="monitor a model that does")
    panel = read(
        settings.source,
        frequency=spec.data.frequency,
        zone=settings.zone or spec.data.zone,
        static=(settings.group,) if settings.group is not None else (),
        duplicates=settings.duplicates,
        as_of=settings.as_of,
    )
    version = champion.version if settings.versions == "champion" else None
    steps = panel.frequency.is_step
    kept = read_kept(settings.forecasts, settings.name, steps=steps, zone=panel.zone, version=version)
    kept = kept[kept["step"] <= spec.task.horizon]  # further ahead nothing was promised
    due = beside(kept, panel, spec.task.seasons[0], settings.days, settings.group)
    rows = promises(settings.name, set(due["version"])).beside(due)
    moved = drift(panel, spec.training.until)
    return Report(
        name=settings.name,
        version=version,
        at=datetime.now(UTC),
        overall=in_all(rows),
        by_day=scores(rows, "day", alone=True),
        by_group=scores(rows, "group"),
        by_step=scores(rows, "step"),
        drift=moved,
        breaches=tuple(verdicts(rows, moved, settings.limits)),
    )


def _log(settings: MonitorSettings, report: Report, html: str, key: str | None) -> None:
    """A run among those of the model's experiment."""
    with Run.start(settings.name, "monitor", key=key, tags={"breaches": str(len(report.breaches))}) as run:
        run.params(settings.model_dump(mode="json", exclude={"webhook"}) | {"version": report.version or "all"})
        run.metrics(report.overall | {"drift": report.drift.distance, "breaches": len(report.breaches)})
        _curve(run, report.by_step, "step")
        _curve(run, report.by_day, "day")
        run.table(report.by_group.head(1000), "by_group.json")
        broken = [vars(one) for one in report.breaches]
        run.table(pd.DataFrame(broken, columns=["rule", "group", "sentence"]), "breaches.json")
        run.client.log_text(run.id, html, "report.html")
        for title, figure in pictures(report).items():
            run.figure(figure, f"{title.replace(' ', '_')}.png")


def _curve(run: Run, table: pd.DataFrame, by: str) -> None:
    """A metric of each column; the days count from 1970."""
    at = table[by].to_numpy()
    at = at.astype("datetime64[D]") if at.dtype.kind == "M" else at
    names = [f"{name}_by_{by}" for name in table.columns.drop(by)]
    rows = table.drop(columns=by).to_numpy(dtype=np.float64).tolist()
    run.curve([dict(zip(names, row, strict=True)) for row in rows], at.astype(np.int64).tolist())
