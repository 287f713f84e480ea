"""Champions of every kind, live in an application of their own."""

from collections.abc import Callable, Iterator

import pytest

from forecaster.manifest import DataSpec
from forecaster.spec import ModelSpec
from pipelines.streams.store import VARIABLE as STREAMS
from service.routes import application, go_down, go_live
from service.source import VARIABLE, stage
from tests.pipelines.servers import postgres as postgres
from tests.pipelines.servers import postgres_url as postgres_url
from tests.service.examples import HOURLY, LABELS, LSTM, NAIVE, RICH, STATES, STEPS, Client, artifact

Live = Callable[[ModelSpec, DataSpec], Client]


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """An application in which a model of a given kind is live."""
    clients = []

    def make(model: ModelSpec, data: DataSpec) -> Client:
        folder = tmp_path_factory.mktemp("model")
        note = stage(folder / "live", artifact(folder / "artifact", model, data), "shop", "7")
        app = application()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(VARIABLE, str(note))
            patch.setenv(STREAMS, f"sqlite:///{folder}/streams.db")
            go_live(app)
        clients.append(Client(app))
        return clients[-1]

    yield make
    for client in clients:
        client.runner.close()
        client.app.state.queue.pool.shutdown()
        go_down(client.app)


@pytest.fixture(scope="session")
def hourly(live: Live) -> Client:
    """An LSTM on the hours of Berlin."""
    return live(LSTM, HOURLY)


@pytest.fixture(scope="session")
def steps(live: Live) -> Client:
    """An LSTM on integer steps."""
    return live(LSTM, STEPS)


@pytest.fixture(scope="session")
def naive(live: Live) -> Client:
    """Seasonal naive with a season of 3 on integer steps."""
    return live(NAIVE, STEPS)


@pytest.fixture(scope="session")
def states(live: Live) -> Client:
    """A GRU on labels, counted in steps."""
    return live(LABELS, STATES)


@pytest.fixture(scope="session")
def rich(live: Live) -> Client:
    """An LSTM on days without a zone, with every kind of covariate."""
    return live(LSTM, RICH)
