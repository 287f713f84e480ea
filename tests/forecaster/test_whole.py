"""One label or one number of a whole series: the laws of a model, what it learns from, and what it says unread."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss, mean_pinball_loss
from torch import Tensor
from torch.testing import assert_close

from forecaster.batch import Batch, Chances, Forecast
from forecaster.build import build
from forecaster.model import Model, Numeric
from forecaster.models.whole import WholeLabel
from forecaster.quantiles import LEVELS
from forecaster.spec import FitSpec, Task, WholeSpec
from forecaster.state import detach
from forecaster.train import fit
from tests import laws
from tests.examples import WHOLE, moved, seeds, whole_batch

every_model = pytest.mark.parametrize("name", WHOLE)
every_network = pytest.mark.parametrize("name", [name for name, (spec, _) in WHOLE.items() if spec.core is not None])
some = settings(max_examples=5)


def example(name: str, time: int, seed: int, gaps: float = 0.2, lanes: int = 3) -> tuple[Model, Batch]:
    spec, task = WHOLE[name]
    return moved(spec, task, seed), whole_batch(task, lanes, time, seed, gaps)


def chunk(batch: Batch, begin: int, end: int) -> Batch:
    """Of a chunk too the future is the answer."""
    return replace(laws.chunk(batch, begin, end), future=batch.future)


@every_model
@some
@given(seed=seeds, time=st.integers(2, 9), data=st.data())
def test_chunks_with_the_carry_equal_the_whole(name: str, seed: int, time: int, data: st.DataObject) -> None:
    model, batch = example(name, time, seed, gaps=0.0)
    at, start = data.draw(st.integers(1, time - 1)), model.start(3)
    whole, loss = model.loss(start, batch)
    carry, first = model.loss(start, chunk(batch, 0, at))
    carry, second = model.loss(carry, chunk(batch, at, time))
    assert_close(carry, whole, rtol=1e-5, atol=1e-5)
    assert_close(model.observe(start, batch), whole, rtol=1e-5, atol=1e-5)
    parts = (first * at + second * (time - at)) / time
    assert_close(parts, loss, rtol=1e-5, atol=1e-5)
    assert_close(laws.gradients(model, parts), laws.gradients(model, loss), rtol=1e-3, atol=1e-4)


@every_model
@some
@given(seed=seeds, time=st.integers(1, 6))
def test_the_loss_is_that_of_what_is_told_after_each_observation(name: str, seed: int, time: int) -> None:
    """Log loss, or twice the mean pinball loss over the levels, as scikit-learn has them; a gap tells nothing."""
    model, batch = example(name, time, seed, gaps=0.4)
    carry, losses = model.start(3), []
    with torch.no_grad():
        for step in range(time):
            carry = model.observe(carry, chunk(batch, step, step + 1))
            told = model.forecast(carry, 1)
            losses += [score(told, lane, batch) for lane in range(3) if not batch.target[lane, step].isnan()]
        _, loss = model.loss(model.start(3), batch)
    assert loss.item() == pytest.approx(np.mean(losses) if losses else 0.0, rel=1e-4, abs=1e-6)


def score(told: Forecast | Chances, lane: int, batch: Batch) -> float:
    answer = batch.future[lane].numpy()
    if isinstance(told, Chances):
        chances = told.probabilities[lane].numpy()
        return float(log_loss(answer, chances, labels=range(chances.shape[1])))
    quantiles = told.quantiles[lane, 0].numpy()
    return 2 * float(np.mean([mean_pinball_loss(answer, [q], alpha=p) for p, q in zip(LEVELS, quantiles, strict=True)]))


@every_model
@some
@given(time=st.integers(1, 12), seed=seeds)
def test_one_by_one_equals_all_at_once(name: str, time: int, seed: int) -> None:
    model, batch = example(name, time, seed)
    one_by_one = model.start(3)
    with torch.no_grad():
        for step in range(time):
            one_by_one = model.observe(one_by_one, chunk(batch, step, step + 1))
        at_once = model.observe(model.start(3), batch)
        told, expected = (laws.fields(model.forecast(carry, 1)) for carry in (one_by_one, at_once))
    assert_close(told, expected, rtol=1e-5, atol=1e-5)


@every_model
@some
@given(lane=st.integers(0, 2), time=st.integers(1, 10), seed=seeds)
def test_lanes_do_not_see_each_other(name: str, lane: int, time: int, seed: int) -> None:
    model, batch = example(name, time, seed)
    with torch.no_grad():
        told = [laws.fields(model.forecast(model.observe(model.start(n), some), 1)) for n, some in beside(batch, lane)]
    expected = {key: value[lane] for key, value in told[0].items()}
    for other in told[1:]:
        assert_close({key: value[-1] for key, value in other.items()}, expected, rtol=1e-5, atol=1e-5)


def beside(batch: Batch, lane: int) -> list[tuple[int, Batch]]:
    """All lanes, one of them alone, and it beside one that is all missing."""
    alone = Batch(*(value[lane : lane + 1] for value in vars(batch).values()))
    twice = Batch(*(value[[lane, lane]] for value in vars(batch).values()))
    missing = twice.target.clone()
    missing[0] = torch.nan
    return [(len(batch.reset), batch), (1, alone), (2, replace(twice, target=missing))]


@every_model
@some
@given(time=st.integers(1, 5), seed=seeds)
def test_the_answer_is_not_seen(name: str, time: int, seed: int) -> None:
    model, batch = example(name, time, seed)
    laws.model_blind(model, batch)


@every_network
def test_gradient_stays_within_a_chunk(name: str) -> None:
    model, batch = example(name, 8, 0, gaps=0.0)
    carry = model.observe(model.start(3), chunk(batch, 0, 4))
    _, through = model.loss(carry, chunk(batch, 4, 8))
    _, cut = model.loss(detach(carry), chunk(batch, 4, 8))
    assert torch.equal(through, cut)
    state = [value for key, value in carry.items() if key.startswith("core.")]
    assert all((gradient != 0).any() for gradient in torch.autograd.grad(through, state, retain_graph=True))
    assert all(gradient is None for gradient in torch.autograd.grad(cut, state, allow_unused=True))


@pytest.mark.parametrize("value", [0.0, 1e-300, 1e300])
@every_model
def test_odd_series_are_told_something_finite(name: str, value: float) -> None:
    model, batch = example(name, 9, 0)
    odd = torch.full_like(batch.target, value)
    odd[1], odd[2, ::2] = torch.nan, -value
    _, loss = model.loss(model.start(3), replace(batch, target=odd))
    assert loss.isfinite()
    assert all(gradient.isfinite().all() for gradient in laws.gradients(model, loss).values())
    told = laws.fields(model.forecast(model.observe(model.start(3), replace(batch, target=odd)), 1))
    assert all(value.isfinite().all() for value in told.values())


def test_unread_labels_are_as_likely_as_they_are_frequent() -> None:
    model = build(WholeSpec(), Task(horizon=1, labels=3))
    assert isinstance(model, WholeLabel)
    model.count(torch.tensor([0.0, 2.0, 2.0, torch.nan, 2.0], dtype=torch.float64))
    told = model.forecast(model.start(2), 1).probabilities
    assert_close(told, torch.tensor([[[2, 1, 4]]]).double().expand(2, 1, 3) / 7, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["number blind", "number gru"])
def test_numbers_begin_at_the_mean_with_half_their_deviation_around_it(name: str) -> None:
    model = build(*WHOLE[name])
    assert isinstance(model, Numeric)
    told = laws.model_forecast(model, model.start(2), torch.zeros(2, 1, 0), 1)
    expected = torch.special.ndtri(torch.tensor(LEVELS, dtype=torch.float64)) / 2
    assert_close(told.quantiles, expected.expand(2, 1, -1), rtol=1e-5, atol=1e-5)
    assert_close(told.mean, torch.zeros(2, 1).double(), rtol=0, atol=1e-6)


class Waves:
    """Sines of a frequency each, which is the answer; nothing else tells them apart."""

    def epoch(self, number: int) -> Iterator[Batch]:
        random = torch.Generator().manual_seed(number)
        return (self.draw(random) for _ in range(25))

    @staticmethod
    def draw(random: torch.Generator) -> Batch:
        like = whole_batch(Task(horizon=1), 32, 24, 0)
        answer = torch.rand(32, 1, generator=random, dtype=torch.float64) * 2 - 1
        phase = torch.rand(32, 1, generator=random, dtype=torch.float64) * 6
        target: Tensor = torch.sin((0.9 + 0.4 * answer) * torch.arange(24) + phase)
        return replace(like, target=target, future=answer)


def test_it_learns_what_only_the_order_of_values_tells() -> None:
    model = build(*WHOLE["number gru"])
    for _ in fit(model, Waves(), FitSpec(updates=300, learning_rate=2e-2)):
        pass
    test = Waves.draw(torch.Generator().manual_seed(10**6))
    with torch.no_grad():
        told = model.forecast(model.observe(model.start(32), test), 1)
    assert isinstance(told, Forecast)
    error = (told.mean - test.future).abs().mean()
    assert error < 0.3 * (test.future - test.future.mean()).abs().mean()
