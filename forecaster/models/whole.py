"""Many to one: one label or one number for a whole series, told after any of its observations."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Float32, Float64
from torch import Tensor, nn

from forecaster.batch import Batch, Forecast
from forecaster.categories import Categories
from forecaster.core import Core
from forecaster.cores.decoder import silent
from forecaster.cores.scale import Smoothing, normalise
from forecaster.head import Anchor
from forecaster.heads.quantile import Quantile
from forecaster.model import Carry, Numeric
from forecaster.models.labels.model import LabelModel, cross_entropy
from forecaster.parallel import mean_loss
from forecaster.quantiles import LEVELS
from forecaster.state import afresh, part, parts


class Reader(nn.Module, ABC):
    """What an answer for a whole series is made from: features after each observation."""

    features: int

    @abstractmethod
    def start(self, lanes: int) -> Carry:
        """The carry of `lanes` series before their first observation."""

    @abstractmethod
    def read(self, carry: Carry, batch: Batch) -> tuple[Carry, Float[Tensor, "batch time features"]]:
        """The carry after a batch, whose `last.features` are the last ones, and the features of its steps."""


class Blind(Reader):
    """Sees nothing of a series but its categories, and does not look at them: its one feature is always zero."""

    features = 1

    def __init__(self, static: int = 0) -> None:
        super().__init__()
        self.static = static
        self.register_buffer("nothing", torch.zeros(1), persistent=False)

    def start(self, lanes: int) -> Carry:
        features = self.get_buffer("nothing").expand(lanes, 1)
        return {"last.features": features, "last.static": features.new_zeros(lanes, self.static, dtype=torch.int64)}

    def read(self, carry: Carry, batch: Batch) -> tuple[Carry, Float[Tensor, "batch time features"]]:
        lanes, time = batch.target.shape
        return carry | {"last.static": batch.static}, self.get_buffer("nothing").expand(lanes, time, 1)


class Recurring(Reader):
    """A recurrent core over the observations of a series that is levelled and scaled on the way, as in `Recurrent`.

    One step reads one observation in units of the smoothed scale, level and scale themselves (as asinh, a logarithm
    that has a sign), the covariates of the step and the categories of the series.
    """

    def __init__(self, core: Core, *, known: int = 0, past: int = 0, static: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.core, self.features = core, core.features
        self.smoothing = Smoothing(1)
        self.embed = Categories(static)
        self.input = nn.Linear(4 + known + 2 * past + self.embed.width, core.inputs)

    def start(self, lanes: int) -> Carry:
        like = self.input.weight
        return parts(
            core=self.core.initial(lanes),
            scale=self.smoothing.initial(lanes),
            last={
                "features": like.new_zeros(lanes, self.features),
                "static": like.new_zeros(lanes, len(self.embed), dtype=torch.int64),
            },
        )

    def read(self, carry: Carry, batch: Batch) -> tuple[Carry, Float[Tensor, "batch time features"]]:
        carry = afresh(carry, batch.reset, self.start)
        target, time = batch.target.unsqueeze(-1), batch.target.shape[1]
        smoothed, smooth = self.smoothing.scan(part(carry, "scale"), target)
        level, scale = smooth[..., :1], smooth[..., 1:2]
        inputs = torch.cat(
            [
                normalise(target, level, scale).nan_to_num(),
                ~target.isnan(),
                level.asinh().float(),
                scale.asinh().float(),
                batch.known[:, :time],
                batch.past.nan_to_num(),
                ~batch.past.isnan(),
                self.embed(batch.static, time),
            ],
            -1,
        )
        core, features = self.core.scan(part(carry, "core"), self.input(inputs))
        last = {"features": features[:, -1].float(), "static": batch.static}
        return parts(core=core, scale=smoothed, last=last), features


class WholeLabel(LabelModel):
    """A softmax of the features: the label of a series as the one step that comes after it.

    Of a batch, `future` holds the answers. They are learned after every observation, so that the model tells what it
    knows so far at any time, and the gradient of each chunk of a long series has something to learn from.
    """

    end = None

    def __init__(self, reader: Reader, *, labels: int, past: int = 0) -> None:
        super().__init__()
        self.reader, self.labels, self.past = reader, labels, past
        self.output = silent(reader.features, labels)

    def count(self, answers: Float64[Tensor, "series"]) -> None:
        """Start from how often each label is the answer, by Laplace's rule of succession."""
        counts = (answers.unsqueeze(-1) == torch.arange(self.labels)).sum(0) + 1
        with torch.no_grad():
            self.output.bias.copy_((counts / counts.sum()).log())

    def start(self, lanes: int, stride: int = 1) -> Carry:  # noqa: ARG002
        return self.reader.start(lanes)

    def observe(self, carry: Carry, batch: Batch) -> Carry:
        return self.reader.read(carry, batch)[0]

    def loss(self, carry: Carry, batch: Batch) -> tuple[Carry, Float32[Tensor, ""]]:
        after, features = self.reader.read(carry, batch)
        return after, cross_entropy(self.output(features), _answers(batch))

    def logits(self, carry: Carry, known: Float32[Tensor, "batch known"]) -> Float[Tensor, "batch labels"]:  # noqa: ARG002
        raw: Tensor = self.output(carry["last.features"])
        return raw


class WholeNumber(Numeric):
    """A number for a series, as the quantiles of the one step that comes after it, learned as `WholeLabel` does.

    Answers are standardised over the series, so that zero raw outputs mean their mean.
    """

    horizon = 1
    stride = 1

    def __init__(self, reader: Reader, *, past: int = 0) -> None:
        super().__init__()
        self.reader, self.past, self.head = reader, past, Quantile()
        self.support = self.head.support
        self.output = silent(reader.features, self.head.width)

    def start(self, lanes: int, stride: int = 1) -> Carry:  # noqa: ARG002
        return self.reader.start(lanes)

    def observe(self, carry: Carry, batch: Batch) -> Carry:
        return self.reader.read(carry, batch)[0]

    def loss(self, carry: Carry, batch: Batch) -> tuple[Carry, Float32[Tensor, ""]]:
        after, features = self.reader.read(carry, batch)
        answers = _answers(batch)
        counts = ~answers.isnan()
        losses = self.head.loss(self.output(features).float(), answers.nan_to_num(), _standard(answers))
        return after, mean_loss(torch.where(counts, losses, 0.0), counts)

    def block(self, carry: Carry, known: Float32[Tensor, "batch horizon known"]) -> Forecast:  # noqa: ARG002
        raw = self.output(carry["last.features"]).unsqueeze(1)
        anchor = _standard(raw[..., 0])
        return Forecast(LEVELS, self.head.quantile(raw, LEVELS, anchor), self.head.mean(raw, anchor))


def _answers(batch: Batch) -> Float64[Tensor, "batch time"]:
    """The answer of each lane at each of its observations, NaN in gaps, which tell nothing, and beyond its end."""
    return torch.where(batch.target.isnan(), torch.nan, batch.future[:, :1])


def _standard(like: Tensor) -> Anchor:
    zeros = torch.zeros_like(like, dtype=torch.float64)
    return Anchor(zeros, zeros + 1, zeros.float())
