"""The contracts of every Core, Encoder, Head and Model, as functions that fail where one is broken."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.testing import assert_close

from forecaster.batch import Batch, Chances, Forecast
from forecaster.core import Core
from forecaster.cores.encoder import Encoder
from forecaster.head import Anchor, Head
from forecaster.model import Carry, Model, Numeric
from forecaster.quantiles import LEVELS, interpolate
from forecaster.state import State, detach, repeat, take, transform, where

Read = Callable[[State, Tensor], tuple[State, Tensor]]

# ---------------------------------------------------------------------------------------------------------------- Core


def core_initial(core: Core, batch: int) -> None:
    """The initial state is batch first and keeps its names, shapes and types from step to step."""
    state = core.initial(batch)
    like = inputs_like(core, batch, 1)
    for after in (core.step(state, like[:, 0])[0], core.scan(state, like)[0]):
        assert {k: (v.shape, v.dtype) for k, v in after.items()} == {k: (v.shape, v.dtype) for k, v in state.items()}
    assert all(len(value) == batch for value in state.values())
    assert_close(take(core.initial(batch + 1), torch.arange(batch)), state, rtol=0, atol=0)


def core_split(core: Core, state: State, xs: Tensor, at: int) -> None:
    """One scan equals two with the state handed over."""

    def split(state: State, xs: Tensor) -> tuple[State, Tensor]:
        state, first = core.scan(state, xs[:, :at])
        state, second = core.scan(state, xs[:, at:])
        return state, torch.cat([first, second], 1)

    same(core, core.scan, split, state, xs)


def core_step(core: Core, state: State, xs: Tensor) -> None:
    """A scan equals its steps."""

    def steps(state: State, xs: Tensor) -> tuple[State, Tensor]:
        features = []
        for x in xs.unbind(1):
            state, each = core.step(state, x)
            features.append(each)
        return state, torch.stack(features, 1)

    same(core, core.scan, steps, state, xs)


def core_causal(core: Core, state: State, xs: Tensor, at: int) -> None:
    """What happens from `at` on, NaN included, moves nothing before; no gradient flows backwards from there."""
    before = core.scan(state, xs)[1][:, :at]
    assert before.isfinite().all()
    for poison in (torch.nan, torch.inf, 1e9):
        poisoned = torch.cat([xs[:, :at], torch.full_like(xs[:, at:], poison)], 1)
        assert_close(core.scan(state, poisoned)[1][:, :at], before, rtol=0, atol=0)
    leaf = xs.detach().clone().requires_grad_()
    features = core.scan(state, leaf)[1]
    (gradient,) = torch.autograd.grad((features[:, :at] * probe(features[:, :at])).sum(), leaf)
    assert (gradient[:, at:] == 0).all()


def core_remembers(core: Core, state: State, xs: Tensor) -> None:
    """The state matters, or all the other laws would hold for a network without a memory."""
    other = transform(lambda s: s + 0.1, state)
    assert not torch.equal(core.scan(state, xs)[1], core.scan(other, xs)[1])


def core_lanes(core: Core, state: State, xs: Tensor, lane: int) -> None:
    """A lane gives the same alone, beside poisoned neighbours, taken out before or after, and twice."""
    after, features = core.scan(state, xs)
    one = torch.tensor([lane])
    alone = core.scan(take(state, one), xs[one])
    assert_close(alone, (take(after, one), features[one]))
    poisoned = torch.full_like(xs, torch.nan)
    poisoned[lane] = xs[lane]
    beside, beside_features = core.scan(state, poisoned)
    assert_close((take(beside, one), beside_features[one]), (take(after, one), features[one]))
    order = torch.arange(len(xs)).flip(0)
    assert_close(core.scan(take(state, order), xs[order]), (take(after, order), features[order]))
    twice = core.scan(repeat(state, 2), xs.repeat_interleave(2, 0))
    assert_close(twice, (repeat(after, 2), features.repeat_interleave(2, 0)))


def core_reset(core: Core, state: State, xs: Tensor, mask: Tensor) -> None:
    """A reset lane equals a fresh one, the others go on, and no gradient passes through the reset."""
    leaves = transform(lambda s: s.detach().clone().requires_grad_(), state)
    features = core.scan(where(mask, core.initial(len(mask)), leaves), xs)[1]
    fresh, on = core.scan(core.initial(len(mask)), xs)[1], core.scan(state, xs)[1]
    assert_close(features[mask], fresh[mask])
    assert_close(features[~mask], on[~mask])
    gradients = torch.autograd.grad((features * probe(features)).sum(), list(leaves.values()))
    assert all((gradient[mask] == 0).all() for gradient in gradients)


def same(core: Core, one: Read, other: Read, state: State, xs: Tensor) -> None:
    """Two ways to read `xs` agree in features, last state and all gradients, to the precision of `xs`."""
    assert_close(results(core, other, state, xs), results(core, one, state, xs))


def results(core: Core, read: Read, state: State, xs: Tensor) -> dict[str, Tensor]:
    """Features, last state, and the gradients of both in the parameters, the inputs and the first state."""
    leaves = {f"state {name}": value.detach().clone().requires_grad_() for name, value in state.items()}
    leaves |= {"xs": xs.detach().clone().requires_grad_()}
    after, features = read({name: leaves[f"state {name}"] for name in state}, leaves["xs"])
    leaves |= {f"parameter {name}": value for name, value in core.named_parameters()}
    outputs = {"features": features} | {f"after {name}": value for name, value in after.items()}
    score = torch.stack([(value.double() * probe(value)).sum() for value in outputs.values()]).sum()
    gradients = torch.autograd.grad(score, list(leaves.values()), materialize_grads=True)
    return outputs | {f"d {name}": gradient for name, gradient in zip(leaves, gradients, strict=True)}


def probe(value: Tensor) -> Tensor:
    """Fixed weights, all different, so that a sum under them notices any permutation."""
    return torch.linspace(1.0, 3.0, value.numel(), dtype=torch.float64).view(value.shape).sin()


def inputs_like(core: Core, batch: int, time: int) -> Tensor:
    """Zeros of the width and the type that a core reads."""
    dtype = next((p.dtype for p in core.parameters() if p.dim() > 1), torch.float64)
    return torch.zeros(batch, time, core.inputs, dtype=dtype)


# ------------------------------------------------------------------------------------------------------------- Encoder


def encoder_lanes(encoder: Encoder, xs: Tensor, begin: Tensor) -> None:
    """A lane that begins late is encoded as alone and without what stands before it, beside poisoned neighbours."""
    summary, features = encoder.encode(xs, begin)
    assert summary.shape == (len(xs), encoder.features)
    assert features.shape == (*xs.shape[:2], encoder.features)
    for lane, first in enumerate(begin.tolist()):
        poisoned = torch.full_like(xs, torch.nan)
        poisoned[lane, first:] = xs[lane, first:]
        beside, beside_features = encoder.encode(poisoned, begin)
        alone, alone_features = encoder.encode(xs[lane : lane + 1, first:], begin.new_zeros(1))
        assert_close(beside[lane], alone[0])
        assert_close(beside_features[lane, first:], alone_features[0])
        assert_close(summary[lane], alone[0])
        assert_close(features[lane, first:], alone_features[0])
        assert (features[lane, :first] == 0).all()


def encoder_sees_all(encoder: Encoder, xs: Tensor) -> None:
    """Every step moves the features of every step: this is why it cannot stream."""
    leaf = xs.detach().clone().requires_grad_()
    summary, features = encoder.encode(leaf, torch.zeros(len(xs), dtype=torch.int64))
    for outputs in (summary, *features.unbind(1)):
        (gradient,) = torch.autograd.grad((outputs * probe(outputs)).sum(), leaf, retain_graph=True)
        assert (gradient != 0).any(-1).all()


# ---------------------------------------------------------------------------------------------------------------- Head


def unit(like: Tensor) -> Anchor:
    """The anchor under which values are in the units of a network, one for each element of `like`."""
    zeros = torch.zeros(like.shape, dtype=torch.float64)
    return Anchor(zeros, zeros + 1, zeros.to(like))


def head_quantiles(head: Head, raw: Tensor, levels: tuple[float, ...], anchor: Anchor) -> None:
    """Quantiles at ascending levels do not cross, whatever the levels, and agree with those asked one at a time."""
    quantiles = head.quantile(raw, levels, anchor)
    assert quantiles.shape == (*raw.shape[:-1], len(levels))
    assert quantiles.isfinite().all()
    assert head.support.holds(quantiles).all()
    assert (quantiles.diff(dim=-1) >= 0).all()
    for k, level in enumerate(levels):
        assert_close(head.quantile(raw, (level,), anchor)[..., 0], quantiles[..., k])


def head_finite(head: Head, raw: Tensor, y: Tensor, anchor: Anchor) -> None:
    """Loss and gradient are finite, far out too."""
    leaves = raw.clone().requires_grad_(), y.clone().requires_grad_()
    loss = head.loss(*leaves, anchor)
    assert loss.shape == y.shape
    assert loss.isfinite().all()
    for gradient in torch.autograd.grad(loss.sum(), leaves, materialize_grads=True):
        assert gradient.isfinite().all()


def head_proper(head: Head, truth: Callable[[Tensor], Tensor], levels: tuple[float, ...], atol: float) -> None:
    """The loss is least at the truth: raw outputs trained on its quantiles give them back, at `levels`."""
    chances = torch.arange(0.5, 1000) / 1000
    y = truth(chances).double()
    anchor = unit(y.float())
    raw = torch.zeros(head.width, requires_grad=True)
    optimizer = torch.optim.Adam([raw], lr=0.5)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.001, total_iters=300)
    for _ in range(300):
        optimizer.zero_grad()
        head.loss(raw.expand(len(y), -1), y, anchor).mean().backward()
        optimizer.step()
        schedule.step()
    found = head.quantile(raw.detach(), levels, unit(raw[0].detach()))
    assert_close(found, truth(torch.tensor(levels)).double(), rtol=0, atol=atol)


def head_mean(head: Head, raw: Tensor, anchor: Anchor) -> None:
    """The mean is that of the quantiles over all levels."""
    quantiles = head.quantile(raw, tuple((k + 0.5) / 2000 for k in range(2000)), anchor)
    assert ((quantiles.mean(-1) - head.mean(raw, anchor)).abs() < 0.1 * quantiles.std(-1)).all()


# --------------------------------------------------------------------------------------------------------------- Model


def model_chunks(model: Model, start: Carry, batch: Batch, at: int) -> None:
    """Chunks with the carry handed on equal the whole: carry, loss (weighted by length) and exact gradient."""
    time = batch.target.shape[1]
    whole, loss = model.loss(start, batch)
    carry, first = model.loss(start, chunk(batch, 0, at))
    carry, second = model.loss(carry, chunk(batch, at, time))
    assert_close(carry, whole, rtol=1e-5, atol=1e-5, equal_nan=True)
    assert_close(model.observe(start, batch), whole, rtol=1e-5, atol=1e-5, equal_nan=True)
    parts = (first * at + second * (time - at)) / time
    assert_close(parts, loss, rtol=1e-5, atol=1e-5)
    if loss.requires_grad:
        exact, handed = gradients(model, loss), gradients(model, parts)
        assert_close(handed, exact, rtol=1e-3, atol=1e-4)


def model_loss(
    model: Model, start: Carry, batch: Batch, score: Callable[[Any, Batch, Carry], Tensor], every: int = 1
) -> None:
    """The loss is the mean score of the forecasts that the model gives from every `stride`-th step, or of the first of
    `every` so many.

    `score` gives one number a lane; a model that smooths trusts each as far as its smoothing is filled.
    """
    _, loss = model.loss(start, batch)
    scores, trust, carry = [], [], start
    for number, end in enumerate(range(model.stride, batch.target.shape[1] + 1, model.stride)):
        segment = chunk(batch, end - model.stride, end)
        carry = model.observe(carry, segment)
        if number % every:
            continue
        forecast = model.forecast(carry, model.horizon, segment.known[:, model.stride :])
        scores.append(score(forecast, segment, carry))
        trust.append(carry["scale.weight"][:, 0] if "scale.weight" in carry else torch.ones(len(scores[-1])))
    assert_close(loss.double(), (torch.stack(trust) * torch.stack(scores)).mean(), rtol=1e-4, atol=1e-5)


def model_truncation(model: Model, batch: Batch, at: int) -> None:
    """With the carry detached, values stay the same and the gradient of a chunk reaches no other."""
    target = batch.target.clone().requires_grad_()
    leafy = replace(batch, target=target)
    carry, _ = model.loss(model.start(len(batch.reset), model.stride), chunk(leafy, 0, at))
    _, through = model.loss(carry, chunk(leafy, at, target.shape[1]))
    _, cut = model.loss(detach(carry), chunk(leafy, at, target.shape[1]))
    assert torch.equal(through, cut)
    (reached,) = torch.autograd.grad(through, target, retain_graph=True)
    assert (reached[:, :at] != 0).any()
    (reached,) = torch.autograd.grad(cut, target)
    assert (reached[:, :at] == 0).all()
    assert (reached[:, at:] != 0).any()


def model_streams(model: Model, batch: Batch) -> None:
    """Observed one by one, all at once, and by segments that end at the same place: one forecast."""
    lanes, time = batch.target.shape
    one_by_one = model.start(lanes)
    for n in range(time):
        one_by_one = model.observe(one_by_one, chunk(batch, n, n + 1))
    at_once = model.observe(model.start(lanes), batch)
    assert_close(one_by_one, at_once, rtol=1e-5, atol=1e-5, equal_nan=True)
    segments = model.observe(model.start(lanes, model.stride), pad(batch, -time % model.stride))
    horizon = 2 * model.horizon + 1
    known = future_known(batch, horizon)
    streamed, strided = model.forecast(one_by_one, horizon, known), model.forecast(segments, horizon, known)
    assert_close(fields(streamed), fields(strided), rtol=1e-5, atol=1e-5)


def model_forecast(model: Numeric, carry: Carry, known: Tensor, horizon: int) -> Forecast:
    """Right shapes, finite, quantiles do not cross, the carry stays as it was to the bit."""
    kept = {name: value.clone() for name, value in carry.items()}
    forecast = model.forecast(carry, horizon, known[:, :horizon])
    assert carry.keys() == kept.keys()
    assert all(torch.equal(bits(carry[name]), bits(kept[name])) for name in kept)
    lanes = len(carry["last.static"])
    assert forecast.levels == LEVELS
    assert forecast.mean.shape == (lanes, horizon)
    assert forecast.quantiles.shape == (lanes, horizon, len(LEVELS))
    assert all(value.dtype == torch.float64 and value.isfinite().all() for value in fields(forecast).values())
    assert (forecast.quantiles.diff(dim=-1) >= 0).all()
    assert (interpolate(forecast.quantiles, LEVELS, (0.001, 0.07, 0.5, 0.93, 0.999)).diff(dim=-1) >= 0).all()
    assert model.support.holds(forecast.quantiles).all()
    return forecast


def model_prefix(model: Model, carry: Carry, known: Tensor, shorter: int, longer: int) -> None:
    """A longer forecast begins with the shorter one."""
    short, long = (model.forecast(carry, horizon, known[:, :horizon]) for horizon in (shorter, longer))
    for name, value in fields(short).items():
        expected = fields(long)[name]
        assert_close(value, expected if value.dim() == 1 else expected[:, :shorter], rtol=1e-6, atol=1e-6)


def model_scales(model: Model, batch: Batch, exponent: int) -> None:
    """A series times a power of two has exactly that multiple as its forecast."""
    horizon = 2 * model.horizon + 1
    known = future_known(batch, horizon)
    start = model.start(len(batch.reset))
    forecast = model.forecast(model.observe(start, batch), horizon, known)
    scaled = replace(batch, target=torch.ldexp(batch.target, torch.tensor(exponent)))
    other = model.forecast(model.observe(start, scaled), horizon, known)
    for name, value in fields(forecast).items():
        expected = torch.ldexp(value, torch.tensor(exponent))
        assert torch.equal(fields(other)[name], expected), name


def model_lanes(model: Model, batch: Batch, lane: int) -> None:
    """A lane is forecast the same beside poisoned neighbours, alone, and after a reset of a used carry."""
    horizon = 2 * model.horizon + 1
    known = future_known(batch, horizon)
    one = torch.tensor([lane])
    used = model.observe(model.start(len(batch.reset)), batch)
    expected = {name: value[one] for name, value in fields(model.forecast(used, horizon, known)).items()}

    poisoned = torch.full_like(batch.target, torch.nan)
    poisoned[lane] = batch.target[lane]
    beside = model.forecast(model.observe(model.start(len(poisoned)), replace(batch, target=poisoned)), horizon, known)
    assert_close({name: value[one] for name, value in fields(beside).items()}, expected, rtol=0, atol=0)

    alone = Batch(*(value[one] for value in vars(batch).values()))
    carry = model.observe(model.start(1), alone)
    assert_close(fields(model.forecast(carry, horizon, known[one])), expected, rtol=1e-5, atol=1e-5)

    reset = torch.arange(len(batch.reset)) == lane
    other = replace(batch, target=batch.target.flip(1) + 3.0, past=batch.past + 1.0)
    carry = model.observe(model.observe(model.start(len(reset)), other), replace(batch, reset=reset))
    again = fields(model.forecast(carry, horizon, known))
    assert_close({name: value[one] for name, value in again.items()}, expected, rtol=0, atol=0)


def model_blind(model: Model, batch: Batch) -> None:
    """The carry does not see the future: not its targets, not the covariates known for it, nor by what it is judged."""
    start = model.start(len(batch.reset), model.stride)
    time = batch.target.shape[1]
    known = torch.cat([batch.known[:, :time], torch.full_like(batch.known[:, time:], torch.nan)], 1)
    nothing = {"future": torch.full_like(batch.future, torch.nan), "unit": torch.full_like(batch.unit, torch.nan)}
    poisoned = replace(batch, known=known, **nothing)
    expected = model.loss(start, batch)[0]
    for carry in (model.loss(start, poisoned)[0], model.observe(start, poisoned)):
        assert_close(carry, expected, rtol=0, atol=0, equal_nan=True)


# ------------------------------------------------------------------------------------------------------------- batches


def chunk(batch: Batch, begin: int, end: int) -> Batch:
    """The steps from `begin` to `end` with as many targets ahead as the batch has; only the first chunk resets."""
    ahead = batch.future.shape[1]
    return Batch(
        target=batch.target[:, begin:end],
        known=batch.known[:, begin : end + ahead],
        past=batch.past[:, begin:end],
        static=batch.static,
        reset=batch.reset & (begin == 0),
        future=torch.cat([batch.target, batch.future], 1)[:, end : end + ahead],
        unit=batch.unit,
    )


def pad(batch: Batch, steps: int) -> Batch:
    """The batch with `steps` unknown steps before it."""
    before = (0, 0, steps, 0)
    return replace(
        batch,
        target=torch.nn.functional.pad(batch.target, (steps, 0), value=torch.nan),
        known=torch.nn.functional.pad(batch.known, before),
        past=torch.nn.functional.pad(batch.past, before, value=torch.nan),
    )


def future_known(batch: Batch, horizon: int) -> Tensor:
    """Some covariates for the steps after a batch."""
    return torch.sin(torch.arange(horizon) + 1.0)[None, :, None].repeat(len(batch.reset), 1, batch.known.shape[2])


def fields(forecast: Forecast | Chances) -> dict[str, Tensor]:
    """The tensors of a forecast."""
    return {name: value for name, value in vars(forecast).items() if isinstance(value, Tensor)}


def gradients(model: Model, loss: Tensor) -> Mapping[str, Tensor]:
    """The gradient of a loss in each parameter."""
    names, values = zip(*model.named_parameters(), strict=True)
    found = torch.autograd.grad(loss, values, retain_graph=True, materialize_grads=True)
    return dict(zip(names, found, strict=True))


def bits(value: Tensor) -> Tensor:
    """A tensor as integers, in which NaN equals NaN."""
    return value.view({8: torch.int64, 4: torch.int32}[value.element_size()])
