"""Specifications are checked values, and they build what they say."""

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from forecaster.build import build, build_core
from forecaster.catalogue import make
from forecaster.cells.fused import GRU, LSTM, Elman
from forecaster.core import Core
from forecaster.cores.compose import Dense, Residual, Stack
from forecaster.cores.plain import Plain
from forecaster.errors import DataError
from forecaster.heads.gaussian import Gaussian
from forecaster.heads.quantile import Quantile
from forecaster.models.linear import Linear
from forecaster.models.pointwise import SeasonalNaive
from forecaster.models.recurrent import Recurrent
from forecaster.spec import CoreSpec, HeadSpec, LinearSpec, ModelSpec, RecurrentSpec, SeasonalNaiveSpec, Task
from tests.examples import MODELS

TASK = Task(horizon=6, stride=2, seasons=(4, 12), past=1)


def parts(made: nn.Module, kind: type[nn.Module]) -> int:
    return sum(isinstance(module, kind) for module in made.modules())


@pytest.mark.parametrize(("cell", "kind"), [("elman", Elman), ("gru", GRU), ("lstm", LSTM)])
@pytest.mark.parametrize(("family", "head"), [("quantile", Quantile), ("gaussian", Gaussian)])
def test_recurrent(cell: str, kind: type[nn.Module], family: str, head: type[nn.Module]) -> None:
    core = CoreSpec.model_validate({"cell": cell, "width": 5, "layers": 3})
    made = build(RecurrentSpec(core=core, head=HeadSpec.model_validate({"family": family})), TASK)
    assert isinstance(made, Recurrent)
    assert isinstance(made.head, head)
    assert (parts(made, kind), parts(made, Residual), made.core.features) == (3, 3, 5)
    assert (made.horizon, made.stride, made.seasons, made.past) == (6, 2, (4, 12), 1)
    plain = build(RecurrentSpec(core=core.model_copy(update={"skip": "none"})), TASK)
    assert parts(plain, Residual) == 0


@pytest.mark.parametrize(("skip", "around", "features"), [("residual", Residual, 5), ("dense", Dense, 5 * 4)])
def test_plain_layers_stand_on_the_recurrent_ones(skip: str, around: type[Core], features: int) -> None:
    spec = CoreSpec.model_validate({"cell": "gru", "width": 5, "layers": 2, "top": 1, "skip": skip})
    made = build_core(spec)
    assert isinstance(made, Stack)
    assert all(isinstance(layer, around) for layer in made.cores)
    assert [parts(layer, Plain) for layer in made.cores] == [0, 0, 1]
    assert (made.inputs, made.features) == (5, features)


def test_pointwise() -> None:
    naive, linear = build(SeasonalNaiveSpec(), TASK), build(LinearSpec(), TASK)
    assert isinstance(naive, SeasonalNaive)
    assert (naive.horizon, naive.season, naive.past) == (6, 4, 1)
    assert isinstance(linear, Linear)
    assert (linear.horizon, linear.memory) == (6, 24)
    assert build(LinearSpec(lags=3), TASK).state_dict()["map.weight"].shape == (6, 3)


@pytest.mark.parametrize(
    ("season", "horizon", "seasons", "past", "lags"),
    [
        *((168, 48, 2, 0, 336), (168, 48, 4, 0, 672), (168, 48, 4, 3, 504), (12, 60, 4, 0, 60), (12, 6, 1, 0, 12)),
        *((1008, 144, 4, 0, 2016), (600, 9, 4, 0, 1800), (2016, 12, 4, 0, 4032), (2016, 12, 2, 3, 4032)),
    ],
)
def test_a_regression_looks_back_on_seasons_and_on_no_more_columns_than_it_solves_in_seconds_but_for_two(
    season: int, horizon: int, seasons: int, past: int, lags: int
) -> None:
    made = build(LinearSpec(seasons=seasons, covariates=True), Task(horizon=horizon, seasons=(season,), past=past))
    assert isinstance(made, Linear)
    assert made.memory == lags


