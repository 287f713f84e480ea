"""Series that live on between requests: the law that what is new and what was remembered tell what the whole would."""

import re
import shlex
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from typer.testing import CliRunner

from forecaster.artifact import load_artifact
from forecaster.errors import DataError
from forecaster.manifest import DataSpec
from forecaster.spec import EnsembleSpec, HeadSpec, LinearSpec, ModelSpec, StateSpaceSpec, ThetaSpec
from pipelines.cli.app import app
from pipelines.faults import UnavailableError
from pipelines.runs.ledger import Ledger
from pipelines.streams import recall as recalling
from pipelines.streams.recall import Recall
from pipelines.streams.store import VARIABLE, Streams
from pipelines.streams.tables import STEPS as STEPS_TABLE
from service.forecast import answer
from service.source import Champion
from service.stream import forget, go_on
from tests.service.examples import HOURLY, LABELS, LSTM, NAIVE, RICH, STATES, STEPS, artifact, request

PAGE = (Path(__file__).parents[2] / "docs" / "operations" / "streams.md").read_text()
ENSEMBLE = EnsembleSpec(
    members=(LSTM, LSTM.model_copy(update={"logarithm": False}), LinearSpec(), ThetaSpec(), StateSpaceSpec(), NAIVE),
    median=True,
)


class Worker:
    """One worker of a service: what it remembers is its own, the database is everybody's."""

    def __init__(self, champion: Champion, store: Streams, room: int = recalling.REMEMBERED) -> None:
        self.champion, self.store, self.recall = champion, store, Recall(champion.artifact, room)

    def __call__(self, *all_series: dict[str, Any], horizon: int = 4, **fields: Any) -> list[dict[str, Any]]:
        """The forecasts of a stream."""
        asked = request(*all_series, horizon=horizon, **fields)
        told: dict[str, Any] = orjson.loads(go_on(self.champion, self.recall, self.store, orjson.dumps(asked)))
        return list(told["forecasts"])

    def whole(self, *all_series: dict[str, Any], horizon: int = 4, **fields: Any) -> list[dict[str, Any]]:
        """The forecasts of whole histories."""
        told = orjson.loads(answer(self.champion, orjson.dumps(request(*all_series, horizon=horizon, **fields))))
        return list(told["forecasts"])


Make = Callable[..., Worker]


@pytest.fixture(scope="session")
def champions(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Champion]:
    """A champion of a kind, made once."""
    known = dict[str, Champion]()

    def make(model: ModelSpec, data: DataSpec, version: str = "7") -> Champion:
        key = f"{model!r} {data!r} {version}"
        if key not in known:
            place = tmp_path_factory.mktemp("stream") / "artifact"
            folder = artifact(place, model, data, positive=isinstance(model, EnsembleSpec))  # some see logarithms
            known[key] = Champion("shop", version, load_artifact(folder))
        return known[key]

    return make


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Streams]:
    local = request.param == "sqlite"
    one = Streams(f"sqlite:///{tmp_path / 'streams.db'}" if local else request.getfixturevalue("postgres_url"))
    yield one
    one.close()


@pytest.fixture
def make(champions: Callable[..., Champion], tmp_path: Path) -> Iterator[Make]:
    """Workers that share a database."""
    store = Streams(f"sqlite:///{tmp_path / 'streams.db'}")

    def one(model: ModelSpec, data: DataSpec, version: str = "7", **fields: Any) -> Worker:
        return Worker(champions(model, data, version), store, **fields)

    yield one
    store.close()


def same(one: Sequence[dict[str, Any]], other: Sequence[dict[str, Any]]) -> None:
    """The law: the same series, begins, labels, and numbers to float32."""
    assert [(told["id"], told["start"], told["freq"]) for told in one] == [
        (told["id"], told["start"], told["freq"]) for told in other
    ]
    for mine, theirs in zip(one, other, strict=True):
        if "label" in mine:
            assert mine["label"] == theirs["label"]
            for label, chances in mine["probabilities"].items():
                assert chances == pytest.approx(theirs["probabilities"][label], abs=1e-5)
            continue
        size = np.abs(theirs["mean"]).max()
        assert mine["mean"] == pytest.approx(theirs["mean"], rel=1e-4, abs=1e-4 * size)
        for level, row in mine["quantiles"].items():
            assert row == pytest.approx(theirs["quantiles"][level], rel=1e-4, abs=1e-4 * size)
        for path, other_path in zip(mine.get("paths", []), theirs.get("paths", []), strict=True):
            assert path == pytest.approx(other_path, rel=1e-3, abs=1e-3 * size)


