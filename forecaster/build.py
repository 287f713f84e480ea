"""From a specification to a model."""

import sys
from collections.abc import Callable

import torch

from forecaster.catalogue import make
from forecaster.cells import CELLS
from forecaster.core import Core
from forecaster.cores.compose import Dense, Residual, Stack
from forecaster.cores.decoder import Decoder, Direct, Unrolled
from forecaster.cores.encoder import Bidirectional
from forecaster.cores.kalman import Kalman
from forecaster.cores.plain import Plain
from forecaster.cores.window import Encoded, Window
from forecaster.errors import DataError
from forecaster.head import Head
from forecaster.heads import HEADS
from forecaster.model import Model
from forecaster.models.ensemble import Ensemble
from forecaster.models.filler import Filler
from forecaster.models.labels.counts import LabelCounts
from forecaster.models.labels.recurrent import LabelRecurrent
from forecaster.models.linear import NONE, Covariates, Linear
from forecaster.models.logarithm import Logarithm
from forecaster.models.pointwise import SeasonalNaive
from forecaster.models.recurrent import Recurrent
from forecaster.models.structural import Structural
from forecaster.models.theta import Theta
from forecaster.models.whole import Blind, Reader, Recurring, WholeLabel, WholeNumber
from forecaster.spec import (
    CoreSpec,
    EnsembleSpec,
    HeadSpec,
    LabelCountsSpec,
    LabelRecurrentSpec,
    LinearSpec,
    ModelSpec,
    RecurrentSpec,
    SeasonalNaiveSpec,
    StateSpaceSpec,
    Task,
    ThetaSpec,
    WholeSpec,
)
from forecaster.support import REAL

LAGS = 2048
"""Columns of lags that least squares solve in seconds."""
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
                return build_recurrent(spec, task)
            case LinearSpec():
                lags, changes = spec.lags or _lags(spec, task), _changes(task) if spec.changes else ()
                return Linear(horizon=task.horizon, lags=lags, past=task.past, reads=_read(spec, task), changes=changes)
            case EnsembleSpec():
                return Ensemble([build(member, task, seed) for member in spec.members], median=spec.median)
            case SeasonalNaiveSpec():
                return SeasonalNaive(horizon=task.horizon, season=spec.season or task.seasons[0], past=task.past)
            case ThetaSpec():
                return Theta(horizon=task.horizon, season=task.seasons[0], memory=spec.memory, past=task.past)
            case StateSpaceSpec():
                reads = _read(spec, task)
                core = Kalman(task.horizon, task.seasons, spec.harmonics, reads.known)
                structural = Structural(core, past=task.past, static=reads.static, relative=not task.positive)
                return Logarithm(structural) if task.positive else structural
            case LabelRecurrentSpec():
                return LabelRecurrent(
                    build_core(spec.core), **task.model_dump(exclude={"horizon", "stride", "positive"})
                )
            case LabelCountsSpec():
                return LabelCounts(labels=task.labels, order=spec.order, end=task.end, past=task.past)
            case WholeSpec():
                return build_whole(spec, task)


def _lags(spec: LinearSpec, task: Task) -> int:
    """So many of the longest season of which two fit, no more than two where more would be too many columns, and a
    horizon at least, as far as it fits."""
    columns = 1 + _read(spec, task).past
    widest = max(1, spec.widest // columns) if spec.widest is not None else sys.maxsize
    season = max((season for season in task.seasons if 2 * season <= widest), default=task.seasons[0])
    most = LAGS // (season * columns)
    return min(widest, max(task.horizon, season * min(spec.seasons, max(2, most))))


def _changes(task: Task) -> tuple[tuple[int, int], ...]:
    """From step to step and from season to season, in all phases and in each."""
    return tuple(sorted({(1, 1)} | {(season, period) for season in task.seasons for period in (1, season)}))


def _read(spec: LinearSpec | StateSpaceSpec, task: Task) -> Covariates:
    """The covariates of a task that a model reads."""
    return Covariates(task.known, task.past, task.static) if spec.covariates else NONE


def build_recurrent(spec: RecurrentSpec, task: Task) -> Model:
    """A streaming model; what reads in both directions reads the window that is kept for it.

    A head that is only for some numbers sees them as they are, and not their logarithms.
    """
    head = build_head(spec.head)
    logarithm = spec.logarithm and task.positive and head.support == REAL
    core: Core
    decoder: Decoder
    if spec.context is not None:
        encoder = build_encoder(spec.core)
        core = Window(encoder.inputs, spec.context)
        decoder = Encoded(encoder, build_decoder(spec.decoder, encoder.features, head, task))
    else:
        core = build_core(spec.core)
        decoder = build_decoder(spec.decoder, core.features, head, task)
    shape = task.model_dump(exclude={"positive", "labels", "end"})
    model = Recurrent(core, decoder, head, **shape, relative=not logarithm)
    return Logarithm(model) if logarithm else model


def build_whole(spec: WholeSpec, task: Task) -> Model:
    """A model of one label or one number for a series."""
    reader: Reader = Blind(len(task.static))
    if spec.core is not None:
        reader = Recurring(build_core(spec.core), known=task.known, past=task.past, static=task.static)
    if task.labels:
        return WholeLabel(reader, labels=task.labels, past=task.past)
    return WholeNumber(reader, past=task.past)


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


def build_filler(spec: ModelSpec, guesses: int, known: int, seed: int = 0) -> Filler:
    """A new network that fills gaps, of the encoder and the head of a model. Raises DataError where it has none."""
    if not (isinstance(spec, RecurrentSpec) and spec.context is not None):
        raise DataError("gaps are filled by a model that reads in both directions", remedy="choose such a recipe")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Filler(build_encoder(spec.core), build_head(spec.head), guesses=guesses, known=known)


def build_encoder(spec: CoreSpec) -> Bidirectional:
    """A stack of equal cells for each direction."""
    return Bidirectional(build_core(spec), build_core(spec))


def build_decoder(spec: CoreSpec | None, features: int, head: Head, task: Task) -> Decoder:
    """From `features` to the raw outputs of a head: unrolled where a core is given for it."""
    if spec is None:
        return Direct(features, horizon=task.horizon, width=head.width)
    return Unrolled(
        features,
        build_core(spec),
        horizon=task.horizon,
        width=head.width,
        stride=task.stride,
        seasons=len(task.seasons),
        known=task.known,
    )


def build_head(spec: HeadSpec) -> Head:
    """The head of a distribution family. Raises DataError on a family or an option that there is not."""
    return make(HEADS, "head", spec.family, **spec.options)
