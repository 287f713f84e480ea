"""The command line `forecaster`."""
