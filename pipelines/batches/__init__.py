"""From the panel to what a model reads: origins, units, covariates, lanes and windows."""
