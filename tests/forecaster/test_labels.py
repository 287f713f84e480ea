"""The contract of models of labels; what is drawn and counted against what can be worked out."""

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats
from torch import Tensor
from torch.testing import assert_close

from forecaster.batch import Batch, Chances
from forecaster.gaps import tokens
from forecaster.model import Carry
from forecaster.models.labels.counts import LabelCounts
from forecaster.models.labels.model import LabelModel
from forecaster.spec import FitSpec
from forecaster.state import detach
from forecaster.train import fit
from tests import laws
from tests.examples import LABELS, label_batch, seeds

every_model = pytest.mark.parametrize("name", LABELS)
every_network = pytest.mark.parametrize("name", ["elman", "gru", "lstm with an end"])
some = settings(max_examples=5)


def drawn(model: LabelModel, carry: dict[str, Tensor], horizon: int, count: int, **options: float) -> Tensor:
    known = torch.zeros(len(carry["last.static"]), horizon, getattr(model, "known", 0))
    with torch.no_grad():
        return model.paths(carry, horizon, known, count=count, generator=torch.Generator().manual_seed(0), **options)


@every_model
@some
@given(seed=seeds, data=st.data())
def test_chunks_with_the_carry_equal_the_whole(name: str, seed: int, data: st.DataObject) -> None:
    example = LABELS[name]
    model, time = example.model(seed), data.draw(st.integers(2, 8))
    series = label_batch(example.task, 2, 5 + time, seed)
    carry = detach(model.observe(model.start(2), laws.chunk(series, 0, 5)))
    laws.model_chunks(model, carry, laws.chunk(series, 5, 5 + time), data.draw(st.integers(1, time - 1)))


@every_model
@some
@given(seed=seeds, time=st.integers(1, 5))
def test_loss_is_the_log_loss_of_the_forecasts(name: str, seed: int, time: int) -> None:
    example = LABELS[name]
    model = example.model(seed)
    task = example.task.model_copy(update={"horizon": 1, "stride": 1})

    def score(forecast: Chances, segment: Batch, carry: Carry) -> Tensor:
        chances = forecast.probabilities[:, 0].gather(1, segment.future.long())
        return torch.from_numpy(-np.log(chances[:, 0].numpy()))

    with torch.no_grad():
        laws.model_loss(model, model.start(2), label_batch(task, 2, time, seed), score)


@every_network
def test_gradient_stays_within_a_chunk(name: str) -> None:
    """Detached, the carry is the same to the bit and no gradient reaches what made it."""
    example = LABELS[name]
    model, series = example.model(), label_batch(example.task, 2, 8, 0)
    carry = model.observe(model.start(2), laws.chunk(series, 0, 4))
    second = laws.chunk(series, 4, 8)
    _, through = model.loss(carry, second)
    _, cut = model.loss(detach(carry), second)
    assert torch.equal(through, cut)
    state = [value for key, value in carry.items() if key.startswith("core.")]
    assert all((gradient != 0).any() for gradient in torch.autograd.grad(through, state, retain_graph=True))
    assert all(gradient is None for gradient in torch.autograd.grad(cut, state, allow_unused=True))


@every_model
@some
@given(time=st.integers(1, 12), seed=seeds, gaps=st.sampled_from([0.0, 0.3]))
def test_one_by_one_equals_all_at_once(name: str, time: int, seed: int, gaps: float) -> None:
    example = LABELS[name]
    with torch.no_grad():
        laws.model_streams(example.model(seed), label_batch(example.task, 2, time, seed, gaps))


@every_model
@some
@given(lane=st.integers(0, 2), time=st.integers(1, 10), seed=seeds)
def test_lanes_do_not_see_each_other(name: str, lane: int, time: int, seed: int) -> None:
    example = LABELS[name]
    with torch.no_grad():
        laws.model_lanes(example.model(seed), label_batch(example.task, 3, time, seed, gaps=0.2), lane)


@every_model
@some
@given(time=st.integers(1, 5), seed=seeds)
def test_the_future_is_not_seen(name: str, time: int, seed: int) -> None:
    example = LABELS[name]
    laws.model_blind(example.model(seed), label_batch(example.task, 2, time, seed, gaps=0.2))


