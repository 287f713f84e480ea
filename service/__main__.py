"""`python -m service ARTIFACT`: serve an artifact folder."""

import argparse
import sys
from pathlib import Path

from service.serve import ServeError, serve

parser = argparse.ArgumentParser(prog="python -m service", description="Serve an artifact folder over HTTP.")
parser.add_argument("artifact", type=Path, help="folder of a trained model, with spec.json in it")
parser.add_argument("--name", default="forecaster", help="what answers call the model")
parser.add_argument("--version", default="1", help="and its version")
parser.add_argument("--host", default="127.0.0.1")
parser.add_argument("--port", type=int, default=3000)

if __name__ == "__main__":
    chosen = parser.parse_args()
    try:
        serve(chosen.artifact, chosen.name, chosen.version, host=chosen.host, port=chosen.port)
    except ServeError as error:
        sys.exit(f"error: {error}")
