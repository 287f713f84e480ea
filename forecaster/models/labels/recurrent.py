"""The recurrent model of labels: tokens in, a core, a softmax out."""

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from forecaster.batch import Batch
from forecaster.categories import Categories
from forecaster.core import Core
from forecaster.gaps import tokens
from forecaster.model import Carry, seasonal
from forecaster.models.labels.model import LabelModel, cross_entropy
from forecaster.state import afresh, part, parts


class LabelRecurrent(LabelModel):
    """A recurrent language model (Mikolov et al. 2010) of the labels of a series, with covariates.

    At every step the core reads the label, what each season says of the next one, the covariates of the step and the
    categories of the series; a linear map of the one-hot tokens is their embedding. The softmax of the next step reads
    the features of the core beside the covariates known for that step. What it shares with `Recurrent` is the core and
    its state: a label has no level and no scale, so nothing is smoothed, and one step reads one label.
    """

    def __init__(
        self,
        core: Core,
        *,
        labels: int,
        end: int | None = None,
        seasons: tuple[int, ...] = (1,),
        known: int = 0,
        past: int = 0,
        static: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        self.core, self.labels, self.end = core, labels, end
        self.seasons, self.known, self.past = seasons, known, past
        self.embed = Categories(static)
        read = labels * (1 + len(seasons)) + known + 2 * past + self.embed.width
        self.input = nn.Linear(read, core.inputs)
        self.output = nn.Sequential(
            nn.Linear(core.features + known, core.features), nn.Tanh(), nn.Linear(core.features, labels)
        )

    def start(self, lanes: int, stride: int = 1) -> Carry:  # noqa: ARG002
        like = self.input.weight
        return parts(
            core=self.core.initial(lanes),
            last={
                "target": like.new_full((lanes, max(self.seasons)), torch.nan, dtype=torch.float64),
                "static": like.new_zeros(lanes, len(self.embed), dtype=torch.int64),
                "features": like.new_zeros(lanes, self.core.features),
            },
        )

    def observe(self, carry: Carry, batch: Batch) -> Carry:
        return self._read(carry, batch)[0]

    def loss(self, carry: Carry, batch: Batch) -> tuple[Carry, Float32[Tensor, ""]]:
        after, features = self._read(carry, batch)
        time = batch.target.shape[1]
        following = torch.cat([batch.target, batch.future], 1)[:, 1 : time + 1]
        logits = self.output(torch.cat([features, batch.known[:, 1 : time + 1]], -1))
        return after, cross_entropy(logits, following)

    def logits(self, carry: Carry, known: Float32[Tensor, "batch known"]) -> Float[Tensor, "batch labels"]:
        raw: Tensor = self.output(torch.cat([carry["last.features"], known], -1))
        return raw

    def _read(self, carry: Carry, batch: Batch) -> tuple[Carry, Float[Tensor, "batch time features"]]:
        carry = afresh(carry, batch.reset, self.start)
        time = batch.target.shape[1]
        target = torch.cat([carry["last.target"], batch.target], 1)
        memory = target.shape[1] - time
        coming = [seasonal(target, season, 1, memory + 1, 1)[..., 0] for season in self.seasons]
        inputs = torch.cat(
            [
                *(tokens(codes, self.labels) for codes in (batch.target, *coming)),
                batch.known[:, :time],
                batch.past.nan_to_num(),
                ~batch.past.isnan(),
                self.embed(batch.static, time),
            ],
            -1,
        )
        core, features = self.core.scan(part(carry, "core"), self.input(inputs))
        last = {"target": target[:, -memory:], "static": batch.static, "features": features[:, -1].float()}
        return parts(core=core, last=last), features
