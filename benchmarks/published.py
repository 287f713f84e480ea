"""Data sets with an official split, and what others reached on them."""

from dataclasses import dataclass

Row = tuple[str, float | None, float | None, float | None, float | None, float | None]
"""Method, sMAPE, MASE, OWA, weighted quantile loss, MSIS."""


@dataclass(frozen=True)
class Dataset:
    """A data set: `<name>_train.csv.gz` and `<name>_test.csv.gz`."""

    name: str
    horizon: int
    season: int
    naive2: tuple[float, float] | None
    """sMAPE and MASE of Naive2, the reference of OWA."""
    rows: tuple[Row, ...]


DATASETS = {
    one.name: one
    for one in (
        Dataset(
            "m4_hourly",
            48,
            24,
            (18.383, 2.395),
            (
                ("best of all M4 entries", 8.91, 0.801, 0.410, None, 6.14),
                ("ES-RNN, the M4 winner (recurrent, ensemble)", 9.33, 0.893, 0.440, None, 7.93),
                ("N-HiTS in a popular library (measured)", 12.13, 1.052, 0.550, 0.0336, None),
                ("seasonal naive", 13.91, 1.193, 0.627, 0.0376, None),
                ("organisers' RNN benchmark", 14.70, 3.048, 1.036, None, None),
                ("Theta", 18.14, 2.455, 1.006, 0.041, None),
                ("TiRex, zero-shot (xLSTM)", None, 0.722, None, 0.0202, None),
                ("Chronos-2, zero-shot", None, 0.788, None, 0.0232, None),
            ),
        ),
        Dataset(
            "m3_monthly",
            18,
            12,
            None,
            (
                ("TiRex, zero-shot (xLSTM)", None, 0.831, None, None, None),
                ("AutoTheta", 13.89, 0.855, None, None, None),
                ("AutoETS", None, 0.863, None, None, None),
            ),
        ),
        Dataset(
            "m3_quarterly",
            8,
            4,
            None,
            (
                ("AutoTheta", 8.96, 1.119, None, None, None),
                ("AutoETS", None, 1.144, None, None, None),
                ("TiRex, zero-shot (xLSTM)", None, 1.154, None, None, None),
            ),
        ),
        Dataset(
            "m3_yearly",
            6,
            1,
            None,
            (
                ("AutoTheta", 16.97, 2.610, None, None, None),
                ("AutoETS", None, 2.695, None, None, None),
                ("TiRex, zero-shot (xLSTM)", None, 2.710, None, None, None),
            ),
        ),
        Dataset("nn5_daily", 56, 7, None, ()),
        Dataset("carparts_monthly", 12, 12, None, (("DeepAR", None, 0.747, None, None, None),)),
    )
}
