"""Small cores, heads, models and batches that the laws are held over."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import Tensor

from forecaster.batch import Batch
from forecaster.build import build
from forecaster.cells.fused import GRU, LSTM, Elman
from forecaster.compose import Dilated, Residual, Stack
from forecaster.core import Core
from forecaster.head import Head
from forecaster.heads.bernoulli import Bernoulli
from forecaster.heads.binned import Binned
from forecaster.heads.gaussian import Gaussian
from forecaster.heads.log_normal import LogNormal
from forecaster.heads.negative_binomial import NegativeBinomial, ZeroInflatedNegativeBinomial
from forecaster.heads.quantile import Quantile
from forecaster.heads.student_t import StudentT
from forecaster.model import Model
from forecaster.scale import Smoothing
from forecaster.spec import EnsembleSpec, LinearSpec, ModelSpec, RecurrentSpec, SeasonalNaiveSpec, Task

CORES: dict[str, Callable[[], Core]] = {
    "elman": lambda: Elman(2, 3),
    "gru": lambda: GRU(2, 3),
    "lstm": lambda: LSTM(2, 3),
    "stack": lambda: Stack([Elman(2, 3), LSTM(3, 4), GRU(4, 2)]),
    "residual": lambda: Residual(LSTM(3, 3)),
    "dilated-1": lambda: Dilated(GRU(2, 3), 1),
    "dilated-3": lambda: Dilated(LSTM(2, 3), 3),
    "dilated-5": lambda: Dilated(Elman(2, 3), 5),
    "smoothing-1": lambda: Smoothing(1),
    "smoothing-4": lambda: Smoothing(4),
    "dilated smoothing": lambda: Dilated(Smoothing(2), 3),
    "dilated in dilated": lambda: Dilated(Dilated(GRU(2, 2), 2), 3),
    "stack of residual dilations": lambda: Stack([Residual(Dilated(LSTM(2, 2), d)) for d in (1, 2, 4)]),
    "dilated residual stack": lambda: Dilated(Stack([Residual(GRU(2, 2)), Residual(Elman(2, 2))]), 2),
}


def core(name: str, seed: int = 0) -> Core:
    """A core in float64."""
    torch.manual_seed(seed)
    return CORES[name]().double()


def core_case(name: str, batch: int, time: int, seed: int) -> tuple[Core, dict[str, Tensor], Tensor]:
    """A core, some state it might be in, and inputs; with gaps where the core reads raw observations."""
    made = core(name, seed)
    random = torch.Generator().manual_seed(seed)
    state = {
        part: torch.rand(value.shape, generator=random, dtype=value.dtype)
        for part, value in made.initial(batch).items()
    }
    xs = torch.randn(batch, time, made.inputs, generator=random, dtype=torch.float64)
    if "smoothing" in name:
        xs[torch.rand(xs.shape, generator=random) < 0.3] = torch.nan
    return made, state, xs


HEADS: dict[str, Callable[[], Head]] = {
    "quantile": Quantile,
    "three quantiles": lambda: Quantile((0.1, 0.5, 0.9)),
    "four quantiles": lambda: Quantile((0.2, 0.4, 0.6, 0.8)),
    "gaussian": Gaussian,
    "student_t": StudentT,
    "log_normal": LogNormal,
    "negative_binomial": NegativeBinomial,
    "zero_inflated_negative_binomial": ZeroInflatedNegativeBinomial,
    "bernoulli": Bernoulli,
    "binned": Binned,
    "nine bins": lambda: Binned(9),
}


@dataclass(frozen=True)
class Example:
    """A model whose parameters are all away from where training starts."""

    spec: ModelSpec
    task: Task

    def model(self, seed: int = 0) -> Model:
        made, random = build(self.spec, self.task), torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in made.parameters():
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=random))
        return made


def _recurrent(cell: str, task: Task, family: str = "quantile", layers: int = 1) -> Example:
    spec = {"core": {"cell": cell, "width": 6, "layers": layers}, "head": {"family": family}}
    return Example(RecurrentSpec.model_validate(spec), task)


def _covariates(task: Task) -> Task:
    return task.model_copy(update={"known": 2, "past": 1, "static": (3, 2)})


RECURRENT: dict[str, Example] = {
    "elman": _recurrent("elman", Task(horizon=3)),
    "gru": _recurrent("gru", Task(horizon=4, stride=4, seasons=(4,))),
    "lstm": _recurrent("lstm", Task(horizon=6, stride=3, seasons=(3, 12)), layers=2),
    "uneven": _recurrent("lstm", _covariates(Task(horizon=6, stride=4, seasons=(4,)))),
    "elman gaussian": _recurrent("elman", Task(horizon=2, stride=2), "gaussian"),
    "gru gaussian covariates": _recurrent("gru", _covariates(Task(horizon=5, seasons=(4,))), "gaussian"),
    "lstm gaussian": _recurrent("lstm", Task(horizon=8, stride=4, seasons=(3, 12)), "gaussian"),
    "gru student_t": _recurrent("gru", Task(horizon=3, stride=2, seasons=(4,)), "student_t"),
    "gru log_normal": _recurrent("gru", Task(horizon=3, stride=2, seasons=(4,)), "log_normal"),
    "gru negative_binomial": _recurrent("gru", _covariates(Task(horizon=3, stride=2)), "negative_binomial"),
    "gru zero_inflated": _recurrent("gru", Task(horizon=3, stride=3), "zero_inflated_negative_binomial"),
    "lstm bernoulli": _recurrent("lstm", Task(horizon=3, seasons=(4,)), "bernoulli"),
    "gru binned": _recurrent("gru", Task(horizon=3, stride=2, seasons=(4,)), "binned"),
    "gru covariates": _recurrent("gru", _covariates(Task(horizon=8, stride=4, seasons=(3, 12)))),
}

MODELS: dict[str, Example] = RECURRENT | {
    "seasonal naive": Example(SeasonalNaiveSpec(), Task(horizon=5, seasons=(3,))),
    "naive": Example(SeasonalNaiveSpec(), Task(horizon=3)),
    "ensemble of counts": Example(
        EnsembleSpec(members=(RECURRENT["gru zero_inflated"].spec, RECURRENT["elman"].spec, SeasonalNaiveSpec())),
        Task(horizon=3, stride=3),
    ),
    "ensemble": Example(
        EnsembleSpec(members=(RECURRENT["lstm"].spec, RECURRENT["elman"].spec, SeasonalNaiveSpec())),
        _covariates(Task(horizon=6, stride=3, seasons=(3,))),
    ),
    "linear": Example(LinearSpec(lags=7), Task(horizon=4, seasons=(2,), past=1)),
}


def batch(task: Task, lanes: int, time: int, seed: int, gaps: float = 0.0) -> Batch:
    """Series with a level, a trend and noise, and their covariates, standing at their beginning."""
    random = torch.Generator().manual_seed(seed)
    reach = time + task.horizon
    noise = torch.randn(lanes, reach, generator=random, dtype=torch.float64)
    target = 10.0 + 0.1 * torch.arange(reach) + noise
    target[torch.rand(target.shape, generator=random) < gaps] = torch.nan
    codes = [torch.randint(0, size + 1, (lanes,), generator=random) for size in task.static]
    return Batch(
        target=target[:, :time],
        known=torch.randn(lanes, reach, task.known, generator=random),
        past=torch.randn(lanes, time, task.past, generator=random),
        static=torch.stack(codes, 1) if codes else torch.zeros(lanes, 0, dtype=torch.int64),
        reset=torch.ones(lanes, dtype=torch.bool),
        future=target[:, time:],
    )


def lone(task: Task, target: Tensor) -> Batch:
    """One given series without anything known of its future."""
    made = batch(task, 1, len(target), 0)
    return Batch(target[None].double(), made.known, made.past, made.static, made.reset, made.future * torch.nan)


seeds = st.integers(0, 2**16)
