"""Nothing later than a time: the rows of a table up to an as-of, told from their column ds alone."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from forecaster.errors import DataError
from pipelines.arrow import encoded, is_text
from pipelines.clock.frequency import Frequency
from pipelines.clock.stamps import SCALE, STEP, TIME, Stamps, first_days, read_stamps, second
from pipelines.clock.zone import DAY, local, parse_zone, utc
from pipelines.data.table import read_series

_LAST = "2200-12-31"


@dataclass(frozen=True)
class Cutoff:
    """Rows with ds <= `as_of`: an ISO 8601 date, which is its first moment, or time, or an integer step.

    Without an offset it is read on the clock of the data: in `zone`, or in the zone that the stamps name. Where clocks
    show a time twice, it is the first one, and stamps without an offset are what `stamps.localise` takes them for.
    """

    as_of: str
    zone: str | None = None
    since: int | None = None
    """Rows at or before this are not wanted either: an integer step, or nanoseconds in UTC, or on the wall clock where
    there is no zone. Only the database and Parquet are told, so that some such rows may come."""

    def bounds(self, kind: pa.DataType) -> tuple[pa.Scalar | None, pa.Scalar] | None:
        """A ds of this type before the first wanted one, and the largest that an earlier row may have.

        None where the type does not tell it (text). Raises DataError where times and steps do not go together, and on
        an offset where the data has no zone.
        """
        if pa.types.is_integer(kind) or pa.types.is_floating(kind):
            return self._scalars(self.since, self._step(), 1, pa.int64())
        if not pa.types.is_date(kind) and not pa.types.is_timestamp(kind):
            return None
        zone = parse_zone(self.zone) if self.zone else None
        if pa.types.is_timestamp(kind) and kind.tz:
            return self._scalars(self.since, self._moment(zone or parse_zone(kind.tz)), SCALE[kind.unit], kind)
        # A clock that is set back shows earlier times again.
        since = int(local(np.array([self.since]), zone)[0]) - DAY if self.since is not None else None
        if pa.types.is_timestamp(kind):
            return self._scalars(since, self._wall(), SCALE[kind.unit], kind)
        return self._scalars(since, self._wall(), DAY, pa.date32())

    def last(self, frequency: Frequency) -> int:
        """The latest time that is wanted of series in `zone`, on their grid or not.

        Raises DataError as `bounds` does.
        """
        if frequency.is_step:
            return self._step()
        return self._moment(parse_zone(self.zone)) if self.zone is not None else self._wall()

    def roughly(self, table: pa.Table) -> pa.Table:
        """Without what is later by the look of its stamp: all that is later, but for an hour that clocks show twice."""
        stamps = self._typed(table["ds"])
        bounds = self.bounds(stamps.type) if stamps is not None else None
        return table.filter(pc.fill_null(pc.less_equal(stamps, bounds[1]), True)) if bounds is not None else table

    def exactly(self, table: pa.Table) -> pa.Table:
        """Without any later row, of a table that has all earlier rows of a series in their order."""
        table = self.roughly(table)
        if not table.num_rows:
            return table
        ids, series = read_series(table)

        def who(row: int) -> str:
            return str(ids[series[row]])

        wall, clock, zone = read_stamps(table["ds"], self.zone, who)
        if clock != "wall" or zone is None:
            return table
        moment, (first, last) = self._moment(zone), utc(wall, zone)
        later = first > moment
        twice = np.flatnonzero((first <= moment) & (last > moment))
        if twice.size:
            later[second(twice, wall, series, zone, who)] = True
        return table.filter(pa.array(~later))

    @staticmethod
    def _scalars(low: int | None, high: int, unit: int, kind: pa.DataType) -> tuple[pa.Scalar | None, pa.Scalar]:
        step = pa.int32() if pa.types.is_date(kind) else pa.int64()
        first, last = (pa.scalar(one // unit, step).cast(kind) if one is not None else None for one in (low, high))
        return first, last

    def _given(self) -> Stamps:
        try:
            return read_stamps(pa.chunked_array([[self.as_of]]), None, lambda row: "", "as_of")
        except DataError as error:
            raise DataError(error.message, place=error.place, remedy=error.remedy) from None  # it is of no series

    def _step(self) -> int:
        times, clock, _ = self._given()
        if clock != "step":
            raise DataError(f"ds counts integer steps and the as-of is {self.as_of}", remedy="give an integer")
        return int(times[0])

    def _time(self) -> Stamps:
        given = self._given()
        if given.clock == "step":
            raise DataError(f"ds holds times and the as-of is {self.as_of}", remedy="give a time, as in 2024-01-31")
        return given

    def _moment(self, zone: str | None) -> int:
        """The as-of in UTC, read in `zone` if it has no offset."""
        times, clock, _ = self._time()
        if clock == "utc":
            return int(times[0])
        first, _ = utc(times, zone)
        return int(first[0]) - int(local(first, zone)[0] != times[0])  # clocks leave it out: just before they go on

    def _wall(self) -> int:
        """The latest that clocks show up to the as-of."""
        times, clock, _ = self._time()
        if clock == "wall":
            return int(times[0])
        if self.zone is None:
            message = f"the as-of {self.as_of} has an offset and the times in ds have none"
            raise DataError(message, remedy="name the time zone of the data, or leave the offset out")
        zone = parse_zone(self.zone)
        wall = local(times, zone)
        first, last = utc(wall, zone)
        return int(wall[0] + (last - first)[0] * (times == last)[0])

    def _typed(self, column: pa.ChunkedArray) -> pa.ChunkedArray | None:
        """Text as numbers or times; None where some is neither, which the reader of stamps refuses."""
        if not is_text(column.type):
            return column
        column = encoded(column)
        words = column.dictionary.cast(pa.string())
        if pc.all(pc.match_substring_regex(words, STEP)).as_py():
            return words.cast(pa.int64()).take(column.indices)
        parts = pc.extract_regex(words, TIME)
        moment = first_days(parts.field("moment"))
        moment = pc.if_else(pc.greater(moment, _LAST), _LAST, moment)
        try:
            times = moment.cast(pa.timestamp("ns"))
        except pa.ArrowInvalid:
            return None
        offsets = parts.field("offset")
        if not pc.any(pc.not_equal(offsets, "")).as_py() or (self.zone is None and self._time().clock == "wall"):
            return times.take(column.indices)  # or each row on its own clock
        shifts = {
            text: int(local(np.zeros(1, np.int64), parse_zone(text or "Z"))[0])
            for text in set(offsets.to_pylist())
            if text is not None
        }
        shift = pa.array([shifts.get(text) for text in offsets.to_pylist()], pa.int64())
        return pc.subtract(times.cast(pa.int64()), shift).cast(pa.timestamp("ns", "UTC")).take(column.indices)
