"""Data as MLflow shows it."""

import json

from mlflow.entities import Dataset
from mlflow.utils.validation import MAX_DATASET_DIGEST_SIZE

from pipelines.data.panel import Panel


def described(panel: Panel, name: str) -> Dataset:
    """The digest, columns and profile of a panel."""
    kinds = {
        "unique_id": "string",
        "ds": "long" if panel.frequency.is_step else "datetime",
        "y": "string" if panel.labels else "double",
    }
    kinds |= dict.fromkeys([*panel.known_names, *panel.past_names], "double")
    kinds |= dict.fromkeys(panel.static_names, "string")
    columns = [{"type": kind, "name": column, "required": True} for column, kind in kinds.items()]
    return Dataset(
        name=name,
        digest=panel.digest[:MAX_DATASET_DIGEST_SIZE],
        source_type="local",
        source=json.dumps({"uri": name}),
        schema=json.dumps({"mlflow_colspec": columns}),
        profile=json.dumps(panel.profile),
    )
