"""A source is what it was written as, and nowhere shows a password."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from forecaster.errors import DataError
from pipelines.sources.source import Source, source
from pipelines.training.settings import TrainSettings

URL = "postgresql+psycopg://me:${PASSWORD}@host:5432/sales"


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD", "se@cr/et")
    monkeypatch.setenv("WHOLE", "postgresql://me:se@there/db")


@pytest.mark.parametrize(
    ("given", "made"),
    [
        (Path("a.csv"), {"path": "a.csv"}),
        ("a b/c.parquet", {"path": "a b/c.parquet"}),
        ("s3://bucket/folder", {"path": "s3://bucket/folder"}),
        ("file:///tmp/a.csv", {"path": "file:///tmp/a.csv"}),
        ("sqlite:///a.db#sales", {"url": "sqlite:///a.db", "table": "sales"}),
        ("${WHOLE}#sales", {"url": "${WHOLE}", "table": "sales"}),
        ({"url": URL, "query": "select 1"}, {"url": URL, "query": "select 1"}),
    ],
)
def test_text_paths_and_mappings(given: object, made: dict[str, str]) -> None:
    expected = Source(**made)
    assert Source.model_validate(given) == expected
    assert Source.model_validate(expected.model_dump()) == expected
    assert Source.model_validate_json(expected.model_dump_json()) == expected


def test_names() -> None:
    assert [source(one).name for one in ("x/a.csv", "s3://b/folder/", f"{URL}#public.sales")] == [
        *("a.csv", "folder", "public.sales")
    ]
    assert Source(url=URL, query="select 1").name == "query"


def test_variables_are_read_when_the_source_is(monkeypatch: pytest.MonkeyPatch) -> None:
    made = source(f"{URL}#sales")
    assert made.database().password == "se@cr/et"
    monkeypatch.setenv("PASSWORD", "new")
    assert made.database().password == "new"
    assert source("${WHOLE}#sales").database().host == "there"


@pytest.mark.parametrize(
    "url",
    ["postgresql://me:se@host/db", "postgresql://me:se%40cret@host/db?sslpassword=se%40cret", URL, "${WHOLE}"],
)
def test_no_password_is_shown_logged_or_in_the_identity(url: str) -> None:
    settings = TrainSettings.model_validate({"source": {"url": url, "table": "sales"}, "horizon": 3})
    told = f"{settings!r} {settings} {settings.source} {settings.model_dump_json()} {settings.model_dump()}"
    assert "se@" not in told
    assert "cret" not in told


def test_the_identity_is_that_of_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    before = source(f"{URL}#sales").model_dump_json()
    monkeypatch.setenv("PASSWORD", "another")
    assert source(f"{URL}#sales").model_dump_json() == before


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "give a path, or the url of a database"),
        ({"path": "a", "url": URL, "table": "b"}, "give a path, or the url of a database"),
        ({"path": "a", "table": "b"}, "a file has no table and no query"),
        ({"url": URL}, "give a table or a query"),
        (URL, "give a table or a query: url#table"),
        ({"url": URL, "table": "a", "query": "b"}, "give a table or a query"),
        ({"url": "postgresql://me:${MISSING}@host/db", "table": "a"}, "the environment has no variable MISSING"),
        ({"url": "no url", "table": "a"}, "no url of a database: such as"),
        ({"path": "a", "format": "csv"}, "there is no 'format'; choose from path, query, table, url"),
    ],
)
def test_refusals_without_the_input(given: object, message: str) -> None:
    with pytest.raises(DataError, match=message) as refused:
        source(given)  # type: ignore[arg-type]
    assert "se@" not in str(refused.value)
    with pytest.raises(ValidationError) as invalid:
        TrainSettings.model_validate({"source": given, "horizon": 3})
    assert "input_value" not in str(invalid.value)
