"""What a person sees while a job runs and when it ends."""

import math
from types import TracebackType
from typing import Never

from tqdm import tqdm

from forecaster.errors import DataError
from forecaster.parallel import first, join, processes
from forecaster.spec import FitSpec
from pipelines.runs.engine import HERE, Engine
from pipelines.training.fitting import Point
from pipelines.training.job import Result, follow, run
from pipelines.training.logbook import HELD_OUT, compared
from pipelines.training.selection import why
from pipelines.training.settings import TrainSettings


class Screen:
    """One progress bar per training of a candidate: updates, loss, validation, time left."""

    def __init__(self) -> None:
        self.bars: dict[str, tqdm[Never]] = {}

    def __enter__(self) -> "Screen":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for bar in self.bars.values():
            bar.close()

    def report(self, name: str, spec: FitSpec, point: Point) -> None:
        """Move the bar of a candidate to the end of an epoch."""
        for other, bar in self.bars.items():
            if other != name:
                bar.close()
        if name not in self.bars:
            self.bars[name] = tqdm(total=spec.updates, desc=name, unit="update", dynamic_ncols=True)
        bar = self.bars[name]
        told = {"loss": point.step.loss, "validation": point.validation}
        bar.set_postfix({key: f"{value:.4f}" for key, value in told.items() if not math.isnan(value)}, refresh=False)
        bar.update(min(point.step.updates, spec.updates) - bar.n)


def watched(settings: TrainSettings, engine: Engine = HERE) -> None:
    """Run a training job before a person's eyes, or take part in it where torchrun has started several processes."""
    join()
    if processes() > 1 and (settings.search or not engine.here):
        remedy = "run it without torchrun, or without --search, --workers and --engine"
        raise DataError("several processes share the training of one network at a time", remedy=remedy)
    if not first():
        follow(settings)
        return
    with Screen() as screen:
        result = run(settings, screen.report, engine)
    print(table(result))


def table(result: Result) -> str:
    """The candidates side by side, best first, the champion and what it is."""
    shown = result.winner.test.shown if result.winner.test is not None else ()
    rows = compared(result.candidates)[["candidate", HELD_OUT, *shown, "seconds"]]
    told = rows.to_string(index=False, float_format="{:.4f}".format, formatters={"seconds": "{:.1f}".format}, na_rep="")
    winner = result.winner
    seasons = [str(season) for season in winner.artifact.spec.task.seasons if season > 1]
    every = f", season of {' and '.join(seasons)} steps" if seasons else ""
    lines = [told]
    if cut_short := [one.trained.cut_short for one in result.candidates if one.trained.cut_short]:
        remedy = "with updates instead of a budget the same seed gives the same model"
        lines.append(f"cut short by the budget: {', '.join(cut_short)}; {remedy}")
    lines.append(
        f"champion: {result.name} version {result.version} ({winner.name}){every}, {result.seconds:.0f} s in all"
    )
    return "\n".join([*lines, why(winner, result.candidates)])
