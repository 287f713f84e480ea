"""What can be asked of a model, and of which series."""

import math
import re
from typing import Any

import numpy as np
import pytest

from forecaster.artifact import Artifact
from forecaster.build import build
from forecaster.errors import DataError
from forecaster.manifest import ArtifactSpec, DataSpec, Training
from forecaster.spec import (
    CoreSpec,
    EnsembleSpec,
    HeadSpec,
    LabelCountsSpec,
    ModelSpec,
    RecurrentSpec,
    SeasonalNaiveSpec,
    Task,
)
from pipelines.data.doors import panel_from_series
from pipelines.data.panel import Panel
from pipelines.forecasting.ask import Question, answer_frame, ask
from pipelines.forecasting.doubts import doubts
from tests.examples import Example

GRU = RecurrentSpec(core=CoreSpec(cell="gru", width=4, layers=1))
COUNTS = RecurrentSpec(core=GRU.core, head=HeadSpec(family="negative_binomial"))
NAIVE = SeasonalNaiveSpec()
BOTH = EnsembleSpec(members=(NAIVE, GRU), median=True)
NOBODY = Training(series=1, observations=1, start=None, until=None, digest="")


def asked(model: ModelSpec, *, positive: bool = True) -> Artifact:
    data, task = DataSpec(frequency="D", positive=positive), Task(horizon=3, seasons=(2,), positive=positive)
    spec = ArtifactSpec(candidate="test", data=data, task=task, model=model, training=NOBODY, packages={})
    return Artifact(spec, Example(model, task).model().eval())


def days(*series: list[float | None], frequency: str = "D") -> Panel:
    return panel_from_series(list("abc")[: len(series)], ["2024-01-01"] * len(series), series, frequency)


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"horizon": 0}, "a horizon of 0 steps; give 1 or more"),
        ({"levels": (10.0, 50.0)}, "quantiles [10.0, 50.0]; give levels between 0 and 1"),
        ({"levels": (0.0, 0.5)}, "quantiles [0.0, 0.5]"),
        ({"levels": (0.5, 1.0)}, "quantiles [0.5, 1.0]"),
        ({"levels": (math.nan,)}, "quantiles [nan]"),
        ({"levels": ()}, "quantiles []"),
        ({"paths": -1}, "-1 paths"),
        ({"temperature": math.inf}, "a temperature of inf"),
    ],
)
def test_what_cannot_be_asked_of_any_model(question: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        Question(**({"horizon": 3} | question))


def test_two_levels_are_two_columns() -> None:
    near = Question(3, (0.09999999999999998, 0.1, 0.5))
    ask(asked(NAIVE), days([1, 2, 3]), near)
    with pytest.raises(DataError, match="give levels that differ in six digits"):
        answer_frame(asked(NAIVE), days([1, 2, 3]), near)


@pytest.mark.parametrize("model", [NAIVE, GRU, BOTH, COUNTS])
def test_a_series_of_which_nothing_is_known_is_refused(model: ModelSpec) -> None:
    with pytest.raises(DataError, match=r"series 'b': the model reads .*, and there are none; give at least one"):
        ask(asked(model), days([1, 2, None], [None, None]), Question(3))


@pytest.mark.parametrize("model", [GRU, BOTH])
def test_a_model_of_logarithms_tells_of_values_that_have_none(model: ModelSpec) -> None:
    artifact, panel = asked(model), days([5, 6, 7], [None, 4, 0, -2, 4])
    assert doubts(artifact, panel) == (
        "series 'b', ds 2024-01-03 00:00: the value 0, and there were only numbers above 0 in training; 2 times in 1"
        " series read as missing",
    )
    ask(artifact, panel, Question(3))
    assert doubts(artifact, days([5, 6, None])) == ()
    with pytest.raises(DataError, match="series 'b': the model reads numbers above 0, and there are none"):
        ask(artifact, days([5, 6, 7], [0, 0, -1]), Question(3))


def test_values_of_a_coarser_frequency_are_told_of() -> None:
    """Weeks asked of a model of days, where what lies between is missing; what is sold now and then is left alone."""
    weeks: list[float | None] = [1, *[None] * 6] * 10
    now_and_then: list[float | None] = [1, None, None, 2, None, 3, *[None] * 4] * 5
    artifact = asked(NAIVE)
    apart = "in 1 of 3 series values come far apart, as in 'b' every 7 steps of 'D'"
    assert doubts(artifact, days([1, 2], weeks, now_and_then)) == (f"{apart}; what lies between is read as missing",)
    assert doubts(artifact, days(weeks[:-7], [None, 1])) == ()


@pytest.mark.parametrize(("model", "positive"), [(NAIVE, True), (GRU, False)])
def test_a_model_of_all_numbers_reads_zeros(model: ModelSpec, positive: bool) -> None:
    artifact, panel = asked(model, positive=positive), days([0, -1, 0], [0, 0])
    assert doubts(artifact, panel) == ()
    assert np.isfinite(ask(artifact, panel, Question(3)).frame()["mean"]).all()


@pytest.mark.parametrize("value", [0.5, -1.0, 2e9])
def test_a_model_of_counts_refuses_what_is_none(value: float) -> None:
    told = f"series 'b', ds 2024-01-02 00:00: the value {value:g}, and the model is for counts"
    with pytest.raises(DataError, match=re.escape(told)):
        ask(asked(COUNTS), days([1, 2, 3], [4, value]), Question(3))


def test_a_series_that_would_leave_the_calendar_is_named() -> None:
    panel = panel_from_series(["near", "far"], ["2024-01-01", "2199-01-01"], [[1.0, 2.0]] * 2, "D")
    with pytest.raises(DataError, match="series 'far', horizon: a time outside the years 1700 to 2200"):
        ask(asked(NAIVE), panel, Question(1000))


def test_another_frequency_is_refused() -> None:
    with pytest.raises(DataError, match="the frequency is 'W-MON' and the model's is 'D'; resample to 'D'"):
        ask(asked(NAIVE), days([1, 2, 3], frequency="W-MON"), Question(3))


def test_no_more_is_told_than_can_be_read() -> None:
    data = DataSpec(frequency="D", labels=("idle",))
    model, task = LabelCountsSpec(order=0), Task(horizon=1, labels=1)
    spec = ArtifactSpec(candidate="test", data=data, task=task, model=model, training=NOBODY, packages={})
    artifact = Artifact(spec, build(model, task))
    words = panel_from_series(["a"], ["2024-01-01"], [[f"w{step}" for step in range(150)]], "D")
    told = doubts(artifact, words)
    assert len(told) == 100
    assert told[-1] == "there is more to be doubted"
    assert doubts(artifact, words, ["before"] * 150) == (*["before"] * 99, told[-1])
    assert len(doubts(artifact, panel_from_series(["a"], ["2024-01-01"], [words.labels[:100]], "D"))) == 100
