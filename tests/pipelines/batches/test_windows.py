"""Lanes read every history once and in order; windows stand alone; nothing is read twice or missed."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipelines.batches.covariates import describe
from pipelines.batches.windows import EPOCH, Lanes, Table, Windows
from pipelines.data.doors import panel_from_series
from pipelines.data.panel import Panel

lengths = st.lists(st.integers(1, 60), min_size=1, max_size=12)


def counted(sizes: list[int]) -> Panel:
    """Series i holds 1000 i + 1, 1000 i + 2 ...: every value says where it is from."""
    values = [[float(1000 * i + step) for step in range(1, size + 1)] for i, size in enumerate(sizes)]
    return panel_from_series([f"s{i}" for i in range(len(sizes))], [0] * len(sizes), values, "step")


def table(sizes: list[int]) -> Table:
    panel = counted(sizes)
    return Table(panel, describe(panel))


@given(lengths, st.integers(1, 5), st.integers(1, 3), st.integers(1, 8), st.integers(0, 3), st.sampled_from([0.0, 0.3]))
def test_a_lane_reads_histories_in_order_and_to_the_end(
    sizes: list[int], stride: int, chunks: int, width: int, number: int, late: float
) -> None:
    lanes = Lanes(table(sizes), lanes=width, chunk=stride * chunks, ahead=2, stride=stride, seed=1, late=late)
    read: list[list[list[float]]] = [[] for _ in range(lanes.lanes)]
    for batch in lanes.epoch(number):
        assert batch.target.shape == (lanes.lanes, stride * chunks)
        for histories, row, reset in zip(read, batch.target, batch.reset, strict=True):
            if reset:
                histories.append([])
            histories[-1] += [value for value in row.tolist() if value == value]
    for histories in read:
        for turn, history in enumerate(histories):
            assert history == [history[0] + step for step in range(len(history))], "a history is read without a break"
            size = sizes[int(history[0] // 1000)]
            assert turn == 0 or history[0] % 1000 <= 1 + late * size, "it begins with the first observation, or late"
            ends = history[-1] % 1000 == size
            assert ends or turn == len(histories) - 1, "it is read to the end"


@given(lengths, st.integers(1, 5), st.integers(1, 8), st.integers(1, 4))
def test_no_lane_is_ever_without_an_observation(sizes: list[int], stride: int, width: int, apart: int) -> None:
    lanes = Lanes(table(sizes), lanes=width, chunk=3 * stride, ahead=1, stride=stride, seed=0, apart=apart)
    batches = list(lanes.epoch(0))
    assert len(batches) == EPOCH
    assert all(batch.target.isfinite().any(1).all() for batch in batches)


def test_the_age_of_a_state_does_not_tell_the_place_in_a_series() -> None:
    lanes, begins = Lanes(table([80]), lanes=1, chunk=80, ahead=1, stride=1, seed=0, late=0.25), set()
    for number in range(10):
        for batch in lanes.epoch(number):
            begins |= set(batch.target[batch.reset, 0].tolist())
    assert begins == {float(step) for step in range(1, 21)}


@given(lengths, st.integers(1, 5))
def test_over_the_epochs_every_observation_is_read(sizes: list[int], stride: int) -> None:
    lanes = Lanes(table(sizes), lanes=4, chunk=3 * stride, ahead=1, stride=stride, seed=0)
    read: set[float] = set()
    for number in range(20):
        for batch in lanes.epoch(number):
            read |= {value for value in batch.target.flatten().tolist() if value == value}
    assert read == {float(1000 * i + step) for i, size in enumerate(sizes) for step in range(1, size + 1)}


@given(lengths, st.integers(1, 4), st.integers(1, 6))
def test_the_future_of_a_chunk_is_what_comes_next(sizes: list[int], stride: int, ahead: int) -> None:
    lanes = Lanes(table(sizes), lanes=3, chunk=2 * stride, ahead=ahead, stride=stride, seed=0)
    for batch in lanes.epoch(0):
        for row, future in zip(batch.target, batch.future, strict=True):
            if row[-1] == row[-1]:
                size = sizes[int(row[-1] // 1000)]
                here = int(row[-1] % 1000)
                expected = [row[-1].item() + k if here + k <= size else None for k in range(1, ahead + 1)]
                assert [value if value == value else None for value in future.tolist()] == expected


@given(lengths, st.integers(1, 5))
def test_over_the_epochs_every_phase_ends_a_segment(sizes: list[int], stride: int) -> None:
    lanes = Lanes(table([max(sizes) + stride]), lanes=1, chunk=stride, ahead=1, stride=stride, seed=0)
    phases = set()
    for number in range(40):
        for batch in lanes.epoch(number):
            phases |= {int(value) % stride for value in batch.target[:, -1].tolist() if value == value}
    assert phases == set(range(stride))


@given(lengths, st.integers(1, 3), st.integers(2, 4))
def test_where_one_of_several_segments_is_learned_from_each_has_its_turn(
    sizes: list[int], stride: int, apart: int
) -> None:
    """The first of a chunk and every `apart`-th after it; a lane is read from a later segment on, never with padding
    of a whole one before it."""
    size, learned = max(sizes) + 3 * apart * stride, set()
    lanes = Lanes(table([size]), lanes=1, chunk=2 * apart * stride, ahead=1, stride=stride, seed=0, apart=apart)
    for number in range(100):
        for batch in lanes.epoch(number):
            segments = batch.target.unflatten(1, (-1, stride))
            assert (batch.reset.logical_not() | segments[:, 0].isfinite().any(1)).all()
            learned |= {int(value) for value in segments[:, ::apart, -1].flatten().tolist() if value == value}
    assert learned >= set(range(apart * stride, size - apart * stride))


def test_an_epoch_of_a_large_panel_is_bounded_and_changes() -> None:
    lanes = Lanes(table([50] * 3000), lanes=8, chunk=10, ahead=1, stride=1, seed=0)
    first, second = ([batch.target for batch in lanes.epoch(number)] for number in (0, 1))
    assert len(first) == EPOCH
    assert not all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in zip(first, second, strict=False))


@given(lengths, st.sampled_from(["lanes", "windows"]), st.integers(0, 5))
def test_the_same_number_gives_the_same_batches(sizes: list[int], kind: str, number: int) -> None:
    data = table(sizes)

    def epoch() -> list[torch.Tensor]:
        source: Lanes | Windows = (
            Lanes(data, lanes=3, chunk=4, ahead=2, stride=2, seed=5)
            if kind == "lanes"
            else Windows(data, lanes=3, context=4, ahead=2, seed=5)
        )
        return [batch.target for batch in source.epoch(number)]

    first, again = epoch(), epoch()
    assert len(first) == len(again)
    assert all(torch.equal(a.nan_to_num(-1), b.nan_to_num(-1)) for a, b in zip(first, again, strict=True))


def test_every_batch_is_a_mixture() -> None:
    """Networks learn worse from batches of one kind, though an epoch is the same altogether."""
    sizes = [8] * 200 + [80] * 20  # as many observations
    long, late = [], []
    for batch in Lanes(table(sizes), lanes=200, chunk=8, ahead=2, stride=1, seed=0).epoch(0):
        first = [float(row[~row.isnan()][0]) for row in batch.target]
        long.append(np.mean([value > 200_000 for value in first]))
        late.append(np.mean([value % 1000 > 40 for value in first if value > 200_000]))
    assert min(long) > 0.3
    assert max(long) < 0.7
    assert min(late) > 0.2
    assert max(late) < 0.8


@given(lengths)
def test_windows_are_stretches_of_one_series_that_stand_alone(sizes: list[int]) -> None:
    for batch in Windows(table(sizes), lanes=7, context=6, ahead=3, seed=0).epoch(0):
        assert batch.reset.all()
        for row in torch.cat([batch.target, batch.future], 1):
            known = row[~row.isnan()]
            assert len(known) > 0
            assert torch.equal(known, known[0] + torch.arange(len(known)))


@given(st.lists(st.tuples(st.integers(1, 40), st.floats(0, 0.99)), min_size=1, max_size=4))
def test_windows_end_anywhere_after_the_border(series: list[tuple[int, float]]) -> None:
    sizes, after = [size for size, _ in series], np.array([int(share * size) for size, share in series])
    windows = Windows(table(sizes), lanes=400, context=6, ahead=3, seed=0, after=after)
    ends = {int(row[-1]) for batch in windows.epoch(0) for row in batch.target}
    assert ends == {1000 * i + end for i in range(len(sizes)) for end in range(after[i] + 1, sizes[i] + 1)}


def test_covariates_and_categories_come_with_their_rows() -> None:
    panel = panel_from_series(
        ["a", "b"],
        [0, 0],
        [[1.0, 2.0, 3.0], [4.0, 5.0]],
        "step",
        known=[{"price": [1.0, 2.0, 3.0, 4.0, 5.0]}, {"price": [6.0, 7.0, 8.0, 9.0]}],
        past=[{"visits": [1.0, None, 3.0]}, {"visits": [4.0, 5.0]}],
        static=[{"town": "x"}, {"town": "y"}],
        known_names=["price"],
        past_names=["visits"],
        static_names=["town"],
    )
    data = describe(panel)
    table = Table(panel, data, horizon=2, unit=np.array([3.0, 4.0]))
    batch = table.gather(np.array([1, 0]), np.array([0, 1]), 2, 2, reset=True)
    price, visits = data.known[0], data.past[0]
    raw = batch.known[..., 0].double() * price.deviation + price.mean
    assert torch.allclose(raw, torch.tensor([[6.0, 7, 8, 9], [2, 3, 4, 5]]).double(), atol=1e-5)
    seen = batch.past[..., 0].double() * visits.deviation + visits.mean
    assert torch.allclose(seen[0], torch.tensor([4.0, 5]).double(), atol=1e-5)
    assert seen[1].isnan().tolist() == [True, False]
    assert batch.static[:, 0].tolist() == [2, 1]
    assert batch.unit.tolist() == [4.0, 3.0]
    assert table.gather(np.array([-1]), np.array([0]), 2, 2, reset=True).unit.isnan().all()
    assert Table(panel, data).gather(np.array([0]), np.array([0]), 2, 2, reset=True).unit.isnan().all()
