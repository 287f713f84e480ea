"""Kalman's filter against that of statsmodels, and what it makes of odd series."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from statsmodels.tsa.statespace.initialization import Initialization
from statsmodels.tsa.statespace.structural import UnobservedComponents
from torch import Tensor
from torch.testing import assert_close

from forecaster.cores.kalman import Kalman
from forecaster.state import State

HORIZON = 9
MODELS: dict[str, tuple[dict[str, Any], tuple[int, ...], int]] = {
    "level": ({"level": "llevel"}, (1,), 0),
    "trend": ({"level": "lltrend"}, (1,), 0),
    "season": ({"level": "lltrend", "freq_seasonal": [{"period": 12}]}, (12,), 6),
    "odd season": ({"level": "lltrend", "freq_seasonal": [{"period": 7}]}, (7,), 3),
    "few waves": ({"level": "lltrend", "freq_seasonal": [{"period": 24, "harmonics": 4}]}, (24,), 4),
    "two seasons": (
        {"level": "lltrend", "freq_seasonal": [{"period": 24, "harmonics": 3}, {"period": 168, "harmonics": 3}]},
        (24, 168),
        3,
    ),
}
"""How statsmodels calls them, and how we do."""
LEVEL, SLOPE, WAVES, PRIOR = 0.3, 0.02, 0.05, (0.4, 2.0)


def kalman(seasons: tuple[int, ...], harmonics: int, *, trend: bool = True) -> Kalman:
    """A filter with the variances above and a slope that is not damped."""
    made = Kalman(HORIZON, seasons, harmonics).double()
    waves = len(made.prior) - 1
    with torch.no_grad():
        made.noise.copy_(tensor([LEVEL, SLOPE if trend else 0.0] + [WAVES] * waves).log())
        made.prior.copy_(tensor([PRIOR[0] if trend else 0.0] + [PRIOR[1]] * waves).log())
        made.damping.fill_(math.inf)
    return made


def tensor(values: Any) -> Tensor:
    return torch.as_tensor(np.asarray(values), dtype=torch.float64)


def series(gaps: float, time: int = 90) -> np.ndarray:
    random = np.random.default_rng(0)
    values: np.ndarray = 50 + random.normal(size=time).cumsum() + 8 * np.sin(np.arange(time) * math.pi / 6)
    values[random.random(time) < gaps] = math.nan
    return values


def inputs(made: Kalman, values: np.ndarray, known: np.ndarray | None = None) -> Tensor:
    """One lane of a series and of its covariates; level, slope and waves move as they are told to."""
    beside = np.zeros((len(values), 0)) if known is None else known
    moves = np.zeros((len(values), len(made.noise)))
    return tensor(np.concatenate([values[:, None], beside, moves], 1))[None]


def none_known(features: Tensor) -> Tensor:
    """The covariates ahead of a filter that reads none."""
    return features.new_zeros(*features.shape[:-1], HORIZON, 0)


def read(made: Kalman, values: np.ndarray) -> tuple[State, Tensor, Tensor, Tensor]:
    """After each step the state [time, ...] and of what comes the means, the variances in units of e, and that unit."""
    state, states, features = made.initial(1), [], []
    with torch.no_grad():
        for x in inputs(made, values).unbind(1):
            state, each = made.step(state, x)
            states.append(state)
            features.append(each)
        means, deviations = made.ahead(torch.cat(features), none_known(torch.cat(features)))
    every = {name: torch.cat([state[name] for state in states]) for name in state}
    return every, means, (deviations / every["deviation"].unsqueeze(1)).square(), every["deviation"]


def reference(made: Kalman, values: np.ndarray, **asked: Any) -> Any:
    """The filter of statsmodels with the variances of ours and an exact diffuse level."""
    theirs = UnobservedComponents(values, **asked, loglikelihood_burn=0)
    start = Initialization(theirs.k_states)
    start.set(0, "diffuse")
    if theirs.k_states > 1:
        known = made.initial(1)["covariance"][0, 1:, 1:].detach().numpy()
        start.set((1, theirs.k_states), "known", constant=np.zeros(len(known)), stationary_cov=known)
        theirs.ssm["transition", 1, 1] = torch.sigmoid(made.damping).item()
    theirs.ssm.initialize(start)
    trend = [SLOPE] if asked["level"] == "lltrend" else []
    return theirs.filter([1.0, LEVEL, *trend, *([WAVES] * len(asked.get("freq_seasonal", [])))])


@pytest.mark.parametrize("gaps", [0.0, 0.3])
@pytest.mark.parametrize("name", MODELS)
def test_filter_agrees_with_statsmodels(name: str, gaps: float) -> None:
    """States, covariances, forecasts and likelihood, all that follows the first observation, where theirs begins."""
    asked, seasons, harmonics = MODELS[name]
    values, trend = series(gaps), asked["level"] == "lltrend"
    made = kalman(seasons, harmonics, trend=trend)
    begin = int(np.flatnonzero(~np.isnan(values))[0])
    assert (begin > 0) == (gaps > 0)
    expected = reference(made, values[begin:], **asked)
    states, means, variances, _ = read(made, values)
    ours = [n for n in range(len(made.observation)) if trend or n != 1]  # their local level has no slope

    assert_close(states["mean"][begin:, ours], tensor(expected.predicted_state[:, 1:].T))
    covariances = tensor(expected.predicted_state_cov[:, :, 1:]).permute(2, 0, 1)
    assert_close(states["covariance"][begin:][:, ours][:, :, ours], covariances)
    coming = expected.get_forecast(HORIZON)
    assert_close(means[-1], tensor(coming.predicted_mean))
    assert_close(variances[-1].sqrt(), tensor(coming.se_mean))

    errors, spreads = tensor(values[begin + 1 :]) - means[begin:-1, 0], expected.forecasts_error_cov[0, 0, 1:]
    likelihoods = stats.norm(0, np.sqrt(spreads)).logpdf(errors)
    assert np.nansum(likelihoods) == pytest.approx(expected.llf_obs[1:].sum(), rel=1e-9)


@pytest.mark.parametrize("left", [0.0, 0.7, 0.98])
def test_damped_slope_agrees_with_statsmodels(left: float) -> None:
    made = kalman((1,), 0)
    with torch.no_grad():
        made.damping.fill_(left).logit_()
    expected = reference(made, series(0.2), level="lltrend").get_forecast(HORIZON)
    _, means, variances, _ = read(made, series(0.2))
    assert_close(means[-1], tensor(expected.predicted_mean))
    assert_close(variances[-1].sqrt(), tensor(expected.se_mean))


@pytest.mark.parametrize("gaps", [0.0, 0.3])
def test_effects_of_covariates_agree_with_statsmodels(gaps: float) -> None:
    """Its regression components, as states that are estimated with all others: effects, and forecasts given what comes.

    Theirs begin with the same prior around zero as ours.
    """
    random = np.random.default_rng(3)
    known = random.normal(size=(90 + HORIZON, 2))
    values = series(gaps) + known[:90] @ [5.0, -3.0]
    made = Kalman(HORIZON, (12,), 2, known=2).double()
    with torch.no_grad():
        made.noise.copy_(tensor([LEVEL, SLOPE, WAVES, WAVES]).log())
        made.prior.copy_(tensor([PRIOR[0], PRIOR[1], PRIOR[1], 0.5, 3.0]).log())
        made.damping.fill_(math.inf)
        state, features = made.scan(made.initial(1), inputs(made, values, known[:90]))
        means, deviations = made.ahead(features[:, -1], tensor(known[None, 90:]))
    begin = int(np.flatnonzero(~np.isnan(values))[0])
    theirs = UnobservedComponents(
        values[begin:],
        level="lltrend",
        freq_seasonal=[{"period": 12, "harmonics": 2}],
        exog=known[begin:90],
        mle_regression=False,
        loglikelihood_burn=0,
    )
    start = Initialization(theirs.k_states)
    start.set(0, "diffuse")
    prior = made.initial(1)["covariance"][0, 1:, 1:].detach().numpy()
    start.set((1, theirs.k_states), "known", constant=np.zeros(len(prior)), stationary_cov=prior)
    theirs.ssm.initialize(start)
    expected = theirs.filter([1.0, LEVEL, SLOPE, WAVES])
    assert_close(state["mean"][0], tensor(expected.predicted_state[:, -1]))
    coming = expected.get_forecast(HORIZON, exog=known[90:])
    assert_close(means[0], tensor(coming.predicted_mean))
    assert_close(deviations[0] / state["deviation"], tensor(coming.se_mean))


def test_a_constant_covariate_is_the_level_already() -> None:
    """So a category of a series, as a regressor, would change nothing."""
    known, values = np.ones((90 + HORIZON, 1)), series(0.2)
    coming = []
    for width in (0, 1):
        made = Kalman(HORIZON, (1,), 0, known=width).double()
        with torch.no_grad():
            features = made.scan(made.initial(1), inputs(made, values, known[:90, :width]))[1][:, -1]
            coming.append(made.ahead(features, tensor(known[None, 90:, :width])))
    assert_close(coming[1], coming[0])


def test_deviation_by_hand() -> None:
    """At a rate of one half the errors weigh 1; 1/3, 2/3; 1/7, 2/7, 4/7; a gap weighs nothing."""
    made = kalman((1,), 0, trend=False)
    with torch.no_grad():
        made.rate.zero_()
    values = np.array([math.nan, 4.0, 6.0, math.nan, 1.0, 2.0])
    _, means, _, deviations = read(made, values)
    variances = tensor(reference(made, values, level="llevel").forecasts_error_cov[0, 0])
    size = math.sqrt(math.pi / 2) * ((tensor(values[1:]) - means[:-1, 0]).abs() / variances[1:].sqrt())
    last = (1 * size[1] + 2 * size[3] + 4 * size[4]) / 7
    assert_close(deviations, torch.stack([0 * last, 0 * last, size[1], size[1], (size[1] + 2 * size[3]) / 3, last]))


def test_the_deviation_of_noise_is_found() -> None:
    """With the true variances, as the standard deviation of e."""
    made, random = kalman((1,), 0, trend=False), np.random.default_rng(1)
    values = random.normal(scale=math.sqrt(LEVEL), size=3000).cumsum() + random.normal(size=3000)
    with torch.no_grad():
        made.rate.fill_(-20.0)
        state, _ = made.scan(made.initial(1), inputs(made, 7.0 * values))
    assert state["deviation"].item() == pytest.approx(7.0, rel=0.03)


@pytest.mark.parametrize(("season", "harmonics"), [(2, 1), (5, 2), (12, 6)])
def test_half_as_many_waves_as_steps_are_any_pattern(season: int, harmonics: int) -> None:
    made, pattern = kalman((season,), harmonics), np.random.default_rng(2).normal(size=season)
    with torch.no_grad():
        made.noise.fill_(-40.0)
        made.prior.fill_(30.0)
    values = 3.0 + 0.5 * np.arange(60 + HORIZON) + np.tile(pattern, 60)[: 60 + HORIZON]
    assert_close(read(made, values[:60])[1][-1], tensor(values[60:]), rtol=0, atol=1e-6)


def test_seasons_share_their_common_waves() -> None:
    """1/12, 2/12, 3/12 of a turn a step, and of 24 steps 1/24 and 3/24 beside them."""
    made = Kalman(1, (12, 24), 3)
    assert made.noise.shape == (2 + 5,)
    assert made.observation.shape == (2 + 2 * 5,)


def test_covariance_stays_one() -> None:
    """Symmetric and positive, after a wide prior and thousands of steps that barely move."""
    made = kalman((12,), 6)
    with torch.no_grad():
        made.noise.fill_(-12.0)
        made.prior.fill_(12.0)
        covariance = made.scan(made.initial(1), inputs(made, series(0.3, 3000)))[0]["covariance"][0]
    deviations = covariance.diag().sqrt()
    correlation = covariance / deviations / deviations.unsqueeze(1)
    assert_close(correlation, correlation.mT, rtol=0, atol=1e-9)
    assert (torch.linalg.eigvalsh(correlation) > 0).all()


def test_one_observation_is_the_level_and_a_share_of_it_the_deviation() -> None:
    """Var y = level + noise: after one observation the level is known up to e, and moves; with e of a tenth of it."""
    made = kalman((1,), 0, trend=False)
    with torch.no_grad():
        made.guess.fill_(math.log(0.1))
        features = made.step(made.initial(1), inputs(made, np.array([50.0]))[:, 0])[1]
        means, deviations = made.ahead(features, none_known(features))
    assert_close(means, torch.full_like(means, 50.0))
    assert_close(deviations[0], tensor(5.0 * np.sqrt(1 + 1 + LEVEL * (1 + np.arange(HORIZON)))))


def test_guess_is_divided_by_four_with_each_error() -> None:
    made = kalman((1,), 0)
    with torch.no_grad():
        made.guess.fill_(0.0)
        features = made.scan(made.initial(1), inputs(made, np.full(40, 50.0)))[1][0]
        deviations = made.ahead(features, none_known(features))[1][:, 0]
        bare = (made.scan(made.initial(1), inputs(made, np.zeros(40)))[0]["covariance"][0, 0, 0] + 1).sqrt()
    assert (deviations[1:20] < 0.3 * deviations[:19]).all()
    assert (deviations[30:] == 0).all()  # it never moved, up to rounding
    assert deviations[23].item() == pytest.approx(50.0 * 0.25**23 * bare.item(), rel=1e-3)
