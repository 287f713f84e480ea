"""What MLflow is told about jobs: at once where it answers, and later where it does not."""