def hour(step: int) -> str:
    """The time of a step, over a change of the clocks."""
    return str(np.datetime64("2024-03-30T12:00") + np.timedelta64(step, "h")) + ":00Z"


def piece(values: Sequence[Any], begin: int, end: int, data: DataSpec, **more: Any) -> dict[str, Any]:
    """A stretch of a series as a request has it."""
    start: str | int = begin if data.frequency == "step" else hour(begin)
    if data.frequency == "D":
        start = str(np.datetime64("2024-03-01") + begin)
    return {"id": "a", "start": start, "target": list(values[begin:end]), **more}


numbers = st.lists(st.none() | st.floats(0.5, 1e4), min_size=9, max_size=60).map(lambda values: [7.0, *values])
cuts = st.lists(st.integers(1, 70), max_size=4)


@pytest.mark.parametrize(
    ("model", "data", "horizon"),
    [(LSTM, HOURLY, 9), (ENSEMBLE, STEPS, 4), (NAIVE, STEPS, 9), (LABELS, STATES, 4)],
    ids=["lstm", "ensemble", "naive", "labels"],
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=numbers, cuts=cuts, late=st.booleans())
def test_law_what_comes_piece_by_piece_is_forecast_as_the_whole(
    make: Make, model: ModelSpec, data: DataSpec, horizon: int, values: list[Any], cuts: list[int], late: bool
) -> None:
    """Also read by two workers in turn, of which each finds what the other has added."""
    if data.labels:
        values = [None if value is None else ("busy", "idle")[int(value) % 2] for value in values]
    static = {"static": {"shop": "north"}} if data.static else {}
    workers = [make(model, data), make(model, data)]
    forget(workers[0].champion, workers[0].store, b'{"series": ["a"]}')
    ends = sorted({0, *(cut for cut in cuts if cut < len(values)), len(values)})
    pieces = list(pairwise(ends))
    if late and len(pieces) > 2:
        pieces[1:] = [*pieces[2:], pieces[1]]
    told = []
    for turn, (begin, end) in enumerate(pieces):
        told = workers[turn % 2](piece(values, begin, end, data, **static), horizon=horizon)
    same(told, workers[0].whole(piece(values, 0, len(values), data, **static), horizon=horizon))


def test_law_with_covariates(make: Make) -> None:
    worker = make(LSTM, RICH)
    values = [10.0 + step % 7 for step in range(30)]
    price, rain = [10.0 + step % 3 for step in range(40)], [None if step % 5 else 0.5 for step in range(30)]

    def some(begin: int, end: int, price: list[float] = price, static: str = "north") -> dict[str, Any]:
        covariates = {"known": {"price": price[begin : end + 4]}, "past": {"rain": rain[begin:end]}}
        return piece(values, begin, end, RICH, static={"shop": static}, **covariates)

    worker(some(0, 20))
    same(worker(some(20, 21)), worker.whole(some(0, 21)))
    same(worker(some(21, 30)), worker.whole(some(0, 30)))
    nothing = {"id": "a", "known": {"price": price[30:34]}, "past": {"rain": []}, "static": {"shop": "north"}}
    same(worker(nothing), worker.whole(some(0, 30)))
    dearer = [*price[:30], *(value + 3 for value in price[30:])]
    other = nothing | {"known": {"price": dearer[30:34]}}
    same(worker(other), worker.whole(some(0, 30, dearer)))
    same(worker(nothing | {"static": {"shop": "south"}}), worker.whole(some(0, 30, static="south")))