@every_model
@some
@given(time=st.integers(1, 10), horizon=st.integers(1, 9), seed=seeds)
def test_any_horizon(name: str, time: int, horizon: int, seed: int) -> None:
    """Probabilities, a longer forecast begins with the shorter one, and the carry stays as it was to the bit."""
    example = LABELS[name]
    model, series = example.model(seed), label_batch(example.task, 2, time, seed, gaps=0.2)
    known = laws.future_known(series, 12)
    with torch.no_grad():
        carry = model.observe(model.start(2), series)
        kept = {key: value.clone() for key, value in carry.items()}
        chances = model.forecast(carry, horizon, known[:, :horizon]).probabilities
        laws.model_prefix(model, carry, known, horizon, 12)
    assert all(torch.equal(laws.bits(carry[key]), laws.bits(kept[key])) for key in kept)
    assert chances.shape == (2, horizon, example.task.labels)
    assert (chances >= 0).all()
    assert_close(chances.sum(-1), torch.ones(2, horizon, dtype=torch.float64))


@every_model
def test_a_gap_and_an_unknown_label_are_read_alike(name: str) -> None:
    """Both read as every label, equally likely; as targets they are not learned from."""
    example = LABELS[name]
    model, series = example.model(), label_batch(example.task, 2, 8, 0)
    gap = torch.rand(2, 8, generator=torch.Generator().manual_seed(1)) < 0.4

    def results(hole: float) -> dict[str, Tensor]:
        holed = replace(series, target=series.target.masked_fill(gap, hole))
        carry, loss = model.loss(model.start(2), holed)
        return laws.fields(model.forecast(carry, 3, laws.future_known(series, 3))) | {"loss": loss}

    assert_close(results(float(example.task.labels)), results(math.nan), rtol=0, atol=0)
    empty = replace(series, target=series.target * math.nan, future=series.future * math.nan)
    assert model.loss(model.start(2), empty)[1] == 0


def test_tokens_sum_to_one() -> None:
    read = tokens(torch.tensor([0.0, 2.0, 3.0, -1.0, math.nan], dtype=torch.float64), 3)
    third = [1 / 3] * 3
    assert_close(read, torch.tensor([[1.0, 0, 0], [0, 0, 1], third, third, third]))


@every_model
def test_paths_are_joint_and_have_the_stated_probabilities(name: str) -> None:
    """Pairs of steps are as frequent as p(first) p(second | first), worked out by observing each first label."""
    example = LABELS[name]
    task = example.task
    model, series = example.model(), label_batch(task, 1, 6, 0)
    count, known = 4000, torch.zeros(1, 2, task.known)
    with torch.no_grad():
        carry = model.observe(model.start(1), series)
        first = model.forecast(carry, 1, known[:, :1]).probabilities[0, 0]
        joint = []
        for label in range(task.labels):
            seen = Batch(
                target=torch.tensor([[float(label)]], dtype=torch.float64),
                known=known[:, :1],
                past=torch.full((1, 1, task.past), torch.nan),
                static=series.static,
                reset=torch.tensor([False]),
                future=torch.zeros(1, 0, dtype=torch.float64),
                unit=series.unit,
            )
            joint.append(first[label] * model.forecast(model.observe(carry, seen), 1, known[:, 1:]).probabilities[0, 0])
        marginal = model.forecast(carry, 2, known).probabilities[0, 1]
    paths = drawn(model, carry, 2, count)[0]
    pairs = torch.bincount(paths[:, 0] * task.labels + paths[:, 1], minlength=task.labels**2).numpy()
    expected = torch.stack(joint).flatten().numpy()
    possible = expected > 0
    assert pairs[~possible].sum() == 0
    assert stats.chisquare(pairs[possible], count * expected[possible]).pvalue > 1e-4
    assert_close(marginal, torch.stack(joint).sum(0), rtol=0, atol=0.02)


@every_model
def test_the_same_generator_gives_the_same_paths(name: str) -> None:
    model = LABELS[name].model()
    carry = model.observe(model.start(2), label_batch(LABELS[name].task, 2, 5, 0))
    paths = drawn(model, carry, 6, 20)
    assert torch.equal(paths, drawn(model, carry, 6, 20))
    known = torch.zeros(2, 6, LABELS[name].task.known)
    other = model.paths(carry, 6, known, count=20, generator=torch.Generator().manual_seed(1))
    assert not torch.equal(paths, other)
    assert not torch.equal(paths[0], paths[1])


