"""Models, each four methods around tensors: `forecaster.model` is their contract."""