def test_a_new_observation_costs_one_step(make: Make) -> None:
    worker = make(ENSEMBLE, STEPS)
    values = [5.0 + step % 3 for step in range(500)]

    def steps(work: Callable[[], object]) -> float:
        before = recalling.steps_read._value.get()
        work()
        return float(recalling.steps_read._value.get() - before)

    assert steps(lambda: worker(piece(values, 0, 400, STEPS))) == 400
    assert steps(lambda: worker(piece(values, 400, 401, STEPS))) == 1
    assert steps(lambda: worker(piece(values, 400, 401, STEPS))) == 0  # sent again
    assert steps(lambda: worker({"id": "a"})) == 0
    assert steps(lambda: worker(piece(values, 403, 404, STEPS))) == 3  # the gap is read too
    assert steps(lambda: worker(piece(values, 401, 403, STEPS))) == 404  # late
    assert steps(lambda: worker(piece([*values[:9], 1.0], 9, 10, STEPS))) == 404  # corrected
    assert steps(lambda: worker(piece([*values[:9], None], 9, 10, STEPS))) == 0  # nothing is said
    worker(*({"id": name, "start": 0, "target": [1.0, 2.0]} for name in "bc"))
    size = max(one.row.numel() for one in worker.recall.known.values()) + recalling.BESIDE
    small = make(ENSEMBLE, STEPS, room=2 * size)
    assert [steps(lambda name=name: small({"id": name})) for name in "abaca"] == [404, 2, 0, 2, 0]  # type: ignore[misc]
    assert steps(lambda: small({"id": "b"})) == 2  # it was used longest ago


def test_what_is_said_last_holds_and_a_gap_says_nothing(make: Make) -> None:
    worker = make(LSTM, STEPS)
    worker(piece([1.0, 2.0, 3.0, 4.0], 0, 4, STEPS))
    told = worker(piece([None, 9.0, None, None], 0, 4, STEPS))
    same(told, worker.whole(piece([1.0, 9.0, 3.0, 4.0], 0, 4, STEPS)))
    told = worker({"id": "a", "start": -2, "target": [7.0, 8.0]})
    same(told, worker.whole({"id": "a", "start": -2, "target": [7.0, 8.0, 1.0, 9.0, 3.0, 4.0]}))
    told = worker({"id": "a", "start": -5, "target": [None]})
    whole = worker.whole({"id": "a", "start": -5, "target": [None, None, None, 7.0, 8.0, 1.0, 9.0, 3.0, 4.0]})
    for one in (told, make(LSTM, STEPS)({"id": "a"})):
        same(one, whole)


def test_many_series_at_once_each_where_it_is(make: Make) -> None:
    worker = make(ENSEMBLE, STEPS)
    values = {f"s{k}": [float(k + step % 4 + 1) for step in range(20 + k)] for k in range(9)}

    def some(begin: int, names: Sequence[str]) -> list[dict[str, Any]]:
        return [{"id": name, "start": begin, "target": values[name][begin:]} for name in names]

    worker(*({"id": name, "start": 0, "target": values[name][: 9 + k]} for k, name in enumerate(list(values)[:7])))
    told = worker(*some(9, list(values)[:5]), *some(0, ["s8"]), {"id": "s6"})
    whole = [*some(0, [*list(values)[:5], "s8"]), {"id": "s6", "start": 0, "target": values["s6"][:15]}]
    same(told, worker.whole(*whole))


def test_another_version_reads_what_is_there(make: Make) -> None:
    values = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0]
    make(LSTM, STEPS)(piece(values, 0, 7, STEPS))
    after = make(ENSEMBLE, STEPS, version="8")
    same(after(piece(values, 7, 8, STEPS)), after.whole(piece(values, 0, 8, STEPS)))


def test_series_of_models_of_other_names_are_others(make: Make) -> None:
    one = make(LSTM, STEPS)
    one(piece([1.0, 2.0], 0, 2, STEPS))
    other = make(LSTM, STEPS)
    other.champion = Champion("market", "7", one.champion.artifact)
    with pytest.raises(DataError, match="nothing is known of it"):
        other({"id": "a"})


def test_what_is_forgotten_begins_anew(make: Make) -> None:
    worker = make(LSTM, STEPS)
    worker(piece([1.0, 2.0], 0, 2, STEPS))
    told = forget(worker.champion, worker.store, b'{"series": ["b", "a"]}')
    assert orjson.loads(told) == {"forgotten": ["a"]}
    with pytest.raises(DataError, match="nothing is known of it"):
        worker({"id": "a"})
    same(worker(piece([8.0, 9.0], 0, 2, STEPS)), worker.whole(piece([8.0, 9.0], 0, 2, STEPS)))


