"""`python -m service MODEL`: serve an artifact folder, or the champion that a note names."""

import argparse
import sys
from pathlib import Path

from service.serve import ServeError, serve

parser = argparse.ArgumentParser(prog="python -m service", description="Serve a model over HTTP.")
parser.add_argument("model", type=Path, help="artifact folder with spec.json in it, or a note, which is watched")
parser.add_argument("--name", default="forecaster", help="what answers call the model")
parser.add_argument("--version", default="1", help="and its version")
parser.add_argument("--host", default="127.0.0.1")
parser.add_argument("--port", type=int, default=3000)
parser.add_argument("--workers", type=int, default=1, help="processes that answer")
parser.add_argument("--parent", type=int, help="process that has started this one, which ends with it")

if __name__ == "__main__":
    chosen = parser.parse_args()
    try:
        serve(**vars(chosen))
    except ServeError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)  # what a person has to mend, as of every command
