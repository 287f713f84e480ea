"""Every distribution family by its name: a new one is a class with a `name` in a new file of this folder."""

from forecaster.catalogue import named
from forecaster.head import Head

HEADS: dict[str, type[Head]] = named(__name__, Head)
