"""The contract of `Model`, over every model."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor
from torch.testing import assert_close

from forecaster.batch import Batch, Forecast
from forecaster.build import build
from forecaster.cores.scale import MOST
from forecaster.head import Anchor
from forecaster.model import Carry, Model, seasonal
from forecaster.models.recurrent import Recurrent
from forecaster.quantiles import LEVELS, interpolate
from forecaster.spec import CoreSpec, EnsembleSpec, LinearSpec, RecurrentSpec, StateSpaceSpec, Task
from forecaster.state import detach
from tests import laws
from tests.examples import MODELS, RECURRENT, batch, lone, seeds

every_model = pytest.mark.parametrize("name", MODELS)
every_scaling = pytest.mark.parametrize("name", [name for name in MODELS if MODELS[name].model().support.scales])
every_recurrent = pytest.mark.parametrize("name", RECURRENT)
Score = Callable[[Forecast, Batch, Carry], Tensor]
ITSELF = [name for name, one in MODELS.items() if not isinstance(one.spec, EnsembleSpec) and not one.task.positive]
"""Models whose loss is a score of their own forecasts, not of those of members or of logarithms."""
some = settings(max_examples=5)
"""A few examples of each model are many examples of the law."""

ODD_SERIES = {
    "one point": [5.0],
    "one point after a gap": [math.nan] * 9 + [5.0],
    "all unknown": [math.nan] * 10,
    "constant": [7.0] * 40,
    "zero": [0.0] * 40,
    "zeros, then not": [0.0] * 30 + [1.0, 2.0],
    "constant, then not": [5.0] * 200 + [6.0, 4.0],
    "gaps": [1.0, math.nan, math.nan, 4.0, math.nan, 2.0, 1.0, math.nan] * 4,
    "trailing gap": [1.0, 2.0, 3.0, 2.0] * 4 + [math.nan] * 15,
    "offset": [1e9 + (n % 4) for n in range(40)],
    "tiny": [1e-300 * (1 + n % 3) for n in range(40)],
    "huge": [1e300 * (1 + n % 3) for n in range(40)],
    "huge, both signs": [1e300 * (-1) ** n for n in range(40)],
    "from tiny to huge": [10.0 ** (14 * n - 280) for n in range(41)],
    "from huge to tiny": [10.0 ** (280 - 14 * n) for n in range(41)],
    "one movement, then none": [5.0, 1.0] + [0.0] * 2700 + [5.0],
}


@every_model
@some
@given(seed=seeds, data=st.data())
def test_chunks_with_the_carry_equal_the_whole(name: str, seed: int, data: st.DataObject) -> None:
    example = MODELS[name]
    model, segments = example.model(seed), data.draw(st.integers(2, 6))
    before, at = 8 * model.stride, data.draw(st.integers(1, segments - 1)) * model.stride
    series = batch(example.task, 2, before + segments * model.stride, seed)
    carry = detach(model.observe(model.start(2, model.stride), laws.chunk(series, 0, before)))
    laws.model_chunks(model, carry, laws.chunk(series, before, series.target.shape[1]), at)


def pinball_score(forecast: Forecast, segment: Batch, carry: Carry) -> Tensor:
    """In the unit of the series, though an error of one scale counts as `MOST` units at most."""
    error, levels = segment.future.unsqueeze(-1) - forecast.quantiles, torch.tensor(LEVELS)
    unit = torch.maximum(segment.unit.unsqueeze(1), carry["last.scale"] / MOST)
    return 2 * (torch.maximum(levels * error, (levels - 1) * error) / unit.unsqueeze(2)).mean((1, 2))


def deviation(forecast: Forecast) -> Tensor:
    """Of a normal distribution with these quantiles."""
    return (forecast.quantiles[..., -1] - forecast.quantiles[..., 0]) / float(2 * stats.norm.ppf(LEVELS[-1]))


def gaussian_score(forecast: Forecast, segment: Batch, carry: Carry) -> Tensor:
    likelihood = stats.norm(forecast.mean.numpy(), deviation(forecast).numpy()).logpdf(segment.future.numpy())
    return (-torch.from_numpy(likelihood) - carry["last.scale"].log()).mean(1)


def spied(model: Model) -> Score:
    """The loss that the head itself gives the raw outputs it was last asked the mean of."""
    assert isinstance(model, Recurrent)
    asked: list[tuple[Tensor, Anchor]] = []
    head, mean = model.head, model.head.mean

    def spy(raw: Tensor, anchor: Anchor) -> Tensor:
        asked[:] = [(raw, anchor)]
        return mean(raw, anchor)

    head.mean = spy  # type: ignore[method-assign]

    def score(forecast: Forecast, segment: Batch, carry: Carry) -> Tensor:
        (raw, anchor) = asked[0]
        return head.loss(raw, segment.future.unsqueeze(1), anchor).double().mean((1, 2))

    return score


def ranked_score(forecast: Forecast, segment: Batch, carry: Carry) -> Tensor:
    """CRPS of the normal distribution (Gneiting and Raftery 2007, equation 5)."""
    z = ((segment.future - forecast.mean) / deviation(forecast)).numpy()
    ranked = z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / math.sqrt(math.pi)
    unit = torch.maximum(segment.unit, carry["last.change"] / MOST)
    return torch.mean(deviation(forecast) * torch.from_numpy(ranked) / unit[:, None], 1)


def absolute_score(forecast: Forecast, segment: Batch, carry: Carry) -> Tensor:
    return ((segment.future - forecast.mean).abs() / deviation(forecast)).mean(1)


SCORES = {"gaussian": gaussian_score, "quantile": pinball_score}
"""By formulas of the forecast alone."""


@pytest.mark.parametrize("name", ITSELF)
@some
@given(seed=seeds, segments=st.integers(1, 4))
def test_loss_scores_the_forecasts(name: str, seed: int, segments: int) -> None:
    example = MODELS[name]
    model = example.model(seed)
    score: Score = ranked_score if isinstance(example.spec, StateSpaceSpec) else absolute_score
    if isinstance(example.spec, RecurrentSpec):
        family = example.spec.head.family
        score = SCORES[family] if family in SCORES else spied(model)
    before = 8 * model.stride
    series = batch(example.task, 2, before + segments * model.stride, seed)
    with torch.no_grad():
        carry = model.observe(model.start(2, model.stride), laws.chunk(series, 0, before))
        laws.model_loss(model, carry, laws.chunk(series, before, series.target.shape[1]), score)


def test_without_a_unit_errors_count_in_that_of_the_smoothing() -> None:
    """As where a scale is one unit."""
    example = RECURRENT["gru"]
    model, series = example.model(), batch(example.task, 1, 40, 0)
    before, last = laws.chunk(series, 0, 36), laws.chunk(series, 36, 40)
    carry = model.observe(model.start(1, model.stride), before)
    scale = model.observe(carry, last)["last.scale"].squeeze(1)
    unknown, one = (replace(last, unit=unit) for unit in (torch.full_like(scale, torch.nan), scale))
    assert_close(model.loss(carry, unknown)[1], model.loss(carry, one)[1])
    assert model.loss(carry, unknown)[1] != model.loss(carry, replace(last, unit=2 * scale))[1]


@some
@given(seed=seeds, segments=st.integers(1, 8))
def test_where_the_horizon_is_long_the_first_of_several_origins_learns(seed: int, segments: int) -> None:
    """No observation is forecast from more than eight origins: of 24 steps ahead by ones, every third counts."""
    task = Task(horizon=24, stride=1, seasons=(6,), known=1)
    model = build(RecurrentSpec(core=CoreSpec(cell="elman", width=4, layers=1)), task, seed)
    series = batch(task, 2, 8 + segments, seed)
    with torch.no_grad():
        carry = model.observe(model.start(2, 1), laws.chunk(series, 0, 8))
        laws.model_loss(model, carry, laws.chunk(series, 8, 8 + segments), pinball_score, every=3)


@every_recurrent
@some
@given(seed=seeds, data=st.data())
def test_gradient_stays_within_a_chunk(name: str, seed: int, data: st.DataObject) -> None:
    example = RECURRENT[name]
    model, segments = example.model(seed), data.draw(st.integers(2, 4))
    series = batch(example.task, 2, segments * model.stride, seed)
    laws.model_truncation(model, series, data.draw(st.integers(1, segments - 1)) * model.stride)


@every_model
@some
@given(time=st.integers(1, 20), seed=seeds, gaps=st.sampled_from([0.0, 0.3]))
def test_streaming_equals_segments(name: str, time: int, seed: int, gaps: float) -> None:
    example = MODELS[name]
    with torch.no_grad():
        laws.model_streams(example.model(seed), batch(example.task, 2, time, seed, gaps))


@every_model
@some
@given(time=st.integers(1, 20), horizon=st.integers(1, 30), seed=seeds)
def test_any_horizon(name: str, time: int, horizon: int, seed: int) -> None:
    example = MODELS[name]
    model, series = example.model(seed), batch(example.task, 2, time, seed)
    with torch.no_grad():
        carry = model.observe(model.start(2), series)
        known = laws.future_known(series, 40)
        laws.model_forecast(model, carry, known, horizon)
        longer = horizon + 1 + seed % 10
        laws.model_prefix(model, carry, known, horizon, longer)


@every_model
@pytest.mark.parametrize("odd", ODD_SERIES)
def test_odd_series_have_finite_forecasts_and_gradients(name: str, odd: str) -> None:
    example = MODELS[name]
    model = example.model()
    series = lone(example.task, torch.tensor(ODD_SERIES[odd], dtype=torch.float64))
    strided = laws.pad(series, -series.target.shape[1] % model.stride)
    carry, loss = model.loss(model.start(1, model.stride), strided)
    assert loss.isfinite()
    if loss.requires_grad:
        assert all(gradient.isfinite().all() for gradient in laws.gradients(model, loss).values())
    with torch.no_grad():
        forecast = laws.model_forecast(model, carry, laws.future_known(series, 20), 2 * model.horizon + 1)
    known = series.target[~series.target.isnan()]
    blocks = 3 if example.task.positive or model.support.low > 0 else 1  # each multiplies what was before
    least = 1.0 if model.support.whole else 1e-290
    reach = max(100.0**blocks * known.abs().max().item() if len(known) else 0.0, least)
    assert (forecast.quantiles.abs() <= reach).all()


def test_a_stride_that_does_not_divide_the_segment_is_refused() -> None:
    with pytest.raises(ValueError, match="stride 4 cannot be read 3 observations at a time"):
        RECURRENT["gru"].model().start(1, 3)


@every_scaling
def test_constant_series_is_forecast_as_such(name: str) -> None:
    example = MODELS[name]
    model = example.model()
    series = lone(example.task, torch.full((200 * model.stride,), 7.0))
    with torch.no_grad():
        forecast = model.forecast(model.observe(model.start(1), series), 3, laws.future_known(series, 3))
    assert_close(forecast.quantiles, torch.full_like(forecast.quantiles, 7.0))


@every_scaling
@some
@given(exponent=st.sampled_from([-300, -60, -1, 1, 3, 60, 300]), time=st.integers(1, 20), seed=seeds)
def test_times_a_power_of_two(name: str, exponent: int, time: int, seed: int) -> None:
    example = MODELS[name]
    with torch.no_grad():
        laws.model_scales(example.model(seed), batch(example.task, 2, time, seed, gaps=0.2), exponent)


@every_model
@some
@given(lane=st.integers(0, 2), time=st.integers(1, 15), seed=seeds)
def test_lanes_do_not_see_each_other(name: str, lane: int, time: int, seed: int) -> None:
    example = MODELS[name]
    with torch.no_grad():
        laws.model_lanes(example.model(seed), batch(example.task, 3, time, seed, gaps=0.2), lane)


@every_model
@some
@given(segments=st.integers(1, 5), seed=seeds)
def test_the_future_is_not_seen(name: str, segments: int, seed: int) -> None:
    example = MODELS[name]
    model = example.model(seed)
    laws.model_blind(model, batch(example.task, 2, segments * model.stride, seed, gaps=0.2))


@every_model
@pytest.mark.parametrize("nothing", [math.nan, 0.0])
def test_what_is_unknown_or_never_moves_is_not_learned_from(name: str, nothing: float) -> None:
    """Such a lane leaves the loss as it is without it."""
    example = MODELS[name]
    model = example.model()
    whole = batch(example.task, 2, 4 * model.stride, 0)
    first = Batch(*(value[:1] for value in vars(whole).values()))
    target, future = whole.target.clone(), whole.future.clone()
    target[1], future[1] = nothing, nothing
    half = replace(whole, target=target, future=future)
    _, expected = model.loss(model.start(1, model.stride), first)
    _, loss = model.loss(model.start(2, model.stride), half)
    assert_close(loss, expected)
    empty = replace(whole, target=whole.target * 0 + nothing, future=whole.future * 0 + nothing)
    _, loss = model.loss(model.start(2, model.stride), empty)
    assert loss.item() == 0.0


SO_FAR: dict[type, tuple[str, ...]] = {StateSpaceSpec: ("known",), LinearSpec: ("past",)}
"""Covariates of the observed steps that a model reads, where it does not read all."""
BLIND = ("ensemble", "linear of before", "state space seasons")
"""Examples of which a member, or all, leave covariates unread that are there."""
with_covariates = pytest.mark.parametrize(
    "name", [name for name, one in MODELS.items() if one.task.known and name not in BLIND]
)


@with_covariates
def test_every_covariate_is_read(name: str) -> None:
    example = MODELS[name]
    kinds = SO_FAR.get(type(example.spec), ("known", "past"))
    model, series = example.model(), batch(example.task, 1, 8, 0)
    known = laws.future_known(series, model.horizon)

    def mean(series: Batch, known: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return model.forecast(model.observe(model.start(1), series), model.horizon, known).mean

    expected = mean(series, known)
    assert torch.equal(model.observe(model.start(1), series)["last.static"], series.static)
    for part in kinds:
        for column in range(getattr(series, part).shape[2]):
            changed = getattr(series, part).clone()
            changed[:, -1 - (part == "known") * model.horizon, column] += 1.0
            assert not torch.equal(mean(replace(series, **{part: changed}), known), expected), part
    for column in range(series.static.shape[1]):
        changed = series.static.clone()
        changed[:, column] = (changed[:, column] + 1) % (example.task.static[column] + 1)
        assert not torch.equal(mean(replace(series, static=changed), known), expected)


@with_covariates
def test_covariates_known_ahead_move_their_own_step_and_none_before(name: str) -> None:
    example = MODELS[name]
    model, series = example.model(), batch(example.task, 1, 8, 0)
    unrolled = isinstance(example.spec, RecurrentSpec) and example.spec.decoder is not None
    horizon = 2 * model.horizon + 1
    known = laws.future_known(series, horizon)
    with torch.no_grad():
        carry = model.observe(model.start(1), series)
        expected = model.forecast(carry, horizon, known).mean[0]
        for step in range(horizon):
            ahead = known.clone()
            ahead[:, step] += 1.0
            moved = model.forecast(carry, horizon, ahead).mean[0] != expected
            assert moved[step]
            assert not moved[:step].any()
            segment_ends = step - step % model.stride + model.stride
            later = moved[segment_ends : model.horizon]
            assert later.all() if unrolled else not later.any()
            assert not moved[step + 1 : min(segment_ends, model.horizon)].any()


def test_unknown_past_differs_from_zero() -> None:
    example = RECURRENT["gru covariates"]
    model, series = example.model(), batch(example.task, 1, 8, 0)
    carries = [
        model.observe(model.start(1), replace(series, past=torch.full_like(series.past, value)))
        for value in (0.0, math.nan)
    ]
    assert not torch.equal(*(carry["last.features"] for carry in carries))


def test_rolled_forecast_is_wider_than_its_paths() -> None:
    """The uncertainty of what has been forecast already is part of what follows."""
    example = RECURRENT["gru"]
    model, series = example.model(), batch(example.task, 1, 40, 0)
    with torch.no_grad():
        carry = model.observe(model.start(1), series)
        rolled = model.forecast(carry, 2 * model.horizon)
        median = LEVELS.index(0.5)
        on_the_median = Batch(
            target=rolled.quantiles[:, : model.horizon, median],
            known=series.known[:, : model.horizon],
            past=series.past[:, : model.horizon],
            static=series.static,
            reset=torch.tensor([False]),
            future=series.future[:, :0],
            unit=series.unit,
        )
        single = model.forecast(model.observe(carry, on_the_median), model.horizon)
    width = rolled.quantiles[..., -2] - rolled.quantiles[..., 1]
    assert (width[:, model.horizon :] > single.quantiles[..., -2] - single.quantiles[..., 1]).all()
    middle = interpolate(rolled.quantiles, LEVELS, (0.4, 0.6))[:, model.horizon :]
    assert (middle[..., 0] < rolled.mean[:, model.horizon :]).all()
    assert (rolled.mean[:, model.horizon :] < middle[..., 1]).all()


def test_seasonal() -> None:
    """The value the least whole number of seasons back."""
    history = torch.arange(10.0, dtype=torch.float64)[None]
    assert seasonal(history, 3, 5, first=4, stride=2).tolist() == [
        [[1, 2, 3, 1, 2], [3, 4, 5, 3, 4], [5, 6, 7, 5, 6], [7, 8, 9, 7, 8]]
    ]


@every_recurrent
def test_loss_in_reduced_precision(name: str) -> None:
    """Under autocast the loss stays near that in float32, and so does the carry, chunk after chunk."""
    example = RECURRENT[name]
    model, series = example.model(), batch(example.task, 2, 4 * example.task.stride, 0)
    halves = [laws.chunk(series, half * model.stride, (half + 2) * model.stride) for half in (0, 2)]

    def chunk_after_chunk() -> tuple[Carry, Tensor]:
        carry, first = model.loss(model.start(2, model.stride), halves[0])
        carry, second = model.loss(carry, halves[1])
        return carry, first + second

    carry, loss = chunk_after_chunk()
    with torch.autocast("cpu", torch.bfloat16):
        reduced, near = chunk_after_chunk()
    assert_close(near / 2, loss / 2, rtol=0.03, atol=0.03)
    assert {key: value.shape for key, value in reduced.items()} == {key: value.shape for key, value in carry.items()}
    for scale in ("last.level", "last.scale", "last.target"):
        assert_close(reduced[scale], carry[scale], rtol=0, atol=0, equal_nan=True)
    assert all(gradient.isfinite().all() for gradient in laws.gradients(model, near).values())
