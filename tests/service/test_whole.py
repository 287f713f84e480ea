"""Whole series over HTTP: one label or one number of each."""

import pytest

from forecaster.manifest import Covariate, DataSpec
from forecaster.spec import CoreSpec, WholeSpec
from tests.service.conftest import Live
from tests.service.examples import Client, request, series

SIZES = DataSpec(frequency="step", whole=Covariate(name="size", mean=100, deviation=5))
KINDS = DataSpec(
    frequency="D", labels=("rough", "slow"), whole=Covariate(name="kind"), known=(Covariate(name="price"),)
)
SMALL = WholeSpec(core=CoreSpec(cell="gru", width=8, layers=1))


@pytest.fixture(scope="module")
def sizes(live: Live) -> Client:
    return live(SMALL, SIZES)


@pytest.fixture(scope="module")
def kinds(live: Live) -> Client:
    return live(SMALL, KINDS)


def test_a_number(sizes: Client) -> None:
    (told,) = sizes.forecast(request(horizon=1))["forecasts"]
    assert [len(values) for values in told["quantiles"].values()] == [1, 1, 1]
    assert 80 < told["mean"][0] < 120
    assert sizes("GET", "/").json()["whole"] == "size"


def test_a_label(kinds: Client) -> None:
    one = series(known={"price": [1.0] * 12}, start="2024-01-01")
    (told,) = kinds.forecast(request(one, horizon=1))["forecasts"]
    (rough,), (slow,) = told["probabilities"]["rough"], told["probabilities"]["slow"]
    assert rough + slow == pytest.approx(1.0)
    assert told["label"] == ["rough" if rough > slow else "slow"]


@pytest.mark.parametrize(("fields", "told"), [({"horizon": 2}, "once"), ({"target": ["a", "b"]}, "reads numbers")])
def test_what_cannot_be_told(sizes: Client, fields: dict[str, object], told: str) -> None:
    one = series() | ({"target": fields["target"]} if "target" in fields else {})
    response = sizes("POST", "/forecast", {"series": [one], "horizon": fields.get("horizon", 1)})
    assert response.status_code == 422
    assert told in response.json()["error"]["message"]
