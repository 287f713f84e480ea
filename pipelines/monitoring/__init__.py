"""What became of forecasts: beside their actuals, in scores, in evidence, in a report."""
