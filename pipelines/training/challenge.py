"""What a training job does with a champion: start from its weights, and judge it by what it has not seen."""

import math
from collections.abc import Mapping
from dataclasses import asdict

import pandas as pd

from forecaster.errors import DataError
from forecaster.manifest import Category, Covariate, DataSpec
from forecaster.model import Model
from forecaster.models.ensemble import Ensemble
from forecaster.spec import EnsembleSpec, ModelSpec, Task
from pipelines.data.panel import Panel
from pipelines.evaluation import figures
from pipelines.evaluation.backtest import backtest
from pipelines.evaluation.contest import Verdict, contest
from pipelines.evaluation.split import after, split
from pipelines.recipes.recipe import Recipe
from pipelines.registry.fetch import Fetched
from pipelines.registry.promotion import KeptError
from pipelines.registry.versions import Version
from pipelines.tracking.run import Run
from pipelines.training.candidate import Candidate
from pipelines.training.plan import Plan

WARM = "_warm"
"""What the name of a candidate ends with that starts from the champion's weights."""


class SeenError(DataError):
    """There is no horizon of data that the champion has not seen."""


def match(ours: Fetched, theirs: Fetched, panel: Panel) -> Verdict:
    """Two registered models by origins that are later than what either has seen.

    Raises DataError where they read other columns, and SeenError where there is no horizon of such data.
    """
    spec = ours.artifact.spec
    until = max((last_seen(one, panel, spec.data) for one in (ours, theirs)), key=lambda end: -after(panel, end).max())
    held_out = split(panel, spec.task, until).test
    if held_out is None:
        raise SeenError(f"versions {ours.version} and {theirs.version} have seen the data up to {until}")
    ours_test, theirs_test = (
        backtest(one.artifact.model, one.artifact.spec.data, spec.task.seasons[0], held_out, one.artifact.calibrator)
        for one in (ours, theirs)
    )
    return contest(ours_test, theirs_test, held_out)


def last_seen(champion: Fetched, panel: Panel, data: DataSpec) -> str:
    """The last time that the champion was trained on.

    Raises DataError where the panel has other columns than it reads, or no time zone where it has one.
    """
    theirs = champion.artifact.spec.data
    here, there = _columns(data), _columns(theirs)
    if here != there:
        raise DataError(
            f"the data has {', '.join(here)}, and the champion, version {champion.version}, reads {', '.join(there)}",
            remedy="mend the data, or train under another name",
        )
    if theirs.zone is not None and data.zone is None:
        message = f"the data has no time zone, and the champion, version {champion.version}, has {theirs.zone}"
        raise DataError(message, remedy=f"name the zone of the data, such as {theirs.zone}")
    if panel.whole is not None or champion.artifact.spec.training.until is None:
        raise DataError(
            "a champion for whole series is not compared by time",
            remedy="run a job of the kind train, and promote its version by hand",
        )
    return champion.artifact.spec.training.until


def unlike(champion: Fetched, data: DataSpec) -> str | None:
    """A sentence on what a champion read before one for this data takes its place, where that is something else."""
    here, there = _columns(data), _columns(champion.artifact.spec.data)
    if here == there:
        return None
    return (
        f"version {champion.version}, the champion until now, read {', '.join(there)}, and the new one reads"
        f" {', '.join(here)}: requests and jobs as before will be refused"
    )


def entries(
    data: DataSpec, task: Task, chosen: Mapping[str, Recipe], champion: Fetched | None
) -> dict[str, tuple[Recipe, Model | None]]:
    """The candidates by name: each recipe from scratch, and from the champion's weights where it has the same model."""
    found: dict[str, tuple[Recipe, Model | None]] = {name: (recipe, None) for name, recipe in chosen.items()}
    if champion is None or champion.artifact.spec.task != task or not _same(champion, data):
        return found
    networks = {name: recipe for name, recipe in chosen.items() if recipe.fit is not None}
    for spec, model in _members(champion.artifact.spec.model, champion.artifact.model):
        found |= {name + WARM: (recipe, model) for name, recipe in networks.items() if recipe.model == spec}
    return found


def judge(parent: Run, run: Run, plan: Plan, winner: Candidate, champion: Fetched) -> Verdict:
    """Champion against winner on the test origins of the plan, kept in `run`, the champion's, and in the job's."""
    assert plan.split.test is not None
    assert winner.test is not None
    theirs = champion.artifact
    season = plan.task.seasons[0]
    test = backtest(theirs.model, theirs.spec.data, season, plan.split.test, theirs.calibrator)
    verdict = contest(winner.test, test, plan.split.test)
    run.params({"version": champion.version, "candidate": theirs.spec.candidate})
    run.metrics(test.metrics())
    by_step = {winner.name: winner.test.by_step(), f"champion (version {champion.version})": test.by_step()}
    metric = next(iter(test.by_step()))
    curves = {name: values[metric] for name, values in by_step.items()}
    parent.figure(figures.metric_by_step(curves, metric.replace("_", " ")), "challenge.png")
    rows = [{"group": name, **asdict(one)} for name, one in ({"all": verdict.saving} | verdict.groups).items()]
    parent.table(pd.DataFrame(rows), "challenge.json")
    told = {f"challenge.{key}": value for key, value in asdict(verdict.saving).items() if math.isfinite(value)}
    parent.metrics(told | {"challenge.promoted": float(verdict.promoted)})
    parent.params({"challenge": verdict.reason})
    return verdict


def unbeaten(ours: Version, now: Version | None, *, before: str | None, verdict: Verdict | None, metric: str) -> None:
    """Raise KeptError where the champion of this moment is not beaten by our version.

    Ours was compared with the champion that there was `before`. Another one that was promoted meanwhile was not; its
    loss tells, where it was measured by the same origins.
    """
    if now is None or now.version == ours.version:
        return
    if verdict is not None and now.version == before:
        if not verdict.promoted:
            raise KeptError(verdict.reason)
        return
    title = f"version {now.version}, promoted meanwhile,"
    if now.tested != ours.tested:
        raise KeptError(f"{title} was tested on other data")
    mine, theirs = (one.metrics.get(metric, math.nan) for one in (ours, now))
    if not mine < theirs:
        raise KeptError(
            f"{title} has a {metric.replace('_', ' ')} of {theirs:.4f}, and version {ours.version} {mine:.4f}"
        )


def _columns(data: DataSpec) -> list[str]:
    kinds: dict[str, tuple[Covariate | Category, ...]] = {"known": data.known, "past": data.past, "static": data.static}
    covariates = [f"{kind} {column.name}" for kind, columns in kinds.items() for column in columns]
    whole = [f"{data.whole.name} of whole series"] if data.whole is not None else []
    return [f"frequency {data.frequency}", "labels" if data.labels else "numbers", *whole, *covariates]


def _same(champion: Fetched, data: DataSpec) -> bool:
    """Whether codes mean what they meant."""
    theirs = champion.artifact.spec.data
    return (theirs.static, theirs.labels) == (data.static, data.labels)


def _members(spec: ModelSpec, model: Model) -> list[tuple[ModelSpec, Model]]:
    """A model or, of an ensemble, its members."""
    if isinstance(spec, EnsembleSpec) and isinstance(model, Ensemble):
        return list(zip(spec.members, model.members, strict=True))
    return [(spec, model)]
