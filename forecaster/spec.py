"""What to build and how to train it, as checked values. No torch."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class Spec(BaseModel):
    """A frozen value; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _known(cls, told: Any) -> Any:
        """Say also which keys there are."""
        for key in told if isinstance(told, dict) else ():
            if key not in cls.model_fields:
                raise ValueError(f"there is no {str(key)!r}; choose from {', '.join(sorted(cls.model_fields))}")
        return told


class CoreSpec(Spec):
    """A stack of equal recurrent cells, with plain layers on top."""

    cell: str = "lstm"
    """Name of a class in `forecaster.cells`."""
    width: int = Field(128, ge=1, le=4096)
    layers: int = Field(2, ge=1, le=64)
    top: int = Field(0, ge=0, le=64)
    """Plain layers, which have no memory, on the recurrent ones."""
    skip: Literal["none", "residual", "dense"] = "residual"
    """Connection around every layer: its inputs are added to its features, or stay beside them."""
    options: dict[str, bool | int | float] = {}
    """What else the cell is made from."""


class HeadSpec(Spec):
    """The distribution family of the forecasts."""

    family: str = "quantile"
    """Name of a class in `forecaster.heads`."""
    options: dict[str, bool | int | float] = {}
    """The arguments of that class."""

    @field_validator("options")
    @classmethod
    def _without_temperature(cls, options: dict[str, bool | int | float]) -> dict[str, bool | int | float]:
        """Artifacts have a temperature of 1 from when it was no matter of the request; it changed nothing."""
        return dict(options.items() - {("temperature", 1.0)})


class Task(Spec):
    """What is to be forecast: fixed by the data and the question, the same for every candidate."""

    horizon: int = Field(ge=1)
    stride: int = Field(1, ge=1)
    seasons: tuple[int, ...] = (1,)
    known: int = Field(0, ge=0)
    past: int = Field(0, ge=0)
    static: tuple[int, ...] = ()
    """Number of categories of each static covariate."""
    positive: bool = False
    """Whether all values were positive, so that networks may see their logarithms."""
    labels: int = Field(0, ge=0)
    """Size of the vocabulary of what is told; 0 stands for numbers."""
    end: int | None = Field(None, ge=0)
    """Code of the label that ends a series."""

    @model_validator(mode="after")
    def _consistent(self) -> "Task":
        if self.stride > self.horizon:
            raise ValueError(f"stride {self.stride} is longer than the horizon {self.horizon}")
        if not self.seasons or min(self.seasons) < 1:
            raise ValueError("seasons are positive; (1,) stands for none")
        return self


class RecurrentSpec(Spec):
    """`forecaster.models.recurrent.Recurrent`."""

    kind: Literal["recurrent"] = "recurrent"
    core: CoreSpec = CoreSpec()
    context: int | None = Field(None, ge=1)
    """Recurrent steps of a window that two such cores read in both directions, afresh for each forecast; without it
    one reads on forever."""
    decoder: CoreSpec | None = None
    """What is unrolled over the horizon; without it all steps ahead come at once."""
    head: HeadSpec = HeadSpec()
    logarithm: bool = True
    """Whether it sees the logarithms of series that are all positive."""


class LinearSpec(Spec):
    """`forecaster.models.linear.Linear`: a linear map of the last values."""

    kind: Literal["linear"] = "linear"
    lags: int = Field(0, ge=0)
    """Number of last values; 0 chooses `seasons` of the longest season, at least one horizon."""
    seasons: int = Field(2, ge=1)
    """Two of them are what artifacts mean that say nothing of it."""
    widest: int | None = Field(None, ge=1)
    """Columns of lags at most: where two of a season are more, a shorter season is taken; artifacts that say nothing
    of it have no limit."""
    changes: bool = False
    """Whether deviations are told from changes of the last values too; artifacts that say nothing have no weights for
    them."""
    covariates: bool = False
    """Whether it reads them; artifacts in which it did not yet say nothing of it."""


class SeasonalNaiveSpec(Spec):
    """`forecaster.models.pointwise.SeasonalNaive`: the last season repeated."""

    kind: Literal["seasonal_naive"] = "seasonal_naive"
    season: int = Field(0, ge=0)
    """Number of values that are repeated; 0 stands for the shortest season of the task."""


class ThetaSpec(Spec):
    """`forecaster.models.theta.Theta`: exponential smoothing with drift, of each series by itself."""

    kind: Literal["theta"] = "theta"
    memory: int = Field(256, ge=1)
    """Number of last values that it is told from; four seasons at least."""


class StateSpaceSpec(Spec):
    """`forecaster.models.structural.Structural`: level, trend and seasons by Kalman's filter."""

    kind: Literal["state_space"] = "state_space"
    harmonics: int = Field(6, ge=0)
    """Waves of each season at most; half its steps are enough for any pattern."""
    covariates: bool = False
    """As in `LinearSpec`."""


class EnsembleSpec(Spec):
    """`forecaster.models.ensemble.Ensemble`: the median or mean of several models."""

    kind: Literal["ensemble"] = "ensemble"
    members: tuple["ModelSpec", ...] = Field(min_length=1)
    median: bool = False
    """The mean is what artifacts have that say nothing of it."""


class LabelRecurrentSpec(Spec):
    """`forecaster.models.labels.recurrent.LabelRecurrent`."""

    kind: Literal["label_recurrent"] = "label_recurrent"
    core: CoreSpec = CoreSpec()


class LabelCountsSpec(Spec):
    """`forecaster.models.labels.counts.LabelCounts`: frequencies (order 0) or a Markov chain (order 1)."""

    kind: Literal["label_counts"] = "label_counts"
    order: Literal[0, 1]


class WholeSpec(Spec):
    """`forecaster.models.whole`: one label or one number for a whole series."""

    kind: Literal["whole"] = "whole"
    core: CoreSpec | None = None
    """What reads the series; without it answers are the frequencies of the labels, or the mean of the numbers."""


LabelSpec = LabelRecurrentSpec | LabelCountsSpec
"""Models of labels; all others are of numbers."""
ModelSpec = Annotated[
    RecurrentSpec | LinearSpec | SeasonalNaiveSpec | ThetaSpec | StateSpaceSpec | EnsembleSpec | LabelSpec | WholeSpec,
    Field(discriminator="kind"),
]


class FitSpec(Spec):
    """How to train by gradient descent."""

    updates: int = Field(1000, ge=1)
    """Steps of gradient descent."""
    lanes: int = Field(64, ge=1)
    """Series that are read side by side."""
    bptt: int = Field(32, ge=1)
    """Recurrent steps through which the gradient reaches; the state runs on."""
    sampling: Literal["lanes", "windows"] = "lanes"
    """Whole histories with the state carried on, or windows of `bptt` steps that stand alone."""
    learning_rate: float = Field(4e-3, gt=0)
    weight_decay: float = Field(1e-3, ge=0)
    clip: float = Field(1.0, gt=0)
    """Largest norm of the gradient."""
    warmup: float = Field(0.1, ge=0, lt=1)
    """Share of the updates in which the learning rate rises; then it falls along a cosine."""
    seed: int = Field(0, ge=0)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of the network in training; the scale is float64 everywhere. `auto` is bfloat16 on a CPU that has
    instructions for it, and float32 elsewhere."""
