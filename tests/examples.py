"""Small cores, heads, models and batches that the laws are held over."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from hypothesis import strategies as st
from torch import Tensor

from forecaster.batch import Batch
from forecaster.build import build
from forecaster.cells import CELLS
from forecaster.cells.ar import Autoregressive
from forecaster.cells.fused import GRU, LSTM, Elman
from forecaster.cells.peephole import PeepholeLSTM
from forecaster.core import Core
from forecaster.cores.compose import Dense, Dilated, Residual, Stack
from forecaster.cores.encoder import Bidirectional, Encoder
from forecaster.cores.kalman import Kalman
from forecaster.cores.plain import Plain
from forecaster.cores.scale import Smoothing
from forecaster.cores.window import Window
from forecaster.head import Head
from forecaster.heads.bernoulli import Bernoulli
from forecaster.heads.binned import Binned
from forecaster.heads.gaussian import Gaussian
from forecaster.heads.log_normal import LogNormal
from forecaster.heads.negative_binomial import NegativeBinomial, ZeroInflatedNegativeBinomial
from forecaster.heads.quantile import Quantile
from forecaster.heads.student_t import StudentT
from forecaster.model import Model, Numeric
from forecaster.models.labels import LabelModel
from forecaster.spec import (
    CoreSpec,
    EnsembleSpec,
    LabelCountsSpec,
    LabelRecurrentSpec,
    LabelSpec,
    LinearSpec,
    ModelSpec,
    RecurrentSpec,
    SeasonalNaiveSpec,
    StateSpaceSpec,
    Task,
    ThetaSpec,
    WholeSpec,
)
from forecaster.state import detach

CORES: dict[str, Callable[[], Core]] = {name: partial(cell, 2, 3) for name, cell in CELLS.items()} | {
    "markov": lambda: Autoregressive(2, 3, order=1),
    "ar network": lambda: Autoregressive(2, 3, order=5, hidden=4),
    "stack": lambda: Stack([Elman(2, 3), LSTM(3, 4), GRU(4, 2)]),
    "residual": lambda: Residual(LSTM(3, 3)),
    "dense": lambda: Stack([Dense(GRU(2, 3)), Dense(Elman(5, 2))]),
    "plain on top": lambda: Stack([LSTM(2, 3), Plain(3, 4)]),
    "dilated ar": lambda: Dilated(Autoregressive(2, 3), 3),
    "dilated markov": lambda: Dilated(Autoregressive(2, 3, order=1), 3),
    "dilated peephole": lambda: Dilated(Residual(PeepholeLSTM(3, 3)), 2),
    "dilated-1": lambda: Dilated(GRU(2, 3), 1),
    "dilated-3": lambda: Dilated(LSTM(2, 3), 3),
    "dilated-5": lambda: Dilated(Elman(2, 3), 5),
    "smoothing-1": lambda: Smoothing(1),
    "smoothing-4": lambda: Smoothing(4),
    "kalman": lambda: Kalman(2, (1,), 1),
    "kalman seasons": lambda: Kalman(3, (4, 7), 2),
    "kalman covariates": lambda: Kalman(2, (3,), 1, known=2),
    "dilated smoothing": lambda: Dilated(Smoothing(2), 3),
    "dilated in dilated": lambda: Dilated(Dilated(GRU(2, 2), 2), 3),
    "stack of residual dilations": lambda: Stack([Residual(Dilated(LSTM(2, 2), d)) for d in (1, 2, 4)]),
    "window of four": lambda: Window(2, 4),
    "dilated window": lambda: Dilated(Window(2, 2), 3),
    "dilated residual stack": lambda: Dilated(Stack([Residual(GRU(2, 2)), Residual(Elman(2, 2))]), 2),
}
FORGETFUL = {"markov", "dilated markov"}
"""Cores that by their equation have no memory."""


def core(name: str, seed: int = 0) -> Core:
    """A core in float64."""
    torch.manual_seed(seed)
    return CORES[name]().double()


def core_case(name: str, batch: int, time: int, seed: int) -> tuple[Core, dict[str, Tensor], Tensor]:
    """A core, a state that it has come to, and inputs; with gaps where the core reads raw observations."""
    made, before = core(name, seed), 5
    random = torch.Generator().manual_seed(seed)
    xs = torch.randn(batch, before + time, made.inputs, generator=random, dtype=torch.float64)
    if "smoothing" in name or "kalman" in name:
        xs[torch.rand(xs.shape, generator=random) < 0.3] = torch.nan
    state, _ = made.scan(made.initial(batch), xs[:, :before])
    return made, detach(state), xs[:, before:].contiguous()


ENCODERS: dict[str, Callable[[], Encoder]] = {
    "elman both ways": lambda: Bidirectional(Elman(2, 3), Elman(2, 3)),
    "gru and lstm": lambda: Bidirectional(GRU(2, 3), LSTM(2, 4)),
    "stacks both ways": lambda: Bidirectional(Stack([GRU(2, 2), LSTM(2, 3)]), Stack([LSTM(2, 2), GRU(2, 3)])),
}


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


def moved(spec: ModelSpec, task: Task, seed: int) -> Model:
    """A model whose parameters are all away from where training starts."""
    made, random = build(spec, task), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=random))
    return made


@dataclass(frozen=True)
class Example:
    """A model of numbers."""

    spec: ModelSpec
    task: Task

    def model(self, seed: int = 0) -> Numeric:
        made = moved(self.spec, self.task, seed)
        assert isinstance(made, Numeric)
        return made


@dataclass(frozen=True)
class LabelExample:
    """A model of labels."""

    spec: LabelSpec
    task: Task

    def model(self, seed: int = 0) -> LabelModel:
        made = moved(self.spec, self.task, seed)
        assert isinstance(made, LabelModel)
        return made


def _recurrent(cell: str, task: Task, family: str = "quantile", layers: int = 1) -> Example:
    spec = {"core": {"cell": cell, "width": 6, "layers": layers}, "head": {"family": family}}
    return Example(RecurrentSpec.model_validate(spec), task)


def _unrolled(cell: str, task: Task, context: int | None = None) -> Example:
    decoder = CoreSpec(cell=cell, width=4)
    return Example(RecurrentSpec(core=CoreSpec(width=5), decoder=decoder, context=context), task)


def _covariates(task: Task) -> Task:
    return task.model_copy(update={"known": 2, "past": 1, "static": (3, 2)})


RECURRENT: dict[str, Example] = {name: _recurrent(name, Task(horizon=3, stride=2, seasons=(4,))) for name in CELLS} | {
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
    "seq2seq": _unrolled("lstm", Task(horizon=6, stride=3, seasons=(3, 12))),
    "seq2seq covariates": _unrolled("gru", _covariates(Task(horizon=7, stride=3, seasons=(4,)))),
    "bidirectional": Example(
        RecurrentSpec(core=CoreSpec(width=5, layers=1), context=3),
        Task(horizon=6, stride=3, seasons=(3, 12)),
    ),
    "bidirectional covariates": _unrolled("gru", _covariates(Task(horizon=5, stride=2, seasons=(4,))), context=4),
    "gru covariates": _recurrent("gru", _covariates(Task(horizon=8, stride=4, seasons=(3, 12)))),
    "gru logarithm": _recurrent("gru", Task(horizon=4, stride=2, seasons=(4,), positive=True)),
    "lstm logarithm": _recurrent("lstm", _covariates(Task(horizon=6, stride=3, seasons=(3,), positive=True)), layers=2),
}

MODELS: dict[str, Example] = RECURRENT | {
    "seasonal naive": Example(SeasonalNaiveSpec(), Task(horizon=5, seasons=(3,))),
    "naive": Example(SeasonalNaiveSpec(season=1), Task(horizon=3, seasons=(4,))),
    "theta": Example(ThetaSpec(memory=9), Task(horizon=3)),
    "theta season": Example(ThetaSpec(memory=16), Task(horizon=5, seasons=(4,), past=1)),
    "ensemble of counts": Example(
        EnsembleSpec(members=(RECURRENT["gru zero_inflated"].spec, RECURRENT["elman"].spec, SeasonalNaiveSpec())),
        Task(horizon=3, stride=3),
    ),
    "ensemble": Example(
        EnsembleSpec(members=(SeasonalNaiveSpec(), RECURRENT["lstm"].spec, RECURRENT["elman"].spec), median=True),
        _covariates(Task(horizon=6, stride=3, seasons=(3,))),
    ),
    "ensemble of before": Example(
        EnsembleSpec(members=(SeasonalNaiveSpec(), RECURRENT["lstm"].spec, LinearSpec(lags=4), StateSpaceSpec())),
        Task(horizon=3, stride=3, seasons=(3,)),
    ),
    "linear": Example(LinearSpec(lags=7), Task(horizon=4, seasons=(2,), past=1)),
    "linear changes": Example(LinearSpec(lags=7, changes=True), Task(horizon=4, seasons=(2, 9), past=1)),
    "linear covariates": Example(LinearSpec(lags=5, covariates=True), _covariates(Task(horizon=3, seasons=(2,)))),
    "linear of before": Example(LinearSpec(lags=3), _covariates(Task(horizon=2))),
    "state space": Example(StateSpaceSpec(), Task(horizon=3)),
    "state space seasons": Example(
        StateSpaceSpec(harmonics=2), _covariates(Task(horizon=4, stride=2, seasons=(4, 12)))
    ),
    "state space covariates": Example(
        StateSpaceSpec(harmonics=1, covariates=True), _covariates(Task(horizon=3, seasons=(4,)))
    ),
    "state space of logarithms": Example(
        StateSpaceSpec(covariates=True), _covariates(Task(horizon=2, seasons=(3,), positive=True))
    ),
}


def _labels(cell: str, task: Task) -> LabelExample:
    return LabelExample(LabelRecurrentSpec.model_validate({"core": {"cell": cell, "width": 6, "layers": 1}}), task)


LABELS: dict[str, LabelExample] = {
    "elman": _labels("elman", Task(horizon=3, labels=2)),
    "gru": _labels("gru", _covariates(Task(horizon=2, labels=3, seasons=(2, 5)))),
    "lstm with an end": _labels("lstm", Task(horizon=4, labels=5, end=4, seasons=(3,))),
    "frequencies": LabelExample(LabelCountsSpec(order=0), Task(horizon=3, labels=3)),
    "chain": LabelExample(LabelCountsSpec(order=1), Task(horizon=3, labels=4, end=0, past=1)),
}


def _whole(cell: str, task: Task) -> tuple[WholeSpec, Task]:
    return WholeSpec(core=CoreSpec(cell=cell, width=6, layers=1)), task


WHOLE: dict[str, tuple[WholeSpec, Task]] = {
    "number blind": (WholeSpec(), Task(horizon=1, static=(3,))),
    "number gru": _whole("gru", Task(horizon=1)),
    "number lstm covariates": _whole("lstm", _covariates(Task(horizon=1))),
    "label blind": (WholeSpec(), Task(horizon=1, labels=3)),
    "label elman": _whole("elman", Task(horizon=1, labels=2)),
    "label gru covariates": _whole("gru", _covariates(Task(horizon=1, labels=4))),
}


def whole_batch(task: Task, lanes: int, time: int, seed: int, gaps: float = 0.0) -> Batch:
    """Series of numbers with an answer each, a label or a number."""
    made, random = batch(task, lanes, time, seed, gaps), torch.Generator().manual_seed(seed)
    numbers = torch.randn(lanes, 1, generator=random, dtype=torch.float64)
    codes = torch.randint(max(task.labels, 1), (lanes, 1), generator=random).double()
    return replace(made, future=codes if task.labels else numbers)


def label_batch(task: Task, lanes: int, time: int, seed: int, gaps: float = 0.0) -> Batch:
    """Series of labels that do not end, and their covariates, standing at their beginning."""
    random = torch.Generator().manual_seed(seed)
    made, going = batch(task, lanes, time, seed), [code for code in range(task.labels) if code != task.end]
    codes = torch.tensor(going).double()[torch.randint(len(going), (lanes, time + task.horizon), generator=random)]
    codes[torch.rand(codes.shape, generator=random) < gaps] = torch.nan
    return replace(made, target=codes[:, :time], future=codes[:, time:])


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
        unit=2 * torch.rand(lanes, generator=random, dtype=torch.float64) + 0.01,
    )


def lone(task: Task, target: Tensor) -> Batch:
    """One given series without anything known of its future."""
    made = batch(task, 1, len(target), 0)
    return Batch(
        target[None].double(), made.known, made.past, made.static, made.reset, made.future * torch.nan, made.unit
    )


seeds = st.integers(0, 2**16)
