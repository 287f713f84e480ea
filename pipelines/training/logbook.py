"""What a training job writes into MLflow, so that its candidates compare on one screen."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from forecaster.parallel import device
from pipelines.data.panel import Panel
from pipelines.evaluation import figures
from pipelines.evaluation.scores import Scores
from pipelines.evaluation.split import HeldOut
from pipelines.tracking.run import Run
from pipelines.training.candidate import Candidate
from pipelines.training.fitting import Point, best
from pipelines.training.plan import Plan
from pipelines.training.selection import why
from pipelines.training.settings import TrainSettings

BY_STEP = "_by_step"
"""Ends the name of a metric of each step ahead."""
HELD_OUT = "held_out_loss"
"""What candidates are compared by: their loss on what calibrates and on the test together."""
HISTORY = 3
"""Horizons of history that a fan shows before the forecast."""


def log_plan(run: Run, settings: TrainSettings, plan: Plan, recipes: Iterable[str]) -> None:
    """The question, the data and the candidates of a job."""
    asked = settings.model_dump(mode="json", exclude=settings.idle)
    found = {"frequency": plan.data.frequency, "zone": plan.data.zone or "none", "device": device().type}
    run.params(asked | found | {"recipes": ", ".join(recipes)} | _flat("task", plan.task.model_dump()))
    run.dataset(plan.panel, settings.source.name, "train")


def log_candidate(run: Run, plan: Plan, one: Candidate) -> None:
    """Parameters, learning curve, scores and figures of a candidate."""
    spec = one.artifact.spec
    run.params(_flat("model", spec.model.model_dump()))
    if spec.fit is not None:
        run.params(_flat("fit", spec.fit.model_dump()))
        log_curve(run, one.trained.curve)
    cut_short = f" Cut short by the budget: {one.trained.cut_short}." if one.trained.cut_short else ""
    run.note(f"{one.trained.recipe.summary}{cut_short}")
    run.dataset(plan.split.train, "train part", "train")
    if plan.split.before is not None:
        run.dataset(plan.split.before, "before the test", "train")
    size = sum(tensor.numel() for tensor in one.artifact.model.state_dict().values())
    run.metrics({"seconds": one.seconds, "weights": size})
    if one.test is None or plan.split.test is None:
        return
    run.metrics({HELD_OUT: one.loss} | one.test.metrics())
    run.by_step({f"{name}{BY_STEP}": values for name, values in one.test.by_step().items()})
    for name, figure in one.test.figures().items():
        run.figure(figure, f"{name}.png")
    for title, figure in fans(plan, one.test).items():
        run.figure(figure, f"forecasts/{title}.png")
    run.table(per_series(plan.split.test, one.test), "per_series.json")


def log_curve(run: Run, curve: Sequence[Point]) -> None:
    """How a network was trained, epoch by epoch."""
    rows = [
        {
            "loss": point.step.loss,
            "validation": point.validation,
            "grad_norm": point.step.grad_norm,
            "learning_rate": point.step.learning_rate,
            "epoch_seconds": point.step.seconds,
        }
        for point in curve
    ]
    run.curve(rows, [point.step.epoch for point in curve])
    run.figure(figures.loss_curve([row["loss"] for row in rows], [row["validation"] for row in rows]), "loss.png")
    run.metrics({"best_epoch": best(curve).step.epoch})


def log_comparison(run: Run, plan: Plan, candidates: list[Candidate], winner: Candidate) -> None:
    """The candidates side by side in the run of the job."""
    tested = {one.name: one.test for one in candidates if one.test is not None}
    run.params({"champion": winner.name})
    run.note(why(winner, candidates))
    run.table(compared(candidates), "candidates.json")
    if not tested:
        return
    run.metrics({HELD_OUT: winner.loss} | tested[winner.name].metrics())
    run.by_step({f"{name}{BY_STEP}": values for name, values in tested[winner.name].by_step().items()})
    metric = next(iter(tested[winner.name].by_step()))
    by_step = {name: test.by_step()[metric] for name, test in tested.items()}
    run.figure(figures.metric_by_step(by_step, metric.replace("_", " ")), f"{metric}_by_step.png")
    for title, figure in fans(plan, tested[winner.name]).items():
        run.figure(figure, f"forecasts/{title}.png")


def compared(candidates: Sequence[Candidate]) -> pd.DataFrame:
    """The candidates side by side, best first; NaN where nothing was tested."""
    rows = [
        {"candidate": one.name, HELD_OUT: one.loss, **(one.test.metrics() if one.test else {}), "seconds": one.seconds}
        for one in candidates
    ]
    return pd.DataFrame(rows).sort_values(HELD_OUT, kind="stable")


def fans(plan: Plan, test: Scores) -> dict[str, Figure]:
    """Forecasts against what came, for the series that did best, middling and worst."""
    error = next(iter(test.by_row().values()))
    ranked = np.argsort(error)[: np.isfinite(error).sum()]
    if not ranked.size or plan.split.test is None or plan.data.whole is not None:
        return {}  # what is told of a whole series does not go on where the series ends
    chosen = {"best": ranked[0], "median": ranked[len(ranked) // 2], "worst": ranked[-1]}
    return {title: _fan(plan, plan.split.test.panel, test, int(row), title) for title, row in chosen.items()}


def per_series(held_out: HeldOut, test: Scores) -> pd.DataFrame:
    """Every series and origin with its error."""
    rows = test.by_row()
    return pd.DataFrame({"unique_id": held_out.panel.ids, **rows}).sort_values(next(iter(rows)), ascending=False)


def _fan(plan: Plan, panel: Panel, test: Scores, row: int, title: str) -> Figure:
    horizon = plan.task.horizon
    history = panel.series(row)[-HISTORY * horizon :]
    steps = np.arange(len(history) + horizon)
    begin = panel.start[row : row + 1].repeat(len(steps))
    times = panel.frequency.advance(begin, steps + panel.lengths[row] - len(history), panel.zone)
    return test.picture(row, history, panel.frequency.stamps(times, panel.zone), f"{panel.ids[row]} ({title} series)")


def _flat(name: str, value: object) -> dict[str, object]:
    """A parameter, or those that it is made of: the fields of a part, the members of an ensemble."""
    if isinstance(value, tuple) and any(isinstance(one, dict) for one in value):
        value = dict(enumerate(value))
    if not isinstance(value, dict):
        return {name: value}
    return {path: leaf for key, one in value.items() for path, leaf in _flat(f"{name}.{key}", one).items()}
