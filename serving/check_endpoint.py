"""Checks that a server answers as TensorFlow Serving is held to answer.

    python serving/check_endpoint.py --docker

starts TensorFlow Serving in Docker with the models that the exchanges of
tests/golden/serving/ ask for, and asks them, over REST and gRPC: one line for
each, and a summary. Any other server is checked in two steps:

    python serving/check_endpoint.py --write_models=/tmp/models
    python serving/check_endpoint.py http://localhost:8501

The first writes the models and says how to start a server with them.

Exit code: 0 when all is as expected, or differs in a known way; 1 when not, or
when nothing answers.
"""

# ruff: noqa: E402  (what comes first decides how TensorFlow starts)
import os
import pathlib
import shlex
import sys
import urllib.parse

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if __name__ == "__main__":
    # In place of this folder, whose modules belong to the package.
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from absl import app
from absl import flags

from serving.conformance import docker
from serving.conformance import exchanges
from serving.conformance import models

_GRPC = flags.DEFINE_string(
    "grpc",
    None,
    "Ask gRPC at this host:port; an empty value asks only REST. By default it "
    "is port 8500 of the URL's host.",
)
_WRITE_MODELS = flags.DEFINE_string(
    "write_models",
    None,
    "Write the models to this folder, and do no more. By default a server is "
    "asked.",
)
_DOCKER = flags.DEFINE_bool(
    "docker", False, "Start TensorFlow Serving in Docker, and stop it after."
)
_DOCKER_IMAGE = flags.DEFINE_string(
    "docker_image", docker.IMAGE, "Run this image with --docker."
)
_TIMEOUT_SECONDS = flags.DEFINE_float(
    "timeout_seconds",
    30.0,
    "Wait this many seconds for an exchange.",
    lower_bound=0.1,
)
_WAIT_SECONDS = flags.DEFINE_float(
    "wait_seconds",
    120.0,
    "Wait this many seconds until a server of --docker serves the models.",
    lower_bound=0.0,
)


def main(argv):
    """Runs the program."""
    if len(argv) - 1 + _DOCKER.value + bool(_WRITE_MODELS.value) != 1:
        sys.exit("Give one of: the URL of a server, --docker, --write_models.")
    if _WRITE_MODELS.value:
        show_how_to_start(models.write(_WRITE_MODELS.value))
        return
    try:
        if _DOCKER.value:
            image, seconds = _DOCKER_IMAGE.value, _WAIT_SECONDS.value
            with docker.running(image, seconds) as (grpc_port, rest_port):
                num_different = check(
                    f"http://127.0.0.1:{rest_port}", f"127.0.0.1:{grpc_port}"
                )
        else:
            num_different = check(argv[1].rstrip("/"), _GRPC.value)
    except (OSError, ValueError) as error:
        sys.exit(f"The server does not answer: {error}")
    sys.exit(num_different > 0)


def show_how_to_start(folder):
    """Prints commands that each start a server with the models."""
    serve = ["python", "serving/serve.py", *models.server_flags(folder)]
    command = docker.command(folder, _DOCKER_IMAGE.value, 8500, 8501)
    print(f"Start a server with them, one of:\n\n  {shlex.join(command)}\n")
    print(f"  {shlex.join(serve)}\n\nThen:\n")
    print("  python serving/check_endpoint.py http://127.0.0.1:8501")


def check(url, address):
    """Asks everything; returns the number of unexpected answers.

    Args:
        url: str. Of REST.
        address: str. Of gRPC; empty: not asked. None: port 8500 beside REST.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "http" or not parts.netloc:
        raise ValueError(f"the URL must be http://host:port. Received: {url}")
    if address is None:
        address = f"{parts.hostname}:8500"
    seconds = _TIMEOUT_SECONDS.value
    outcomes = show("REST", url, exchanges.ask_rest(url, seconds))
    if address:
        outcomes += show("gRPC", address, exchanges.ask_grpc(address, seconds))
    known = [outcome for outcome in outcomes if outcome.known_as]
    different = [
        outcome
        for outcome in outcomes
        if outcome.difference and not outcome.known_as
    ]
    num_same = len(outcomes) - len(known) - len(different)
    print(
        f"\n{len(outcomes)} exchanges: {num_same} as expected, {len(known)} "
        f"with a known difference, {len(different)} different"
    )
    return len(different)


def show(protocol, address, outcomes):
    """Prints a line for each outcome as it comes; returns them as a list."""
    print(f"\n{protocol}, {address}\n")
    shown = []
    for outcome in outcomes:
        verdict, text = "same", ""
        if outcome.difference:
            verdict = "known" if outcome.known_as else "DIFFERENT"
            cause = f" ({outcome.known_as})" if outcome.known_as else ""
            text = f": {outcome.difference}{cause}"
        print(f"{verdict:9} {outcome.name}{text}", flush=True)
        shown.append(outcome)
    return shown


if __name__ == "__main__":
    # The URL may stand before or after the flags.
    flags.FLAGS.set_gnu_getopt(True)
    app.run(main)
