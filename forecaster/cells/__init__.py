"""Every recurrent cell by its name: a new one is a class with a `name` in a new file of this folder."""

from forecaster.catalogue import named
from forecaster.core import Cell

CELLS: dict[str, type[Cell]] = named(__name__, Cell)
