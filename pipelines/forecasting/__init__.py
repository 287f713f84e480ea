"""From a model and a panel to forecasts, and to what is not to be trusted about them."""
