"""The tables of series that live on between requests: a row of a series, and a row of each of its steps."""

from sqlalchemy import BigInteger, Column, Float, Integer, MetaData, Table, Text, UniqueConstraint

TABLES = MetaData()
STREAMS = Table(
    "forecaster_streams",
    TABLES,
    Column("number", Integer, primary_key=True),
    Column("model", Text, nullable=False),
    Column("series", Text, nullable=False),
    Column("frequency", Text, nullable=False),
    Column("zone", Text),
    Column("kind", Text, nullable=False),
    Column("origin", BigInteger, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("next", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("heard", Float, nullable=False),
    UniqueConstraint("model", "series"),
)
STEPS = Table(
    "forecaster_stream_steps",
    TABLES,
    Column("stream", Integer, primary_key=True),
    Column("step", BigInteger, primary_key=True),
    Column("said", Text, nullable=False),
)
