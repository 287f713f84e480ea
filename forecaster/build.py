"""From a specification to a model."""

import torch

from forecaster.catalogue import make
from forecaster.cells import CELLS
from forecaster.compose import Residual, Stack
from forecaster.core import Core
from forecaster.ensemble import Ensemble
from forecaster.head import Head
from forecaster.heads import HEADS
from forecaster.kalman import Kalman
from forecaster.model import Model
from forecaster.pointwise import Linear, SeasonalNaive
from forecaster.recurrent import Recurrent
from forecaster.spec import (
    CoreSpec,
    EnsembleSpec,
    HeadSpec,
    LinearSpec,
    ModelSpec,
    RecurrentSpec,
    SeasonalNaiveSpec,
    StateSpaceSpec,
    Task,
)
from forecaster.structural import Structural


def build(spec: ModelSpec, task: Task, seed: int = 0) -> Model:
    """A new model; the same seed gives the same initial weights.

    >>> build(SeasonalNaiveSpec(), Task(horizon=2)).horizon
    2
    """
    with torch.random.fork_rng(devices=[]):  # torch's modules draw their weights from the global generator
        torch.manual_seed(seed)
        match spec:
            case RecurrentSpec():
                return Recurrent(build_core(spec.core), build_head(spec.head), **task.model_dump())
            case LinearSpec():
                lags = spec.lags or max(2 * task.seasons[-1], task.horizon)
                return Linear(horizon=task.horizon, lags=lags, past=task.past)
            case EnsembleSpec():
                return Ensemble([build(member, task, seed) for member in spec.members])
            case SeasonalNaiveSpec():
                return SeasonalNaive(horizon=task.horizon, season=task.seasons[0], past=task.past)
            case StateSpaceSpec():
                return Structural(Kalman(task.horizon, task.seasons, spec.harmonics), past=task.past)


def build_core(spec: CoreSpec) -> Core:
    """A stack of equal cells. Raises DataError on a cell or an option that there is not."""
    cells = [make(CELLS, "cell", spec.cell, spec.width, spec.width, **spec.options) for _ in range(spec.layers)]
    return Stack([Residual(cell) for cell in cells] if spec.skip == "residual" else cells)


def build_head(spec: HeadSpec) -> Head:
    """The head of a distribution family. Raises DataError on a family or an option that there is not."""
    return make(HEADS, "head", spec.family, **spec.options)
