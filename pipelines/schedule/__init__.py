"""The scheduler that runs jobs by the clock: Dagster, in an environment of its own, calls the command `forecaster`."""
