"""Serves exported models, over the wire contract of TensorFlow Serving.

    python serving/serve.py EXPORT_DIR

EXPORT_DIR is the folder of a model's versions, or of one of them. Prints
commands to copy, then answers until Ctrl-C or SIGTERM; new versions are picked
up meanwhile. Flags are named as those of `tensorflow_model_server`. Several
models: --model_config_file. See docs/serving.md.

Exit code: 0 after Ctrl-C or SIGTERM, 1 when nothing could be served, or a
request did not end in its time.
"""

# ruff: noqa: E402  (what comes first decides how TensorFlow starts)
import contextlib
import importlib.metadata
import os
import pathlib
import signal
import sys

# As `import tf_simmim` does: no start-up log, and the same kernels.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
if __name__ == "__main__":
    # In place of this folder, whose modules belong to the package.
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])


def leave(*_):
    """Ends the process, whatever it is importing, loading or warming up.

    None of that can be interrupted, and nobody waits for an answer yet.
    """
    print("Stopped before it served.", file=sys.stderr, flush=True)
    os._exit(0)


if __name__ == "__main__":
    # Until `serve` handles them. TensorFlow takes seconds to import.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)

import tensorflow as tf
from absl import app
from absl import flags

from serving import config_file_poller
from serving import engine
from serving import errors
from serving import examples
from serving import from_flags
from serving import http_server
from serving import model_choice
from serving import serve_flags
from serving.grpc_api import server as server_of_grpc
from serving.page import routes as page_routes
from serving.rest import routes

flags.adopt_module_key_flags(serve_flags)


def main(argv):
    """Runs the program."""
    if serve_flags.VERSION.value:
        print(f"tf_simmim: {importlib.metadata.version('tf_simmim')}")
        print(f"TensorFlow Library: {tf.__version__}")
        return
    tf.get_logger().setLevel("ERROR")
    if not serve_flags.XLA_CPU_COMPILATION_ENABLED.value:
        engine.disable_xla()
    with contextlib.ExitStack() as stack:
        try:
            # Files that are wrong are told of before models are loaded.
            metrics_path = from_flags.metrics_path()
            samples = from_flags.samples()
            grpc_options = from_flags.grpc_options()
            batching = from_flags.batching()
            if batching is not None:
                stack.callback(batching.threads.close)
            versions = from_flags.versions(batching)
            stack.callback(versions.close)
            configs = model_choice.of_command_line(
                argv[1:],
                serve_flags.MODEL_NAME.value,
                serve_flags.MODEL_BASE_PATH.value,
                serve_flags.MODEL_CONFIG_FILE.value,
            )
            versions.configure(configs)
            versions.wait_until_available()
            show_examples(versions, configs)
            with polling(versions):
                serve(versions, batching, metrics_path, grpc_options, samples)
        except errors.ServingError as error:
            sys.exit(f"Failed to start server. Error: {error}")


def show_examples(versions, configs):
    """Prints what to type to ask each model something."""
    url = serve_flags.rest_url()
    for config in configs:
        with versions.using(config.name) as (version, loaded):
            commands = examples.commands(url, config.name, loaded.signatures)
        print(f"\nModel {config.name}, version {version}:\n")
        print("".join(f"  {command}\n\n" for command in commands))
    if not serve_flags.is_loopback():
        print(
            f"WARNING: {serve_flags.ADDRESS.value} can be reached by others, "
            "and there is no authentication.\n"
        )


@contextlib.contextmanager
def polling(versions):
    """Looks for new versions and a new --model_config_file meanwhile."""
    seconds = serve_flags.FILE_SYSTEM_POLL_WAIT_SECONDS.value
    if seconds:
        versions.start_polling(seconds)
    path = serve_flags.MODEL_CONFIG_FILE.value
    seconds = serve_flags.MODEL_CONFIG_FILE_POLL_WAIT_SECONDS.value
    if not path or not seconds:
        yield
        return
    poller = config_file_poller.ConfigFilePoller(path, versions, seconds)
    poller.start()
    with contextlib.closing(poller):
        yield


def serve(versions, batching, metrics_path, grpc_options, samples):
    """Answers requests until a signal comes, then those that have come."""
    timeout_seconds = serve_flags.timeout_seconds()
    pool, allowed = from_flags.workers(), from_flags.limits()
    reached = serve_flags.reached_grpc_addresses()
    page = page_routes.routes(
        versions,
        allowed,
        # Its examples speak without encryption.
        grpc_address=(
            None if grpc_options["credentials"] else next(iter(reached), None)
        ),
        samples=samples,
    )
    server = http_server.server(
        routes.application(
            versions,
            pool,
            allowed,
            batches=None if batching is None else batching.threads,
            metrics_path=metrics_path,
            allow_other_origins=serve_flags.REST_API_ENABLE_CORS_SUPPORT.value,
            more_routes=page,
        ),
        serve_flags.ADDRESS.value,
        serve_flags.REST_API_PORT.value,
        grace_seconds=timeout_seconds,
    )
    with contextlib.ExitStack() as stack:
        stack.callback(close_or_leave, pool)
        health = from_flags.health(versions, pool, batching)
        grpc_server = server_of_grpc.start(
            versions,
            pool,
            allowed,
            serve_flags.grpc_addresses(),
            health,
            **grpc_options,
        )
        stack.callback(lambda: grpc_server.stop(timeout_seconds).wait())
        if health is not None:
            stack.callback(health.close)
        urls = ", ".join([serve_flags.rest_url(), *reached])
        http_server.run_until_signal(
            server, lambda: print(f"Serving at {urls} ...", flush=True)
        )


def close_or_leave(pool):
    """Ends the threads of requests; or the process, where one is stuck.

    Neither the thread nor the model that it runs can be freed.
    """
    if not pool.close():
        print(
            "A request has not ended in its time, and is left behind.",
            file=sys.stderr,
            flush=True,
        )
        os._exit(1)


if __name__ == "__main__":
    # EXPORT_DIR may stand before or after the flags.
    flags.FLAGS.set_gnu_getopt(True)
    app.run(main)
