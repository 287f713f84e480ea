"""The law of `Encoder`, and the encoder-decoder against torch and by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from forecaster.cells.fused import GRU, LSTM
from forecaster.core import Core
from forecaster.cores.decoder import Bridge, Direct, Unrolled
from forecaster.cores.encoder import Bidirectional, Encoder
from forecaster.cores.window import Encoded, Window
from tests import laws
from tests.examples import ENCODERS, seeds

every_encoder = pytest.mark.parametrize("name", ENCODERS)


def case(name: str, batch: int, time: int, seed: int) -> tuple[Encoder, torch.Tensor]:
    torch.manual_seed(seed)
    return ENCODERS[name]().double(), torch.randn(batch, time, 2, dtype=torch.float64)


@every_encoder
@given(begin=st.lists(st.integers(0, 4), min_size=1, max_size=4), seed=seeds)
def test_a_lane_is_encoded_as_alone(name: str, begin: list[int], seed: int) -> None:
    encoder, xs = case(name, len(begin), 5, seed)
    laws.encoder_lanes(encoder, xs, torch.tensor(begin))


@every_encoder
def test_every_step_is_seen_from_every_step(name: str) -> None:
    laws.encoder_sees_all(*case(name, 2, 5, 0))


def test_an_encoder_cannot_be_stepped() -> None:
    """It says so by its type."""
    assert not issubclass(Encoder, Core)
    assert not hasattr(Encoder, "step")


def test_nothing_but_padding_is_encoded_as_zero() -> None:
    encoder, xs = case("gru and lstm", 2, 5, 0)
    summary, features = encoder.encode(xs, torch.tensor([5, 0]))
    assert not summary[0].any()
    assert not features[0].any()
    assert summary[1].all()


@given(time=st.integers(1, 12), seed=seeds)
def test_equals_the_bidirectional_lstm_of_torch(time: int, seed: int) -> None:
    torch.manual_seed(seed)
    theirs = nn.LSTM(2, 3, batch_first=True, bidirectional=True)
    forward, backward = LSTM(2, 3), LSTM(2, 3)
    weights = theirs.state_dict()
    forward.rnn.load_state_dict({k: v for k, v in weights.items() if not k.endswith("_reverse")})
    backward.rnn.load_state_dict({k.removesuffix("_reverse"): v for k, v in weights.items() if k.endswith("_reverse")})
    xs = torch.randn(4, time, 2)
    summary, features = Bidirectional(forward, backward).encode(xs, torch.zeros(4, dtype=torch.int64))
    expected, (hidden, _) = theirs(xs)
    assert_close(features, expected)
    assert_close(summary, hidden.transpose(0, 1).flatten(1))


def test_both_directions_read_the_same_inputs() -> None:
    with pytest.raises(ValueError, match="same inputs, not 2 and 3"):
        Bidirectional(GRU(2, 3), GRU(3, 3))


def test_a_window_is_encoded_as_far_as_it_is_filled() -> None:
    """What streams through a window of four gives at each step the encoding of the last four inputs."""
    torch.manual_seed(0)
    encoder, xs = Bidirectional(GRU(2, 3), GRU(2, 3)), torch.randn(1, 7, 2)
    window, direct = Window(2, 4), Direct(6, horizon=2, width=1)
    nn.init.normal_(direct.output.weight)
    lagged, known = torch.zeros(1, 7, 1, 2), torch.zeros(1, 7, 2, 0)
    raw = Encoded(encoder, direct).decode(window.scan(window.initial(1), xs)[1], lagged, known)
    for end in range(1, 8):
        last = xs[:, max(end - 4, 0) : end]
        summary, _ = encoder.encode(last, torch.zeros(1, dtype=torch.int64))
        assert_close(raw[0, end - 1, :, 0], direct.output(summary)[0])


def test_unrolled_by_hand() -> None:
    """A state made of the features, then a step a segment, which reads the seasons and the covariates before it."""
    torch.manual_seed(0)
    core = GRU(4, 3)
    decoder = Unrolled(5, core, horizon=5, width=2, stride=2, seasons=1, known=1)
    nn.init.normal_(decoder.output.weight)
    features, lagged, known = torch.randn(1, 1, 5), torch.randn(1, 1, 1, 5), torch.randn(1, 1, 5, 1)
    raw = decoder.decode(features, lagged, known)
    state, expected = {"hidden": decoder.bridge.map(features[0]).tanh()}, []
    for seasons, before in (([0, 1], []), ([2, 3], [0, 1]), ([4], [2, 3])):
        pairs = torch.zeros(2, 2)
        pairs[: len(seasons), 0] = lagged[0, 0, 0, seasons]
        pairs[: len(before), 1] = known[0, 0, before, 0]
        state, out = core.step(state, decoder.input(pairs.view(1, 4)))
        expected.append(decoder.output(out).view(2, 2))
    assert_close(raw[0, 0], torch.cat(expected)[:5])


def test_training_starts_at_what_the_seasons_say() -> None:
    decoder = Unrolled(5, LSTM(4, 3), horizon=5, width=2, stride=2, seasons=1, known=1)
    assert not decoder.decode(torch.randn(2, 3, 5), torch.randn(2, 3, 1, 5), torch.randn(2, 3, 5, 1)).any()


def test_a_bridge_makes_a_state_of_any_core() -> None:
    core = LSTM(2, 3)
    made, like = Bridge(5, core)(torch.randn(4, 5)), core.initial(4)
    assert {name: (value.shape, value.dtype) for name, value in made.items()} == {
        name: (value.shape, value.dtype) for name, value in like.items()
    }
