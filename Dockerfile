# One image for the service, the jobs and the MLflow server. On the CPU by default; for NVIDIA GPUs build with
#   --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130
FROM python:3.11-slim

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
RUN pip install -c constraints.txt .

# Volumes of docker-compose.yml lie on mlruns, and take their owner from here.
RUN useradd --create-home forecaster && install --directory --owner forecaster /home/forecaster/mlruns
USER forecaster
WORKDIR /home/forecaster
EXPOSE 3000
ENTRYPOINT ["forecaster"]
CMD ["serve", "--host", "0.0.0.0", "--port", "3000"]
