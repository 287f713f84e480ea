"""The unit of a series: what seasonal naive errs by in it, and something sensible where that says nothing."""

import numpy as np
import pandas as pd
import pytest

from pipelines.panel import panel_from_frame
from pipelines.unit import naive_error, unit


def test_it_is_the_error_of_seasonal_naive_wherever_there_is_one() -> None:
    wave = np.tile([0.1, 0.7, -0.3], 6)
    series = {
        "usual": np.array([1.0, 5.0, 2.0, 6.0, 3.0, 9.0, np.nan, 7.0]),
        "repeated": wave + 1e-12 * np.arange(18),  # what is left of it is rounding
        "short": np.array([4.0, 6.0, 9.0]),
        "constant": np.full(9, 5.0),
        "one": np.array([3.0]),
    }
    frame = pd.concat(pd.DataFrame({"unique_id": k, "ds": range(len(y)), "y": y}) for k, y in series.items())
    panel = panel_from_frame(frame)
    found = dict(zip(panel.ids, zip(naive_error(panel, 3), unit(panel, 3), strict=True), strict=True))
    assert found["usual"] == pytest.approx((4.5, 4.5))  # 5, 2, 7, a gap, 4
    assert found["repeated"] == pytest.approx((3e-12, np.abs(np.diff(wave)).mean()), rel=1e-3)
    assert np.isnan(found["short"][0])
    assert found["short"][1] == 2.5
    assert found["constant"] == (0.0, 1.0)
    assert found["one"][1] == 1.0
