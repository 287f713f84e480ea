"""Time as tables and requests write it: stamps, zones, calendars and the grids on which series live."""
