"""From settings and data to the plan of a job."""

import logging

from forecaster.build import build
from forecaster.errors import DataError
from forecaster.model import Model, Numeric
from forecaster.spec import Task
from pipelines.batches.covariates import describe
from pipelines.data.oddities import oddities
from pipelines.data.panel import Panel
from pipelines.evaluation.split import answered, by_series, split
from pipelines.forecasting.readable import held
from pipelines.recipes.recipe import Recipe
from pipelines.recipes.recipe import choose as choose_recipes
from pipelines.registry.fetch import Fetched
from pipelines.sources.read import read
from pipelines.training import automatic
from pipelines.training.challenge import SeenError, entries, last_seen
from pipelines.training.plan import REFIT, RESERVE, Plan, Report
from pipelines.training.settings import TrainSettings
from pipelines.training.work import work_folder

log = logging.getLogger(__name__)


def planned(
    settings: TrainSettings,
    report: Report = lambda *epoch: None,
    champion: Fetched | None = None,
    workers: int = 1,
) -> tuple[dict[str, tuple[Recipe, Model | None]], Plan]:
    """The candidates, and what they share."""
    panel = read(
        settings.source,
        frequency=settings.frequency,
        zone=settings.zone,
        known=settings.known,
        past=settings.past,
        static=settings.static,
        duplicates=settings.duplicates,
        whole=settings.target,
        as_of=settings.as_of,
    )
    for sentence in oddities(panel):
        log.warning(sentence)
    panel = panel if panel.whole is None else answered(panel)
    chosen = choose_recipes(settings.recipes or automatic.recipes(panel), automatic.kind(panel))
    plan = prepare(settings, panel, chosen, report, champion, workers)
    return entries(plan.data, plan.task, chosen, champion), plan


def prepare(
    settings: TrainSettings,
    panel: Panel,
    chosen: dict[str, Recipe],
    report: Report = lambda *epoch: None,
    champion: Fetched | None = None,
    workers: int = 1,
) -> Plan:
    """What all candidates share: the task read from the data, its split, and the folder of the work.

    The budget is divided: `workers` networks train side by side, each once more where there is a test, and in the end
    the winner does, alone.
    Raises DataError, before anything is trained, on a recipe that cannot be built or that the data is not for, on a
    champion of other data, and SeenError where there is no horizon of data that it has not seen.
    """
    data = describe(panel, settings.end)
    task = automatic.task(panel, data, settings.horizon or 1, settings.season)
    for name, recipe in chosen.items():
        admit(panel, name, recipe, task)
    until = last_seen(champion, panel, data) if champion is not None else None
    parts = split(panel, task, until) if panel.whole is None else by_series(panel, settings.seed)
    if champion is not None and parts.test is None:
        raise SeenError(f"version {champion.version} has seen the data up to {until}, all but less than a horizon")
    networks = sum(recipe.fit is not None for recipe, _ in entries(data, task, chosen, champion).values())
    budget = RESERVE * settings.budget / (2 if settings.search else 1)
    each = 1 + REFIT * (parts.before is not None)
    told = "".join(part.model_dump_json() for part in (settings, task, *chosen.values()))
    identity = told + panel.digest + (champion.digest if champion is not None else "")
    return Plan(
        panel=panel,
        split=parts,
        data=data,
        task=task,
        seed=settings.seed,
        budget=budget,
        seconds=budget / (each * -(-networks // workers) + REFIT * networks) if networks else 0.0,
        folder=work_folder(identity),
        report=report,
        updates=settings.updates,
    )


def admit(panel: Panel, name: str, recipe: Recipe, task: Task) -> None:
    """Raises DataError on a recipe that nothing can be built from, and on the first value of `panel` that its model
    gives no probability to."""
    try:
        model = build(recipe.model, task)
    except DataError as error:
        raise DataError(error.message, place=f"recipe {name!r}", remedy=error.remedy) from None
    if isinstance(model, Numeric):
        held(panel, model, f"the recipe {name!r}")