@every_model
def test_temperature(name: str) -> None:
    """At 0 the likeliest label at each step; in general a softmax of the logarithms over the temperature."""
    model = LABELS[name].model()
    with torch.no_grad():
        carry = model.observe(model.start(1), label_batch(LABELS[name].task, 1, 5, 0))
        known = torch.zeros(1, 1, LABELS[name].task.known)
        chances = model.forecast(carry, 1, known).probabilities[0, 0].numpy()
    cold = drawn(model, carry, 4, 10, temperature=0.0)
    assert (cold == cold[:, :1]).all()
    assert cold[0, 0, 0] == chances.argmax()
    for temperature in (0.5, 3.0):
        paths = drawn(model, carry, 1, 4000, temperature=temperature).flatten()
        expected = 4000 * special.softmax(np.log(chances) / temperature)
        counts = torch.bincount(paths, minlength=len(expected)).numpy()
        assert stats.chisquare(counts, expected).pvalue > 1e-4


@pytest.mark.parametrize("name", ["lstm with an end", "chain"])
def test_after_the_end_nothing_comes(name: str) -> None:
    example = LABELS[name]
    model, series = example.model(), label_batch(example.task, 2, 5, 0)
    assert model.end is not None
    with torch.no_grad():
        carry = model.observe(model.start(2), series)
        paths = drawn(model, carry, 30, 200)
        ended = (paths == model.end).int()
        assert ended[..., -1].float().mean() > 0
        assert (ended.diff(dim=-1) >= 0).all()
        certain = model.forecast(carry, 20).probabilities[..., model.end]
        assert (certain.diff(dim=1) > -0.01).all()  # averaged over few paths
        last = replace(series, target=series.target.clone())
        last.target[0, -1] = model.end
        over = model.forecast(model.observe(model.start(2), last), 3).probabilities[..., model.end]
    assert (over[0] == 1).all()
    assert (over[1] < 1).all()


def test_counts_are_a_markov_chain() -> None:
    """Against counts by hand; marginals of later steps against powers of the matrix."""
    text = [0, 1, 1, 2, 0, 1, 0, 0, 1, 2, 2, 0]
    before, after = torch.tensor(text[:-1]).double(), torch.tensor(text[1:]).double()
    chain = LabelCounts(labels=3, order=1)
    chain.count(before, after)
    table = np.ones((3, 3))
    for a, b in pairwise(text):
        table[a, b] += 1
    table /= table.sum(1, keepdims=True)
    assert_close(chain.follow[:3].exp().numpy(), table.astype(np.float32))
    frequencies = np.bincount(text[1:], minlength=3) + 1
    frequencies = (frequencies / frequencies.sum()).astype(np.float32)
    assert_close(chain.follow[3].exp().numpy(), frequencies)
    chances = chain.forecast(chain.start(1) | {"last.target": torch.tensor([[1.0]]).double()}, 6).probabilities[0]
    for step in range(6):
        np.testing.assert_allclose(chances[step], np.linalg.matrix_power(table, step + 1)[1], atol=0.02)
    order_0 = LabelCounts(labels=3, order=0)
    order_0.count(before, after)
    assert_close(order_0.follow.exp().numpy(), np.tile(frequencies, (4, 1)))


class Songs:
    """A song whose next note depends on the one before the last, which no chain of order 1 can know."""

    def epoch(self, number: int) -> Iterator[Batch]:  # noqa: ARG002
        for _ in range(25):
            yield song()


def song() -> Batch:
    series = torch.tensor([0.0, 0.0, 1.0, 1.0] * 9).double()
    lanes = torch.stack([series.roll(k)[:33] for k in range(4)])
    made = label_batch(LABELS["elman"].task, 4, 32, 0)
    return replace(made, target=lanes[:, :32], future=lanes[:, 32:], known=made.known[:, :33])


def test_a_network_learns_what_a_chain_cannot() -> None:
    model = LABELS["elman"].model()
    *_, last = fit(model, Songs(), FitSpec(updates=150, learning_rate=0.02))
    assert last.loss < 0.05
    batch = song()
    chain = LabelCounts(labels=2, order=1)
    chain.count(batch.target[:, :-1].flatten(), batch.target[:, 1:].flatten())
    assert chain.loss(chain.start(4), batch)[1] > 0.6
    with torch.no_grad():
        carry = model.observe(model.start(4), batch)
        paths = drawn(model, carry, 8, 3, temperature=0.0)
    expected = torch.stack([torch.tensor([0, 0, 1, 1] * 12).roll(k)[32:40] for k in range(4)])
    assert torch.equal(paths, expected[:, None].expand(-1, 3, -1))
