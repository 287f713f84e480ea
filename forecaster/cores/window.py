"""The way to stream what cannot stream: keep the last inputs, and encode them again for each forecast."""

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from forecaster.core import Core
from forecaster.cores.decoder import Decoder
from forecaster.cores.encoder import Encoder
from forecaster.state import State


class Window(Core):
    """Remembers the last `context` inputs and computes nothing; its features are all of them in one row.

    An input is followed by a one, so that zeros say how much has not been read yet.
    """

    def __init__(self, inputs: int, context: int) -> None:
        super().__init__()
        self.inputs, self.context = inputs, context
        self.features = context * (inputs + 1)
        self.register_buffer("nothing", torch.zeros(0), persistent=False)

    def initial(self, batch: int) -> State:
        return {"inputs": self.get_buffer("nothing").new_zeros(batch, self.context, self.inputs + 1)}

    def scan(
        self, state: State, xs: Float[Tensor, "batch time inputs"]
    ) -> tuple[State, Float[Tensor, "batch time features"]]:
        rows = torch.cat([state["inputs"], nn.functional.pad(xs, (0, 1), value=1.0)], 1)
        windows = rows[:, 1:].flatten(1).unfold(1, self.features, self.inputs + 1)  # a view: nothing is copied
        return {"inputs": rows[:, -self.context :]}, windows


class Encoded(Decoder):
    """Encodes the rows of a `Window` afresh and decodes from the summary: each forecast costs the whole window."""

    def __init__(self, encoder: Encoder, decoder: Decoder) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def decode(
        self,
        features: Float[Tensor, "batch steps features"],
        lagged: Float32[Tensor, "batch steps seasons horizon"],
        known: Float32[Tensor, "batch steps horizon known"],
    ) -> Float32[Tensor, "batch steps horizon width"]:
        rows = torch.unflatten(features.flatten(0, 1), 1, (-1, self.encoder.inputs + 1))
        begin = (rows[..., -1] == 0).sum(1)
        summary, _ = self.encoder.encode(rows[..., :-1], begin)
        return self.decoder.decode(torch.unflatten(summary, 0, features.shape[:2]), lagged, known)
