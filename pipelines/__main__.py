"""`python -m pipelines` is the command line `forecaster`."""

from pipelines.cli import app

app()
