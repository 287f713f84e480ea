"""Tables and queries of a real PostgreSQL give the panel of the table; what goes wrong is told without a password."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from forecaster.errors import DataError
from pipelines.data.doors import panel_from_frame
from pipelines.sources.read import read
from pipelines.sources.source import Source
from tests.pipelines.servers import PASSWORD, database

BERLIN = "Europe/Berlin"


def table() -> pd.DataFrame:
    """Two series over a change of the clocks, with gaps."""
    hours = pd.date_range("2024-10-20", "2024-11-05", freq="h", tz=BERLIN)
    frame = pd.concat([pd.DataFrame({"unique_id": one, "ds": hours, "state": one * 2}) for one in ("007", "NA")])
    random = np.random.default_rng(0)
    frame = frame.assign(y=random.normal(size=len(frame)), price=random.integers(0, 9, len(frame)), note="unasked")
    return frame.assign(y=frame["y"].where(random.random(len(frame)) < 0.9)).reset_index(drop=True)


@pytest.fixture(scope="module")
def filled(postgres: sa.URL) -> Iterator[str]:
    with database(postgres) as url:
        table().to_sql("sales", sa.create_engine(url, poolclass=sa.NullPool), index=False)
        yield url


def test_a_table_and_a_query_give_the_panel_of_the_table(filled: str) -> None:
    expected = panel_from_frame(table(), past=["price"], static=["state"], zone=BERLIN)
    options = {"past": ["price"], "static": ["state"], "zone": BERLIN}
    query = Source(url=filled, query="select * from sales where true -- all\n;")
    words = Source(url=filled, query="select * from sales where note <> '12:30 :mm'::text -- all")
    for source in (f"{filled}#sales", f"{filled}#public.sales", query, words):
        assert read(source, **options).digest == expected.digest  # type: ignore[arg-type]
    assert read(f"{filled}#sales", past=["price"]).zone == "UTC"


@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "text", "date", "integer"])
def test_every_kind_of_time_is_cut_by_the_database(kind: str, postgres_url: str) -> None:
    stamps = {
        "timestamptz": "timestamptz '2024-10-26 16:00+02' + s * interval '1 hour'",
        "timestamp": "timestamp '2024-10-26 16:00' + s * interval '1 hour'",
        "text": "to_char(timestamp '2024-10-26 16:00' + s * interval '1 hour', 'YYYY-MM-DD HH24:MI')",
        "date": "date '2024-10-26' + s",
        "integer": "s",
    }
    late = {"date": "2024-11-03", "integer": "8", "timestamptz": "2024-10-26T22:00"}.get(kind, "2024-10-27T00:00")
    query = f"select {stamps[kind]} as ds, case when s > 8 then 'infinity'::float else s end as y"
    source = Source(url=postgres_url, query=f"{query} from generate_series(0, 40) s order by s")
    assert read(source, as_of=late).values.tolist() == list(range(9))


def test_rows_come_in_chunks(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read(f"{filled}#sales", past=["price"])
    monkeypatch.setattr("pipelines.sources.sql.CHUNK", 1000)
    assert read(f"{filled}#sales", past=["price"]).digest == whole.digest


@pytest.mark.parametrize(
    ("old", "new", "table", "message"),
    [
        ("127.0.0.1", "127.0.0.2", "sales", "onnection refused"),
        ("127.0.0.1", "nowhere.invalid", "sales", "nowhere.invalid"),
        ("p%40ss", "wrong", "sales", "password authentication failed"),
        ("/test_", "/none_", "sales", 'database "none_.*" does not exist'),
        ("", "", "none", 'relation "none" does not exist'),
        ("postgresql+psycopg", "postgresql+nothing", "sales", "install the driver"),
        ("", "", "pg_catalog.pg_class", "no column 'ds' and no column 'y'"),
    ],
)
def test_what_goes_wrong_names_the_source_and_no_password(
    old: str, new: str, table: str, message: str, filled: str
) -> None:
    source = f"{filled.replace(old, new, 1)}#{table}"
    with pytest.raises(DataError, match=message) as refused:
        read(source)
    told = str(refused.value)
    assert f":***@{new if 'where' in new or '127' in new else '127.0.0.1'}" in told
    assert PASSWORD not in told
    assert "w%3Ard" not in told


def test_what_may_not_be_read(filled: str) -> None:
    engine = sa.create_engine(filled)
    with engine.begin() as connection:
        connection.execute(sa.text("create role guest login password 'p@ss/w:rd'"))
    with pytest.raises(DataError, match="permission denied for table sales"):
        read(f"{filled.replace('//forecaster', '//guest')}#sales")
    with engine.begin() as connection:
        connection.execute(sa.text("drop role guest"))
    engine.dispose()


def test_columns_that_are_missing_and_rows_that_are_none(filled: str) -> None:
    with pytest.raises(DataError, match="no column 'weather'; there are"):
        read(f"{filled}#sales", known=["weather"])
    with pytest.raises(DataError, match="the table has no rows"):
        read(Source(url=filled, query="select * from sales where false"))
    with pytest.raises(DataError, match="no row is as early as 2020-01-01"):
        read(f"{filled}#sales", as_of="2020-01-01")


def test_nothing_is_written_by_a_query(filled: str) -> None:
    with pytest.raises(DataError, match="data-modifying statement must be at the top level"):
        read(Source(url=filled, query="with gone as (delete from sales returning *) select * from gone"))
    assert len(read(f"{filled}#sales")) == 2


def test_a_database_in_a_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    table().assign(ds=lambda frame: frame["ds"].dt.tz_convert("UTC").dt.tz_localize(None)).to_sql("a", url, index=False)
    expected = panel_from_frame(table().assign(ds=lambda frame: frame["ds"].dt.tz_convert("UTC")), zone="UTC")
    assert read(f"{url}#a", zone="UTC").digest == expected.digest


def test_a_column_of_several_types_is_told(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    with (engine := sa.create_engine(url)).begin() as connection:
        connection.execute(sa.text("create table a (ds text, y real)"))
        connection.execute(sa.text("insert into a values ('2024-01-01', 1.5), ('2024-01-02', '')"))
    engine.dispose()
    with pytest.raises(DataError, match=r"a\.db#a: .*; give a query that casts the column"):
        read(f"{url}#a")


def test_a_row_without_a_time_is_refused_also_where_there_is_an_as_of(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    frame = pd.DataFrame({"unique_id": ["a", "a", "b"], "ds": [1, 2, None], "y": [1.0, 2.0, 3.0]})
    frame.astype({"ds": "Int64"}).to_sql("a", url, index=False)
    for as_of in (None, "2"):
        with pytest.raises(DataError, match="series 'b', ds, row 3: no time"):
            read(f"{url}#a", as_of=as_of)
