"""From the panel to what a model reads: covariates, lanes, windows, and gaps to learn from."""
