"""The run ledger and promotions, raced by real processes over a real database."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Table, create_engine, event, inspect
from sqlalchemy.schema import CreateTable

from forecaster.errors import DataError
from pipelines.faults import LostError, UnavailableError
from pipelines.jobs.job import Job, Outcome, Turn
from pipelines.jobs.run import run
from pipelines.registry.promotion import KeptError, history, promote
from pipelines.registry.versions import PROMOTION, register, versions
from pipelines.runs import ledger as module
from pipelines.runs.attempts import FAILED, LOST, RUNNING, SUCCEEDED, TABLES, Key
from pipelines.runs.ledger import Ledger, open_ledger
from pipelines.tracking.connection import connect
from pipelines.tracking.run import Run
from pipelines.training.challenge import unbeaten

KEY = Key("retrain", "sales", "2026-11-21", "0" * 64)

RUN_ONCE = """
import sys
from pathlib import Path
from pipelines.jobs.job import Job, Outcome
from pipelines.jobs.run import run
from pipelines.runs.ledger import Ledger

class Count(Job):
    def work(self, turn):
        with Path(sys.argv[2]).open("a") as file:
            file.write("once\\n")
        return Outcome("counted", "7")

print(run(Count(name="sales"), "2026-11-21", Ledger(sys.argv[1])).version)
"""


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    return str(request.getfixturevalue("postgres_url"))


def test_an_attempt_from_begin_to_end(url: str) -> None:
    ledger = Ledger(url)
    assert ledger.last(KEY) is None
    attempt = ledger.begin(KEY, None)
    assert attempt is not None
    assert (attempt.number, attempt.outcome, attempt.ended) == (1, RUNNING, None)
    ledger.end(attempt, SUCCEEDED, "promoted", "3")
    (kept,) = Ledger(url).attempts()
    assert (kept.key, kept.outcome, kept.reason, kept.version) == (KEY, SUCCEEDED, "promoted", "3")
    assert kept.seconds == pytest.approx(kept.ended - kept.began if kept.ended else -1)
    assert ledger.attempts("other") == []


def test_what_is_running_cannot_be_begun(url: str) -> None:
    ledger = Ledger(url)
    first = ledger.begin(KEY, None)
    assert first is not None
    assert ledger.begin(KEY, None) is None
    assert ledger.begin(KEY, ledger.last(KEY)) is None
    ledger.end(first, FAILED, "no space")
    again = ledger.begin(KEY, ledger.last(KEY))
    assert again is not None
    assert again.number == 2


def test_a_silent_attempt_is_lost_and_may_not_end_any_more(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(url)
    silent = ledger.begin(KEY, None)
    assert silent is not None
    monkeypatch.setattr(module, "LEASE", 0.0)
    second = ledger.begin(KEY, ledger.last(KEY))
    assert second is not None
    assert [one.outcome for one in ledger.attempts()] == [LOST, RUNNING]
    with pytest.raises(LostError):
        ledger.end(silent, SUCCEEDED, "late")
    with pytest.raises(LostError), ledger.exclusive("sales", silent):
        pytest.fail("it is not alone")
    with ledger.exclusive("sales", second):
        pass


def test_a_live_attempt_keeps_its_lease(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT", 0.02)
    ledger = Ledger(url)
    attempt = ledger.begin(KEY, None)
    assert attempt is not None
    with ledger.alive(attempt):
        deadline = time.monotonic() + 20
        while (now := ledger.last(KEY)) is None or now.seen <= attempt.seen:
            assert time.monotonic() < deadline


@given(st.integers(2, 6))
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_of_many_that_begin_one_does(url: str, many: int) -> None:
    ledger, key = Ledger(url), Key("score", "sales", str(time.time_ns()), "")
    with ThreadPoolExecutor(many) as pool:
        begun = list(pool.map(lambda _: ledger.begin(key, ledger.last(key)), range(many)))
    assert sum(one is not None for one in begun) == 1


def test_fired_many_times_at_once_it_runs_once(url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", RUN_ONCE, url, str(tmp_path / "count")]
    fired = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate(timeout=120)[0].strip() for process in fired] == ["7"] * 4
    assert (tmp_path / "count").read_text() == "once\n"
    assert [one.outcome for one in Ledger(url).attempts()] == [SUCCEEDED]


@pytest.mark.parametrize("fault", [LostError("lost"), UnavailableError("away")], ids=["lost", "away"])
def test_what_went_wrong_is_told_though_the_ledger_is_away(
    fault: Exception, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Job):
        def work(self, turn: Turn) -> Outcome:  # noqa: ARG002
            monkeypatch.setattr(Ledger, "end", away)
            raise DataError("the y of row 3 is no number")

    def away(*_: object) -> None:
        raise fault

    with pytest.raises(DataError, match="the y of row 3 is no number"):
        run(Broken(name="sales"), "2026-11-21", Ledger(url))


def test_tables_that_another_makes_in_the_same_moment_are_taken(url: str) -> None:
    """Each appears between the look whether it is there and its making."""
    other = create_engine(url)

    def first(table: Table, _: Connection, **__: object) -> None:
        if not inspect(other).has_table(table.name):
            with other.begin() as connection:
                connection.execute(CreateTable(table))

    for table in TABLES.tables.values():
        event.listen(table, "before_create", first)
    try:
        assert Ledger(url).attempts() == []
    finally:
        other.dispose()
        for table in TABLES.tables.values():
            event.remove(table, "before_create", first)


def test_one_at_a_time_promotes(url: str) -> None:
    """What is done alone is never done by two, though each has a connection of its own."""
    inside, most = 0, 0

    def alone(_: int) -> None:
        nonlocal inside, most
        with Ledger(url).exclusive("sales"):
            inside += 1
            most = max(most, inside)
            time.sleep(0.01)
            inside -= 1

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(alone, range(18)))
    assert most == 1


def test_a_database_that_does_not_answer_is_said_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORECASTER_LEDGER", "postgresql+psycopg://me:secret@127.0.0.1:1/runs")
    with pytest.raises(UnavailableError, match="FORECASTER_LEDGER") as error:
        open_ledger()
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("url", ["postgres://me:secret@127.0.0.1/runs", "nonsense", "mysql://me:secret@127.0.0.1/runs"])
def test_what_is_no_database_is_said_without_its_password(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORECASTER_LEDGER", url)
    with pytest.raises(DataError, match="FORECASTER_LEDGER is no database that can be opened") as error:
        open_ledger()
    assert "secret" not in str(error.value)


def test_a_file_that_is_no_database_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ledger.db").write_text("garbage, and more of it")
    monkeypatch.setenv("FORECASTER_LEDGER", f"sqlite:///{tmp_path}/ledger.db")
    with pytest.raises(DataError, match="FORECASTER_LEDGER is no database: file is not a database"):
        open_ledger()


@pytest.fixture
def entry(home: Path) -> Callable[[float], str]:
    """Registers a version with a loss, measured by the same origins as all others."""

    def one(loss: float) -> str:
        client = connect()
        with Run.start("race", "train") as run:
            model = client.create_logged_model(run.experiment_id, "lstm", run.id)
        scores = {"loss": loss}
        return register("race", model.model_uri, run_id=run.id, digest="0" * 64, metrics=scores, tested="same")

    return one


def test_of_two_that_race_the_better_wins_two_hundred_times(entry: Callable[[float], str]) -> None:
    better, worse, before = entry(0.5), entry(0.9), entry(1.0)
    check = partial(unbeaten, before=before, verdict=None, metric="loss")

    def race(version: str) -> str:
        try:
            return promote("race", version, check=check).version
        except KeptError:
            return "kept"

    ends: Counter[str] = Counter()
    with ThreadPoolExecutor(2) as pool:
        for _ in range(200):
            list(pool.map(race, (worse, better)))
            every = versions("race")
            ends[next(one.version for one in every if one.champion)] += 1
            connect().delete_registered_model_alias("race", "champion")
            for one in every:
                for record in one.promotions:
                    connect().delete_model_version_tag(
                        "race", one.version, PROMOTION + record.at.replace("+00:00", "Z")
                    )
    assert ends == {better: 200}


def test_a_version_tested_on_other_data_does_not_push_out_the_champion(entry: Callable[[float], str]) -> None:
    champion, challenger = entry(0.9), entry(0.5)
    connect().set_model_version_tag("race", challenger, "tested", "other")
    promote("race", champion)
    with pytest.raises(KeptError, match="tested on other data"):
        promote("race", challenger, check=partial(unbeaten, before=None, verdict=None, metric="loss"))
    assert [one.version for one in history("race")] == [champion]
