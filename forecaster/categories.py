"""Static categories as a network reads them."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

WIDTH = 4
"""Numbers that stand for a category."""


class Categories(nn.ModuleList):
    """An embedding of each static column; code 0, a category that training has not seen, is zero."""

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__(nn.Embedding(size + 1, WIDTH, padding_idx=0) for size in sizes)
        self.width = WIDTH * len(sizes)

    def forward(self, static: Int64[Tensor, "batch static"], time: int) -> Float[Tensor, "batch time width"]:
        """The categories of each series, alike at every step."""
        codes = [code(static[:, column]) for column, code in enumerate(self)]
        read = torch.cat(codes, 1) if codes else static.new_zeros(len(static), 0).float()
        return read.unsqueeze(1).expand(-1, time, -1)
