"""From a specification to a model."""

from collections.abc import Callable

import torch

from forecaster.catalogue import make
from forecaster.cells import CELLS
from forecaster.compose import Dense, Residual, Stack
from forecaster.core import Core
from forecaster.ensemble import Ensemble
from forecaster.head import Head
from forecaster.heads import HEADS
from forecaster.logarithm import Logarithm
from forecaster.model import Model
from forecaster.plain import Plain
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
    Task,
)

AROUND: dict[str, Callable[[Core], Core]] = {"none": lambda layer: layer, "residual": Residual, "dense": Dense}
"""Connections around a layer, by the names that a specification has for them."""


def build(spec: ModelSpec, task: Task, seed: int = 0) -> Model:
    """A new model; the same seed gives the same initial weights.

    >>> build(SeasonalNaiveSpec(), Task(horizon=2)).horizon
    2
    """
    with torch.random.fork_rng(devices=[]):  # torch's modules draw their weights from the global generator
        torch.manual_seed(seed)
        match spec:
            case RecurrentSpec():
                shape = task.model_dump(exclude={"logarithmic"})
                model = Recurrent(build_core(spec.core), build_head(spec.head), **shape, relative=not task.logarithmic)
                return Logarithm(model) if task.logarithmic else model
            case LinearSpec():
                lags = spec.lags or max(2 * task.seasons[-1], task.horizon)
                return Linear(horizon=task.horizon, lags=lags, past=task.past)
            case EnsembleSpec():
                return Ensemble([build(member, task, seed) for member in spec.members])
            case SeasonalNaiveSpec():
                return SeasonalNaive(horizon=task.horizon, season=task.seasons[0], past=task.past)


def build_core(spec: CoreSpec) -> Core:
    """A stack of equal cells and plain layers. Raises DataError on a cell or an option that there is not."""
    layers: list[Core] = []
    inputs = spec.width
    for depth in range(spec.layers + spec.top):
        if depth < spec.layers:
            layer: Core = make(CELLS, "cell", spec.cell, inputs, spec.width, **spec.options)
        else:
            layer = Plain(inputs, spec.width)
        layers.append(AROUND[spec.skip](layer))
        inputs = layers[-1].features
    return Stack(layers)


def build_head(spec: HeadSpec) -> Head:
    """The head of a distribution family. Raises DataError on a family or an option that there is not."""
    return make(HEADS, "head", spec.family, **spec.options)
