"""`python -m pipelines` is the command line `forecaster`."""

from pipelines.cli.app import app

app()
