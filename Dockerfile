# Two images: forecaster is the service, the commands and the MLflow server; scheduler adds Dagster in an environment of its
# own. On the CPU by default; for NVIDIA GPUs build with
#   --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130
FROM python:3.11.14-slim-trixie AS forecaster

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1 GIT_PYTHON_REFRESH=quiet \
    MLFLOW_DISABLE_TELEMETRY=true BENTOML_DO_NOT_TRACK=true

WORKDIR /app
COPY constraints.txt ./
RUN pip install --extra-index-url "$TORCH_INDEX" -c constraints.txt torch
COPY pyproject.toml README.md LICENSE ./
COPY forecaster forecaster
COPY pipelines pipelines
COPY service service
RUN pip install -c constraints.txt ".[postgres,s3]"

# Volumes of docker-compose.yml lie on these, and take their owner from here.
RUN useradd --create-home --uid 1000 forecaster && install --directory --owner forecaster --group forecaster \
    /home/forecaster/mlruns /home/forecaster/mlruns/dagster /home/forecaster/kept /home/forecaster/metrics
USER forecaster
WORKDIR /home/forecaster
EXPOSE 3000
ENTRYPOINT ["forecaster"]
CMD ["serve", "--host", "0.0.0.0", "--port", "3000"]


FROM forecaster AS scheduler

ENV FORECASTER_DAGSTER=/opt/dagster
USER root
RUN forecaster schedule prepare
USER forecaster
EXPOSE 3070
CMD ["schedule", "up", "jobs", "--host", "0.0.0.0"]


FROM forecaster
