"""The streaming recurrent model: level and scale in the carry, one recurrent step per segment, losses all along."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Float32, Float64
from torch import Tensor, nn

from forecaster.batch import Batch, Forecast
from forecaster.categories import Categories
from forecaster.core import Core
from forecaster.cores.compose import Dilated
from forecaster.cores.decoder import Decoder
from forecaster.cores.scale import Smoothing, normalise, worth
from forecaster.head import Anchor, Head
from forecaster.model import Carry, Numeric, seasonal
from forecaster.parallel import mean_loss
from forecaster.quantiles import LEVELS
from forecaster.state import afresh, part, parts

OVERLAP = 8
"""Training forecasts an observation from so many origins, up to twice as many: more of them would say little new."""


class Reading(NamedTuple):
    """What a scan over a batch gives, at each of its steps."""

    features: Float[Tensor, "batch steps features"]
    """In bfloat16 under autocast."""
    level: Float64[Tensor, "batch steps 1"]
    scale: Float64[Tensor, "batch steps 1"]
    weight: Float64[Tensor, "batch steps 1"]
    coming: Float32[Tensor, "batch steps coming"]
    """What every season says of the steps ahead, as far as it does not repeat itself, in scaled units."""

    def thinned(self, apart: int) -> "Reading":
        """Those of the first step, and of every `apart`-th after it."""
        return Reading(*(values[:, ::apart] for values in self))


class Recurrent(Numeric):
    """A recurrent core over segments of a series that is levelled and scaled on the way.

    At every step the core reads the last `stride` observations in units of the smoothed scale, the covariates of the
    same stretch, what the seasons say of the steps ahead, and the logarithm of scale over level. From every step the
    decoder and the head give the distribution of all `horizon` steps ahead, to which a learned share of the seasons
    is added, so that the core learns what the seasons do not tell. The loss takes all of them, or every second, third
    ... (`apart`) where the horizon is many steps long. Where it is an error it counts in the units of the series.

    The carry keeps `stride` phases: each new observation completes one phase's segment and costs one recurrent step
    (`Dilated`). Training runs a single phase along a lane, since phases do not see each other.
    """

    def __init__(
        self,
        core: Core,
        decoder: Decoder,
        head: Head,
        *,
        horizon: int,
        stride: int,
        seasons: tuple[int, ...],
        known: int = 0,
        past: int = 0,
        static: tuple[int, ...] = (),
        relative: bool = True,
    ) -> None:
        super().__init__()
        if stride > horizon:
            raise ValueError(f"a segment of {stride} steps is longer than the horizon of {horizon}")
        self.core, self.decoder, self.head = core, decoder, head
        self.support = head.support
        self.horizon, self.stride, self.seasons = horizon, stride, seasons
        self.known, self.past = known, past
        self.memory = max(stride, *seasons)
        self.repeating = [min(season, horizon) for season in seasons]
        self.apart = max(1, horizon // (OVERLAP * stride))
        self.smoothing = Smoothing(stride, relative)
        self.embed = Categories(static)
        self.input = nn.Linear(
            stride * (2 + known + 2 * past) + sum(self.repeating) + self.embed.width + 1, core.inputs
        )
        self.share = nn.Parameter(torch.full((len(seasons), horizon), 1 / len(seasons)))
        self.ahead = nn.Sequential(nn.Linear(known, 16), nn.Tanh(), nn.Linear(16, head.width)) if known else None

    def start(self, lanes: int, stride: int = 1) -> Carry:
        if self.stride % stride:
            raise ValueError(f"a model of stride {self.stride} cannot be read {stride} observations at a time")
        phases, like = self.stride // stride, self.input.weight
        return parts(
            core=Dilated(self.core, phases).initial(lanes),
            scale=Dilated(self.smoothing, phases).initial(lanes),
            last={
                "target": like.new_full((lanes, self.memory), torch.nan, dtype=torch.float64),
                "known": like.new_zeros(lanes, self.stride, self.known),
                "past": like.new_full((lanes, self.stride, self.past), torch.nan),
                "static": like.new_zeros(lanes, len(self.embed), dtype=torch.int64),
                "features": like.new_zeros(lanes, self.core.features),
                "level": like.new_zeros(lanes, 1, dtype=torch.float64),
                "scale": like.new_zeros(lanes, 1, dtype=torch.float64),
            },
        )

    def observe(self, carry: Carry, batch: Batch) -> Carry:
        return self._read(carry, batch)[0]

    def loss(self, carry: Carry, batch: Batch) -> tuple[Carry, Float32[Tensor, ""]]:
        after, reading = self._read(carry, batch)
        stride = batch.target.shape[1] // reading.features.shape[1]
        reading = reading.thinned(self.apart)

        def following(values: Tensor) -> Tensor:
            """The next `self.horizon` values from each origin, of [batch, time, ...]."""
            return values[:, stride:].unfold(1, self.horizon, stride * self.apart)[:, : reading.features.shape[1]]

        ahead = following(torch.cat([batch.target, batch.future], 1))
        raw, centre = self._decode(reading.features, reading.coming, following(batch.known).transpose(2, 3))
        counts = ~ahead.isnan() & (reading.scale > 0)
        anchor = Anchor(reading.level, reading.scale, centre)
        losses = self.head.loss(raw, torch.where(counts, ahead, reading.level), anchor)
        trust = torch.where(counts, reading.weight.detach().float(), 0.0)  # the unit of a new series can be tiny
        if self.head.homogeneous:
            trust = trust * worth(reading.scale, reading.level, batch.unit, self.smoothing.relative)
        return after, mean_loss(trust * losses, counts)

    def block(self, carry: Carry, known: Float32[Tensor, "batch horizon known"]) -> Forecast:
        last = part(carry, "last")
        level, scale = last["level"].unsqueeze(1), last["scale"].unsqueeze(1)
        coming = self._coming(last["target"], self.memory, 1, level, scale)
        raw, centre = self._decode(last["features"].unsqueeze(1), coming, known.unsqueeze(1))
        anchor = Anchor(level, scale, centre)
        return Forecast(
            levels=LEVELS,
            quantiles=self.head.quantile(raw, LEVELS, anchor).squeeze(1),
            mean=self.head.mean(raw, anchor).squeeze(1),
        )

    def _read(self, carry: Carry, batch: Batch) -> tuple[Carry, Reading]:
        phases = carry["scale.weight"].shape[1]
        stride = self.stride // phases
        carry = afresh(carry, batch.reset, lambda lanes: self.start(lanes, stride))
        last, time = part(carry, "last"), batch.target.shape[1]
        target = torch.cat([last["target"], batch.target], 1)
        known = torch.cat([last["known"], batch.known[:, :time]], 1)
        past = torch.cat([last["past"], batch.past], 1)

        def segments(values: Tensor) -> Tensor:
            """The last `self.stride` values at each step, of [batch, time, ...]."""
            return values[:, values.shape[1] - time + stride - self.stride :].unfold(1, self.stride, stride)

        patch = segments(target)
        scale_state, smooth = Dilated(self.smoothing, phases).scan(part(carry, "scale"), patch)
        level, scale, weight = smooth.split(1, -1)
        values = normalise(patch, level, scale)
        coming = self._coming(target, self.memory + stride, stride, level, scale)
        covariates = torch.cat([segments(known), segments(past), ~segments(past).isnan()], 2).flatten(2)
        inputs = torch.cat(
            [
                values.nan_to_num(),
                ~values.isnan(),
                coming,
                covariates.nan_to_num(),
                _log_ratio(scale, self.smoothing.size(level)),
                self.embed(batch.static, patch.shape[1]),
            ],
            -1,
        )
        core_state, features = Dilated(self.core, phases).scan(part(carry, "core"), self.input(inputs))
        after = {
            "target": target[:, -self.memory :],
            "known": known[:, -self.stride :],
            "past": past[:, -self.stride :],
            "static": batch.static,
            "features": features[:, -1].float(),
            "level": level[:, -1],
            "scale": scale[:, -1],
        }
        return parts(core=core_state, scale=scale_state, last=after), Reading(features, level, scale, weight, coming)

    def _coming(
        self,
        target: Float64[Tensor, "batch time"],
        first: int,
        stride: int,
        level: Float64[Tensor, "batch steps 1"],
        scale: Float64[Tensor, "batch steps 1"],
    ) -> Float32[Tensor, "batch steps coming"]:
        """The last season of each length as it would come again, in scaled units; zero where nothing is known of it."""
        of_each = zip(self.seasons, self.repeating, strict=True)
        told = torch.cat([seasonal(target, season, length, first, stride) for season, length in of_each], -1)
        return normalise(told, level, scale).nan_to_num()

    def _decode(
        self,
        features: Float[Tensor, "batch steps features"],
        coming: Float32[Tensor, "batch steps coming"],
        known: Float32[Tensor, "batch steps horizon known"],
    ) -> tuple[Float32[Tensor, "batch steps horizon width"], Float32[Tensor, "batch steps horizon"]]:
        """Raw parameters of the head for each step ahead, and the point in scaled units that they refer to."""
        seasons = coming.split(self.repeating, -1)
        lagged = torch.stack([one[..., [h % one.shape[-1] for h in range(self.horizon)]] for one in seasons], 2)
        raw = self.decoder.decode(features, lagged, known)
        if self.ahead is not None:
            raw = raw + self.ahead(known)
        return raw, (self.share * lagged).sum(2)


def _log_ratio(scale: Float64[Tensor, "*shape"], size: Float64[Tensor, "*shape"]) -> Float32[Tensor, "*shape"]:
    """log(scale / size), bounded: how lively a series is, whatever its unit."""
    tiny = torch.finfo(torch.float64).tiny
    return (scale.clamp(min=tiny) / size.clamp(min=tiny)).clamp(1e-4, 1e4).log().float()
