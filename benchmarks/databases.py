"""Rows per second of processor time, from a table of a PostgreSQL to a panel and from forecasts to a table.

    python -m benchmarks.databases 'postgresql+psycopg://user:${PASSWORD}@host/scratch'

It makes and drops the tables benchmark_sales and benchmark_forecasts.
"""

import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import sqlalchemy as sa

from pipelines.data.doors import panel_from_frame
from pipelines.sources.read import read
from pipelines.sources.sink import write_forecasts
from pipelines.sources.source import source

FILL = """
create table benchmark_sales as
select 's' || i as unique_id, timestamptz '2024-01-01' + h * interval '1 hour' as ds, (h % 24)::float8 as y
from generate_series(1, 1000) i, generate_series(0, 999) h
"""
SERIES, HORIZON = 5000, 24


def main(url: str) -> None:
    """Print the rates."""
    sales, forecasts = f"{url}#benchmark_sales", f"{url}#benchmark_forecasts"
    engine = sa.create_engine(source(sales).database(), poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text(FILL))
    panel = panel_from_frame(pd.DataFrame({"unique_id": [f"s{i:05d}" for i in range(SERIES)], "ds": 10, "y": 1.0}))
    frame = pd.DataFrame({"unique_id": np.repeat(panel.ids, HORIZON), "ds": np.tile(np.arange(11, 35), SERIES)})
    frame = frame.assign(mean=1.0, **{f"q0.{k}": 1.0 for k in range(1, 10)})
    try:
        clock("read", lambda: read(sales).total)
        clock("read up to an as-of", lambda: read(sales, as_of="2024-01-02").total)
        for title in ("write", "write again"):
            clock(title, lambda: write_forecasts(frame, panel, forecasts, model="m", version="1"))
    finally:
        with engine.begin() as connection:
            connection.execute(sa.text("drop table if exists benchmark_sales, benchmark_forecasts"))


def clock(title: str, work: Callable[[], int]) -> None:
    """Print how many rows a piece of work did, and in how many seconds of this process."""
    began = time.process_time()
    rows = work()
    seconds = time.process_time() - began
    print(f"{title:20} {rows:>9} rows {seconds:6.2f} s {rows / seconds:>9.0f} rows/s")


if __name__ == "__main__":
    main(sys.argv[1])
