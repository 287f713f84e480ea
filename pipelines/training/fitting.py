"""Training one model inside a job: stop early on later data, go on after a crash, stay within a budget."""

import copy
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from forecaster.checkpoint import load_weights, save_weights
from forecaster.durable import replace
from forecaster.errors import DataError
from forecaster.learner import Learner
from forecaster.model import Model, Numeric
from forecaster.parallel import agree, first, wait
from forecaster.spec import FitSpec
from forecaster.train import Batches, Step, fit
from pipelines.batches.windows import EPOCH, Lanes, Table, Windows

L = TypeVar("L", bound=Learner)

LATE = 0.25
"""Share of a series, at most, that is left out at its beginning."""
PATIENCE = 12
"""Epochs without a better validation after which training stops."""


@dataclass(frozen=True)
class Point:
    """One epoch of a learning curve."""

    step: Step
    validation: float
    """Score on later data, NaN where there is none."""


class DivergedError(DataError):
    """The loss of a training, or its gradient, is not finite."""


@contextmanager
def converging(recipe: str) -> Iterator[None]:
    """Raises DivergedError, which names the recipe, where a training in it diverges."""
    try:
        yield
    except FloatingPointError as error:  # which says what to do
        raise DivergedError(f"the training diverges in {error}", place=f"recipe {recipe!r}") from error


def batches(table: Table, model: Model, spec: FitSpec) -> Batches:
    """The training data in the way the specification asks for."""
    ahead, stride, read = model.horizon, model.stride, spec.bptt * model.stride
    if spec.sampling == "windows":
        return Windows(table, lanes=spec.lanes, context=read, ahead=ahead, seed=spec.seed)
    goes_on = table.answers is None and isinstance(model, Numeric)  # whole series and words are told from a beginning
    shape = {"lanes": spec.lanes, "chunk": read, "ahead": ahead, "stride": stride, "apart": model.apart}
    return Lanes(table, seed=spec.seed, late=LATE if goes_on else 0.0, **shape)


def asked(fit: FitSpec, seed: int, updates: int | None) -> FitSpec:
    """How a recipe is trained from a seed, and by so many updates where they are given."""
    return fit.model_copy(update={"seed": seed} | ({} if updates is None else {"updates": updates}))


def within(
    seconds: float,
    model: L,
    data: Batches,
    spec: FitSpec,
    folder: Path,
    validate: Callable[[L], float] | None = None,
) -> FitSpec:
    """The specification with no more updates than fit into `seconds`, validations included, as measured by a few.

    The answer is kept in `folder`, so that a job that goes on after a crash trains as long as it would have.
    """
    file = folder / "fit.json"
    if file.exists():
        return FitSpec.model_validate_json(file.read_text())
    trial, each = copy.deepcopy(model), 0.0
    for updates in (2, 8):  # the first ones warm up
        began = time.perf_counter()
        for _ in fit(trial, data, spec.model_copy(update={"updates": updates})):
            pass
        each = (time.perf_counter() - began) / updates
    if validate is not None:
        began = time.perf_counter()
        validate(trial.eval())
        each += (time.perf_counter() - began) / EPOCH
    affordable = max(int(agree(seconds / each)), 20)
    bounded = spec.model_copy(update={"updates": min(spec.updates, affordable)})
    if first():
        replace(file, bounded.model_dump_json().encode())
    return bounded


def train(
    model: L,
    data: Batches,
    spec: FitSpec,
    folder: Path,
    *,
    validate: Callable[[L], float] | None = None,
    report: Callable[[Point], None] = lambda point: None,
) -> list[Point]:
    """Train in place and end with the weights of the best validation; returns the learning curve.

    Everything is in `folder`: killed at any moment and called again, it ends with the same weights.
    """
    curve_file, best_file = folder / "curve.json", folder / "best.safetensors"
    curve = read_curve(curve_file)
    for step in fit(model, data, spec, folder / "checkpoint.safetensors"):
        curve = [point for point in curve if point.step.epoch < step.epoch]  # an epoch done again after a crash
        validation = math.nan
        if validate is not None:
            validation = agree(validate(model.eval()))
            model.train()
        curve.append(Point(step, validation))
        if first():
            if best(curve) is curve[-1]:
                save_weights(best_file, model)
            replace(curve_file, json.dumps([asdict(point) for point in curve]).encode())
        report(curve[-1])
        if step.epoch - best(curve).step.epoch >= PATIENCE:
            break
    wait()  # for the one that writes
    load_weights(best_file, model)
    model.eval()
    return curve


def best(curve: Sequence[Point]) -> Point:
    """The epoch whose weights are kept: the best validation, or the last epoch where there is none."""
    known = [point for point in curve if not math.isnan(point.validation)]
    return min(known, key=lambda point: point.validation) if known else curve[-1]


def read_curve(file: Path) -> list[Point]:
    """The learning curve that `train` keeps."""
    rows = json.loads(file.read_text()) if file.exists() else []
    return [Point(Step(**row["step"]), row["validation"]) for row in rows]
