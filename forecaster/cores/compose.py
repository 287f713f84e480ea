"""Cores made of cores."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import cast, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from forecaster.core import Core
from forecaster.state import State, part, parts, transform


class Stack(Core):
    """Cores one on the other: the features of one are the inputs of the next."""

    def __init__(self, cores: Sequence[Core]) -> None:
        super().__init__()
        self.cores = cast("Sequence[Core]", nn.ModuleList(cores))
        self.inputs = cores[0].inputs
        self.features = cores[-1].features

    def initial(self, batch: int) -> State:
        return parts(**{str(depth): core.initial(batch) for depth, core in enumerate(self.cores)})

    def scan(
        self, state: State, xs: Float[Tensor, "batch time inputs"]
    ) -> tuple[State, Float[Tensor, "batch time features"]]:
        after: dict[str, State] = {}
        for depth, core in enumerate(self.cores):
            after[str(depth)], xs = core.scan(part(state, str(depth)), xs)
        return parts(**after), xs


class Skip(Core):
    """A connection that leads the inputs of a core around it, to its features."""

    def __init__(self, core: Core, features: int) -> None:
        super().__init__()
        self.core = core
        self.inputs = core.inputs
        self.features = features

    @abstractmethod
    def join(
        self, inputs: Float[Tensor, "*shape inputs"], features: Float[Tensor, "*shape own"]
    ) -> Float[Tensor, "*shape features"]:
        """What has gone around the core and what it gives, as one."""

    @final
    def initial(self, batch: int) -> State:
        return self.core.initial(batch)

    @final
    def scan(
        self, state: State, xs: Float[Tensor, "batch time inputs"]
    ) -> tuple[State, Float[Tensor, "batch time features"]]:
        after, features = self.core.scan(state, xs)
        return after, self.join(xs, features)


class Residual(Skip):
    """Inputs + features (He et al. 2016). Raises ValueError where they are not equally wide."""

    def __init__(self, core: Core) -> None:
        if core.inputs != core.features:
            raise ValueError(f"a residual core needs equal widths, not {core.inputs} and {core.features}")
        super().__init__(core, core.features)

    def join(
        self, inputs: Float[Tensor, "*shape inputs"], features: Float[Tensor, "*shape own"]
    ) -> Float[Tensor, "*shape features"]:
        return inputs + features


class Dense(Skip):
    """Inputs beside features (Huang et al. 2017): in a stack of these each core reads what all before it have given."""

    def __init__(self, core: Core) -> None:
        super().__init__(core, core.inputs + core.features)

    def join(
        self, inputs: Float[Tensor, "*shape inputs"], features: Float[Tensor, "*shape own"]
    ) -> Float[Tensor, "*shape features"]:
        return torch.cat([inputs, features], -1)


class Dilated(Core):
    """A core that reads on from `dilation` steps ago, h_n = f(h_{n - dilation}, x_n) (Chang et al. 2017).

    Its state is the queue of the last `dilation` states of the inner core, oldest first: [batch, dilation, ...].
    Each step takes exactly one inner step, whatever the dilation.
    """

    def __init__(self, core: Core, dilation: int) -> None:
        super().__init__()
        self.core = core
        self.dilation = dilation
        self.inputs = core.inputs
        self.features = core.features

    def initial(self, batch: int) -> State:
        return self._unfold(self.core.initial(batch * self.dilation))

    def scan(
        self, state: State, xs: Float[Tensor, "batch time inputs"]
    ) -> tuple[State, Float[Tensor, "batch time features"]]:
        batch, time, width = xs.shape
        rounds, rest = divmod(time, self.dilation)
        whole = rounds * self.dilation
        outputs = []
        if rounds:  # the phases of the queue do not see each other, so they run side by side as lanes
            phases = xs[:, :whole].reshape(batch, rounds, self.dilation, width).transpose(1, 2).flatten(0, 1)
            after, features = self.core.scan(transform(lambda s: s.flatten(0, 1), state), phases)
            state = self._unfold(after)
            outputs.append(torch.unflatten(features, 0, (batch, self.dilation)).transpose(1, 2).flatten(1, 2))
        if rest:  # the oldest `rest` phases take one more step and go to the end of the queue
            oldest = transform(lambda s: s[:, :rest].flatten(0, 1), state)
            newest, features = self.core.step(oldest, xs[:, whole:].flatten(0, 1))
            state = transform(
                lambda s, new: torch.cat([s[:, rest:], torch.unflatten(new, 0, (batch, rest))], 1),
                state,
                newest,
            )
            outputs.append(torch.unflatten(features, 0, (batch, rest)))
        return state, torch.cat(outputs, 1) if rounds and rest else outputs[0]

    def _unfold(self, state: State) -> State:
        return transform(lambda s: torch.unflatten(s, 0, (-1, self.dilation)), state)
