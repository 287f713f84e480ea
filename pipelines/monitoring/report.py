"""What a monitoring job ends with."""

from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from pipelines.monitoring.drift import Drift
from pipelines.monitoring.verdicts import Breach


@dataclass(frozen=True)
class Report:
    """How the forecasts of a model did."""

    name: str
    version: str | None
    """None where those of all versions are judged."""
    at: datetime
    overall: dict[str, float]
    """As in `pipelines.monitoring.scores.in_all`."""
    by_day: pd.DataFrame
    by_group: pd.DataFrame
    by_step: pd.DataFrame
    drift: Drift
    breaches: tuple[Breach, ...]

    @property
    def verdict(self) -> str:
        """What is breached, or by how many forecasts nothing is known to be."""
        if self.breaches:
            return "; ".join(one.sentence for one in self.breaches)
        if not (count := self.overall["forecasts"]) > 0:  # NaN of none
            return "no forecast has met its actual value yet"
        return f"as promised, as far as {count:.0f} forecasts tell"

    @property
    def code(self) -> int:
        """The exit code: 3 where a rule is breached."""
        return 3 if self.breaches else 0

    @property
    def reasons(self) -> tuple[str, ...]:
        """What is breached that a retrain can mend: not values that have not come."""
        return tuple(one.sentence for one in self.breaches if one.rule != "missing")
