"""The functions of a state."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from forecaster.state import State, detach, part, parts, repeat, take, where


def some(batch: int, offset: float = 0.0) -> State:
    """A state with parts of several shapes and types, all rows different."""
    rows = torch.arange(batch) + offset
    return {
        "core.hidden": rows[:, None] + torch.arange(3) / 8,
        "core.queue": rows[:, None, None].double() + torch.arange(6).view(2, 3) / 8,
        "scale.level": rows.double(),
        "last.static": (rows * 10).long(),
    }


def equal(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and torch.equal(one[name], other[name]) for name in one
    )


@given(mask=st.lists(st.booleans(), min_size=1, max_size=5))
def test_where_takes_each_lane_from_one_side(mask: list[bool]) -> None:
    a, b = some(len(mask)), some(len(mask), 100.0)
    chosen = where(torch.tensor(mask), a, b)
    for lane, from_a in enumerate(mask):
        one = torch.tensor([lane])
        assert equal(take(chosen, one), take(a if from_a else b, one))


@given(batch=st.integers(1, 4), times=st.integers(1, 4))
def test_repeat_puts_copies_of_a_lane_side_by_side(batch: int, times: int) -> None:
    state = some(batch)
    assert equal(repeat(state, times), take(state, torch.arange(batch * times) // times))


@given(lanes=st.lists(st.integers(0, 3), max_size=6))
def test_take_is_indexing(lanes: list[int]) -> None:
    state = some(4)
    taken = take(state, torch.tensor(lanes, dtype=torch.int64))
    assert equal(taken, {name: value[lanes] for name, value in state.items()})


def test_detach_keeps_values_and_cuts_the_gradient() -> None:
    state = {"hidden": torch.ones(2, 3, requires_grad=True) * 2}
    assert state["hidden"].requires_grad
    cut = detach(state)
    assert not cut["hidden"].requires_grad
    assert equal(cut, state)


def test_parts_and_part_are_inverse() -> None:
    one, other = {"a": torch.zeros(1), "b.c": torch.ones(1)}, {"a": torch.full((1,), 2.0)}
    both = parts(**{"1": one, "10": other})
    assert set(both) == {"1.a", "1.b.c", "10.a"}
    assert equal(part(both, "1"), one)
    assert equal(part(both, "10"), other)