@pytest.mark.parametrize(
    ("new", "words"),
    [
        ({"target": [5]}, "series 'a', start: no start; give the time of the first value"),
        ({"start": hour(11)}, "series 'a', start: a start, and nothing is new; leave start out"),
        ({"start": "2200-12-31T20:00:00Z", "id": "b", "target": [5]}, "the years 1700 to 2200"),
        ({"start": hour(90_000), "target": [5]}, "89998 steps lie between it and what is known"),
        (
            {"start": "2024-03-30T13:30:00Z", "target": [5]},
            r"off the grid of 'h' that begins at 2024-03-30 13:00\+01:00",
        ),
        ({"id": "b"}, "series 'b', target: nothing is known of it; give its history"),
        ({"id": "b", "start": hour(0), "target": [None]}, "series 'b': the model reads .* and there are none"),
        ({"start": hour(2), "target": [5], "known": {"price": [1] * 5}}, r"known covariates \['price'\]"),
        ({"start": hour(2), "target": ["busy"]}, r"'busy' where the model reads numbers"),
    ],
)
def test_what_cannot_go_on_is_refused_and_adds_nothing(make: Make, new: dict[str, Any], words: str) -> None:
    worker = make(LSTM, HOURLY)
    worker({"id": "a", "start": hour(0), "target": [3, 4]})
    before = worker({"id": "a"})
    with pytest.raises(DataError, match=words):
        worker({"id": "c", "start": hour(0), "target": [3, 4]}, {"id": "a"} | new)
    assert worker({"id": "a"}) == before
    with worker.store.alone("shop") as writer:
        assert writer.find(["b", "c"]) == {}


def test_known_covariates_have_no_gap_and_reach_beyond_all_that_is_known(make: Make) -> None:
    worker = make(LSTM, RICH)
    beside = {"static": {"shop": "north"}}

    def some(begin: int, length: int, reach: int) -> dict[str, Any]:
        covariates = {"known": {"price": [9.0] * reach}, "past": {"rain": [None] * length}}
        return piece([float(step) for step in range(99)], begin, begin + length, RICH, **beside, **covariates)

    worker(some(0, 10, 14))
    for bad, words in (
        (some(12, 1, 5), "2 steps are left out, of which price must be known; give these too"),
        (some(4, 1, 5), "5 values, and the target and the horizon have 10 steps"),
    ):
        with pytest.raises(DataError, match=words):
            worker(bad)
    same(worker(some(4, 1, 10)), worker.whole(some(0, 10, 14)))


def test_another_clock_is_refused(make: Make) -> None:
    worker = make(LSTM, DataSpec(frequency="h"))
    worker({"id": "a", "start": "2024-03-30T12:00:00+01:00", "target": [3, 4]})
    with pytest.raises(
        DataError, match=r"it was numbers at 'h' in UTC\+01:00, and is numbers at 'h' without a zone now"
    ):
        worker({"id": "a", "start": "2024-03-30T14:00:00", "target": [5]})


