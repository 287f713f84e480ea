"""What the champion is asked outside of the service: forecasts of files of any size, backtests, its gradients."""
