"""From a specification to a model."""

from collections.abc import Callable

import torch

from forecaster.cells import GRU, LSTM, Elman
from forecaster.compose import Residual, Stack
from forecaster.core import Core
from forecaster.heads import Gaussian, Head, Quantile
from forecaster.model import Model
from forecaster.pointwise import Linear, SeasonalNaive
from forecaster.recurrent import Recurrent
from forecaster.spec import CoreSpec, HeadSpec, LinearSpec, ModelSpec, RecurrentSpec, SeasonalNaiveSpec, Task

CELLS: dict[str, Callable[[int, int], Core]] = {"elman": Elman, "gru": GRU, "lstm": LSTM}
HEADS: dict[str, Callable[[], Head]] = {"quantile": Quantile, "gaussian": Gaussian}


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
            case SeasonalNaiveSpec():
                return SeasonalNaive(horizon=task.horizon, season=task.seasons[0], past=task.past)


def build_core(spec: CoreSpec) -> Core:
    """A stack of equal cells."""
    cells: list[Core] = [CELLS[spec.cell](spec.width, spec.width) for _ in range(spec.layers)]
    return Stack([Residual(cell) for cell in cells] if spec.residual else cells)


def build_head(spec: HeadSpec) -> Head:
    """The head of a distribution family."""
    return HEADS[spec.family]()