@pytest.mark.parametrize(
    ("seasons", "horizon", "past", "lags"),
    [
        *(((1440, 10080), 60, 0, 2880), ((288, 2016), 12, 0, 4032), ((288, 2016), 12, 1, 864), ((24, 168), 48, 0, 672)),
        *(((86_400,), 60, 0, 4096), ((86_400,), 9000, 3, 1024), ((1,), 9000, 0, 4096)),
    ],
)
def test_a_shorter_season_is_taken_where_two_of_the_longest_are_too_wide(
    seasons: tuple[int, ...], horizon: int, past: int, lags: int
) -> None:
    spec = LinearSpec(seasons=4, widest=4096, changes=True, covariates=True)
    made = build(spec, Task(horizon=horizon, seasons=seasons, past=past))
    assert isinstance(made, Linear)
    assert made.memory == lags
    told = made.moves(torch.randn(2, lags).double(), torch.ones(2, 1).double())
    assert told.isfinite().all()  # also of seasons that it does not look back on


def test_the_same_seed_gives_the_same_weights_and_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, other, third = (build(RecurrentSpec(), TASK, seed).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert any(not torch.equal(one[name], third[name]) for name in one)


@pytest.mark.parametrize(
    ("cell", "options", "message"),
    [
        ("ar", {"order": 2.5}, "the option 'order' of the cell 'ar' is 2.5; Input should be a valid integer"),
        ("ar", {"order": True}, "the option 'order' of the cell 'ar' is True; Input should be a valid integer"),
        ("ar", {"order": 0}, "the option 'order' of the cell 'ar' is 0; Input should be greater than 0"),
        ("ar", {"order": 2, "hidden": -1}, "the option 'hidden' of the cell 'ar' is -1; Input should be greater than"),
        ("ar", {"width": 3}, "the cell 'ar' has no option 'width'; choose from order, hidden"),
        ("gru", {"order": 2}, "the cell 'gru' has no option 'order'; leave it out"),
        ("grue", {}, "no cell is called 'grue'; choose from ar,"),
    ],
)
def test_options_that_a_cell_does_not_take_are_refused(cell: str, options: dict[str, float], message: str) -> None:
    with pytest.raises(DataError) as caught:
        build_core(CoreSpec(cell=cell, options=options))
    assert str(caught.value).startswith(message)


def test_an_option_may_be_by_keyword_only() -> None:
    class Own:
        def __init__(self, inputs: int, *, order: int = 1, **_: int) -> None:
            self.made_of = inputs, order

    assert make({"own": Own}, "cell", "own", 3, order=2).made_of == (3, 2)
    with pytest.raises(DataError, match="has no option '_'; choose from order"):
        make({"own": Own}, "cell", "own", 3, _=2)


@pytest.mark.parametrize("option", ["args", "kwargs", "width"])
def test_a_head_without_options_takes_none(option: str) -> None:
    with pytest.raises(DataError, match=f"the head 'student_t' has no option '{option}'; leave it out"):
        build(RecurrentSpec(head=HeadSpec(family="student_t", options={option: True})), TASK)


@pytest.mark.parametrize("name", MODELS)
def test_specifications_survive_json(name: str) -> None:
    kinds: TypeAdapter[ModelSpec] = TypeAdapter(ModelSpec)
    spec, task = MODELS[name].spec, MODELS[name].task
    assert kinds.validate_json(kinds.dump_json(spec)) == spec
    assert Task.model_validate_json(task.model_dump_json()) == task


@pytest.mark.parametrize(
    "wrong",
    [
        {"horizon": 0},
        {"horizon": 2, "stride": 3},
        {"horizon": 2, "seasons": ()},
        {"horizon": 2, "seasons": (0,)},
        {"horizon": 2, "known": -1},
        {"horizon": 2, "colour": "red"},
    ],
)
def test_impossible_tasks_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Task.model_validate(wrong)