def test_workers_that_add_at_once_lose_nothing(champions: Callable[..., Champion], store: Streams) -> None:
    champion, count = champions(LSTM, STEPS), 24
    values = [float(step % 5) for step in range(4 * count)]
    workers = [Worker(champion, store) for _ in range(4)]
    forget(champion, store, b'{"series": ["a", "b"]}')
    errors = list[BaseException]()

    def work(worker: Worker, turn: int) -> None:
        try:
            for step in range(turn, len(values), 4):
                worker(*({"id": name, "start": step, "target": [values[step]]} for name in ("ab", "ba")[turn % 2]))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(worker, turn)) for turn, worker in enumerate(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    both = [{"id": name, "start": 0, "target": values} for name in "ab"]
    for worker in workers:
        same(worker({"id": "a"}, {"id": "b"}), worker.whole(*both))


@pytest.mark.parametrize("paths", [0, 5])
@pytest.mark.parametrize("first", [[0.5, 2.0], [-1.0, 2.0], [1.0, 2.0]])
def test_what_a_series_has_had_holds_on(make: Make, first: list[float], paths: int) -> None:
    """Of whole data that was never below zero, forecasts are whole and not below zero, but of series that were."""
    worker = make(LSTM, DataSpec(frequency="step", integral=True, positive=True))
    later = [0.0, 1.0, 0.0, 3.0, 0.0]
    worker(piece(first, 0, 2, STEPS))
    told = worker({"id": "a", "start": 2, "target": later}, paths=paths)
    same(told, worker.whole({"id": "a", "start": 0, "target": first + later}, paths=paths))


@pytest.mark.parametrize(
    ("start", "answered"),
    [("2024-01-01T03:00:00", ""), ("2024-01-01T02:00:00Z", "+00:00"), ("2024-01-01T03:00:00+01:00", "+01:00")],
)
def test_what_is_not_new_is_answered_as_the_rest_writes_time(make: Make, start: str, answered: str) -> None:
    worker = make(LSTM, HOURLY)
    begin = start.replace("T03", "T00").replace("T02", "23").replace("2024-01-0123", "2023-12-31T23")
    history = [{"id": name, "start": begin, "target": [3.0, 4.0, 5.0]} for name in "ab"]
    worker(*history)
    told = worker({"id": "a", "start": start, "target": [6.0]}, {"id": "b"})
    assert [one["start"].partition("2024-01-01")[2] for one in told] == [
        f"T0{hour - (answered == '+00:00')}:00:00{answered}" for hour in (4, 3)
    ]
    same(told[:1], worker.whole(history[0] | {"target": [3.0, 4.0, 5.0, 6.0]}))


def test_an_hour_that_the_clock_shows_twice_has_to_say_which(make: Make) -> None:
    worker = make(LSTM, HOURLY)
    worker({"id": "a", "start": "2024-10-27T00:00:00", "target": [1.0, 2.0]})
    with pytest.raises(DataError, match=r"shows 2024-10-27T02:00:00 twice; write it with its UTC offset"):
        worker({"id": "a", "start": "2024-10-27T02:00:00", "target": [3.0]})
    worker({"id": "a", "start": "2024-10-27T02:00:00+02:00", "target": [3.0]})
    told = worker({"id": "a", "start": "2024-10-27T02:00:00+01:00", "target": [4.0]})
    same(told, worker.whole({"id": "a", "start": "2024-10-27T00:00:00+02:00", "target": [1.0, 2.0, 3.0, 4.0]}))


def test_a_long_history_is_read_a_part_at_a_time(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recalling, "AT_ONCE", 7)
    worker = make(ENSEMBLE, STEPS)
    history = [
        {"id": name, "start": 0, "target": [3.0 + step % 5 for step in range(length)]}
        for name, length in (("a", 40), ("b", 9))
    ]
    same(worker(*history), worker.whole(*history))
    monkeypatch.setattr("service.stream.MAX_STEPS", 48)
    with pytest.raises(DataError, match="49 steps are more than 48; send the histories"):
        worker(*history)


def test_what_was_sent_for_another_kind_of_model_is_told(make: Make) -> None:
    make(LSTM, STEPS)(piece([1.0, 2.0], 0, 2, STEPS))
    with pytest.raises(DataError, match=r"it was numbers at 'step' without a zone, and is labels .* forget the series"):
        make(LABELS, DataSpec(frequency="step", labels=("busy", "done", "idle")), version="8")(
            {"id": "a", "start": 2, "target": ["busy"]}
        )


def test_a_series_that_is_forgotten_meanwhile_is_not_forecast(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    worker, between = make(LSTM, STEPS), Streams.between

    def late(store: Streams, *asked: Any) -> Any:
        forget(worker.champion, store, b'{"series": ["a"]}')
        return between(store, *asked)

    monkeypatch.setattr(Streams, "between", late)
    with pytest.raises(DataError, match="nothing is known of it"):
        worker(piece([1.0, 2.0], 0, 2, STEPS))


def test_a_wrong_year_is_warned_of(make: Make) -> None:
    worker = make(LSTM, HOURLY)
    worker({"id": "a", "start": hour(0), "target": [3, 4]})
    asked = request({"id": "a", "start": hour(8_000), "target": [5]})
    told = orjson.loads(go_on(worker.champion, worker.recall, worker.store, orjson.dumps(asked)))
    assert "7998 steps are left out, over 10 times as many as are known" in told["warnings"][0]


def test_a_lock_that_is_held_does_not_hold_a_request_for_ever(
    champions: Callable[..., Champion], store: Streams
) -> None:
    worker = Worker(champions(LSTM, STEPS), store)
    with store.alone("shop"), ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(worker, piece([1.0, 2.0], 0, 2, STEPS))
        with pytest.raises(UnavailableError, match="does not answer"):
            waiting.result(30)


def test_the_commands_on_the_page_for_operators_forget(
    champions: Callable[..., Champion], store: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker(Champion("sales", "7", champions(LSTM, HOURLY).artifact), store)
    worker(
        {"id": "long ago", "start": hour(0), "target": [3, 4, 5]},
        {"id": "shop-7", "start": "2026-11-01T00:00Z", "target": [3]},
        {"id": "shop-9", "start": "2026-11-01T00:00Z", "target": [3]},
        {"id": "a", "start": "2026-11-01T00:00Z", "target": [3, 4]},
    )
    other = Worker(Champion("other", "7", worker.champion.artifact), store)
    other({"id": "long ago", "start": hour(0), "target": [3]})
    with store.database.writing() as connection:
        connection.exec_driver_sql("update forecaster_streams set heard = 0 where series = 'long ago'")
    monkeypatch.setenv(VARIABLE, store.database.engine.url.render_as_string(hide_password=False))
    (block,) = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)
    seen = []
    for line in block.splitlines():
        done = CliRunner().invoke(app, shlex.split(line, comments=True)[1:])
        assert done.exit_code == 0, done.output
        seen.append([line.split() for line in done.output.splitlines()])
    listed, silent, named = seen
    assert listed[0] == ["steps", "last", "said", "(UTC)", "model", "series"]
    listed = listed[1:]
    assert [(int(row[0]), row[3], " ".join(row[4:])) for row in listed] == [
        (3, "sales", "'long ago'"),
        (2, "sales", "a"),
        (1, "other", "'long ago'"),
        (1, "sales", "shop-7"),
        (1, "sales", "shop-9"),
    ]
    assert listed[0][1] == "1970-01-01"
    assert [*silent, *named] == [["forgot", count, "series", "of", "sales"] for count in "12"]
    assert [(one.model, one.series) for one in store.every()] == [("sales", "a"), ("other", "long ago")]
    with store.database.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(STEPS_TABLE)) == 3
    with pytest.raises(DataError, match="nothing is known of it"):
        worker({"id": "long ago"})


@pytest.mark.parametrize(
    ("words", "url", "told"),
    [
        (["forget"], "sqlite:///streams.db", "which series is not said; give their ids, or --silent-for 90d"),
        (["forget", "--silent-for", "soon"], "sqlite:///streams.db", "'soon' is no duration such as 90s"),
        (["forget", "a", "--silent-for", "1d"], "", "ids and --silent-for are both given; give one of them"),
        (["forget", "--silent-for", "10"], "", "--silent-for 10 has no unit; such as 90d"),
        (["list"], "sqlite:///nowhere.db", "nowhere.db, which is not the database of streams; name that of the serv"),
        (["list"], "sqlite:///other.db", "other.db, which is not the database of streams; name that of the service"),
        (["list"], "sqlite:///folder", "folder, which is not the database of streams"),
        (["list"], "sqlite:///empty.db", "no series are kept; send some to POST /stream"),
        (
            ["list", "--name", "sale"],
            "sqlite:///streams.db",
            "no series of sale are kept; name another model by --name: sales",
        ),
        (["forget", "a", "--name", "sale"], "sqlite:///streams.db", "no series of sale are kept; name another model"),
        (["forget", "b c", "--name", "sales"], "sqlite:///streams.db", "not known: 'b c'; see forecaster streams list"),
        (["list"], "", "FORECASTER_STREAMS is not set; set it to the URL that the service has"),
    ],
)
def test_a_command_that_cannot_be_done_says_what_to_do(
    words: list[str],
    url: str,
    told: str,
    champions: Callable[..., Champion],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    Ledger("sqlite:///other.db")
    Streams("sqlite:///empty.db").close()
    store = Streams("sqlite:///streams.db")
    Worker(Champion("sales", "7", champions(LSTM, STEPS).artifact), store)(piece([1.0, 2.0], 0, 2, STEPS))
    store.close()
    monkeypatch.setenv(VARIABLE, url)
    done = CliRunner().invoke(app, ["streams", *words])
    assert (done.exit_code, told in done.output) == (2, True), done.output
    assert {one.name for one in tmp_path.glob("*") if "-" not in one.name} == {
        *("folder", "other.db", "empty.db", "streams.db"),
    }


def test_steps_are_those_of_the_series_where_clocks_leave_their_hour_out(make: Make) -> None:
    """A day that begins at 02:00 begins at 03:00 where that is left out, and at 02:00 again on the next."""
    worker = make(LSTM, DataSpec(frequency="D", zone="Europe/Berlin"))
    values = [float(step) for step in range(1, 10)]
    for begin, day, count in ((0, "03-28", 3), (3, "03-31", 3), (6, "04-03", 3)):
        worker({"id": "a", "start": f"2024-{day}T02:00:00", "target": values[begin : begin + count]})
    told = worker({"id": "a", "start": "2024-04-01T02:00:00", "target": [99.0]})
    whole = {"id": "a", "start": "2024-03-28T02:00:00", "target": [*values[:4], 99.0, *values[5:]]}
    same(told, worker.whole(whole))


def test_what_another_model_cannot_read_is_told(make: Make) -> None:
    make(LSTM, STEPS)(piece([1.0, -2.0], 0, 2, STEPS))
    counts = LSTM.model_copy(update={"head": HeadSpec(family="negative_binomial")})
    with pytest.raises(DataError, match="the value -2, and the model is for counts"):
        make(counts, STEPS, version="8")({"id": "a"})


def test_a_number_that_is_given_again_is_not_taken_for_what_had_it(make: Make) -> None:
    """As where a database is replaced by another one."""
    worker, other = make(LSTM, STEPS), make(LSTM, STEPS)
    worker(piece([1.0, 2.0], 0, 2, STEPS))
    forget(other.champion, other.store, b'{"series": ["a"]}')
    other({"id": "z", "start": 0, "target": [80.0, 90.0]})
    with worker.store.alone("shop") as writer:
        assert writer.find(["z"])["z"].number in worker.recall.known
    same(worker({"id": "z"}), worker.whole({"id": "z", "start": 0, "target": [80.0, 90.0]}))


def test_steps_that_are_left_out_count(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.stream.MAX_STEPS", 48)
    worker = make(LSTM, STEPS)
    worker(piece([1.0, 2.0], 0, 2, STEPS))
    worker({"id": "a", "start": 40, "target": [5.0]})
    with pytest.raises(DataError, match="60 steps are more than 48"):
        worker({"id": "a", "start": 100, "target": [5.0]})


@pytest.mark.parametrize(("start", "whole"), [(0, [7.0, 2.0, 3.0, 4.0]), (-1, [7.0, 1.0, 2.0, 3.0, 4.0])])
def test_of_a_history_that_changes_while_it_is_read_the_present_one_counts(
    make: Make, monkeypatch: pytest.MonkeyPatch, start: int, whole: list[float]
) -> None:
    worker, other, between = make(LSTM, STEPS), make(LSTM, STEPS), Streams.between
    worker(piece([1.0, 2.0, 3.0], 0, 3, STEPS))

    def late(store: Streams, *asked: Any) -> Any:
        monkeypatch.setattr(Streams, "between", between)
        other({"id": "a", "start": start, "target": [7.0]})
        return between(store, *asked)

    monkeypatch.setattr(Streams, "between", late)
    expected = worker.whole({"id": "a", "start": start, "target": whole})
    same(worker({"id": "a", "start": 3, "target": [4.0]}), expected)
    same(worker({"id": "a"}), expected)


def test_a_database_that_is_not_as_it_was_does_not_answer(make: Make) -> None:
    worker = make(LSTM, STEPS)
    with worker.store.database.writing() as connection:
        connection.exec_driver_sql("drop table forecaster_stream_steps")
    with pytest.raises(UnavailableError, match="no such table"):
        worker(piece([1.0, 2.0], 0, 2, STEPS))


@pytest.mark.parametrize("other", [True, False])
def test_a_file_that_was_taken_away_is_not_written_into(make: Make, tmp_path: Path, other: bool) -> None:
    worker = make(LSTM, STEPS)
    worker(piece([1.0, 2.0], 0, 2, STEPS))
    file = tmp_path / "streams.db"
    shutil.copy(file, tmp_path / "backup.db")
    file.unlink()
    if other:
        shutil.copy(tmp_path / "backup.db", file)
    said = r"streams\.db was removed or replaced since it was opened; start again"
    for _ in range(2):
        with pytest.raises(UnavailableError, match=said):
            worker(piece([1.0, 2.0, 3.0], 2, 3, STEPS))
    assert file.exists() == other
