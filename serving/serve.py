"""Serves exported models, over the wire contract of TensorFlow Serving.

    python serving/serve.py EXPORT_DIR

EXPORT_DIR is the folder of a model's versions, or of one of them. Prints
commands to copy, then answers until Ctrl-C or SIGTERM; new versions are picked
up meanwhile. Flags are named as those of `tensorflow_model_server`. Several
models: --model_config_file. See docs/serving.md.

Exit code: 0 after Ctrl-C or SIGTERM, 1 when nothing could be served.
"""

# ruff: noqa: E402  (what comes first decides how TensorFlow starts)
import contextlib
import functools
import os
import pathlib
import sys

# As `import tf_simmim` does: no start-up log, and the same kernels.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
if __name__ == "__main__":
    # In place of this folder, whose modules belong to the package.
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

import tensorflow as tf
from absl import app
from absl import flags

from serving import config_file_poller
from serving import engine
from serving import errors
from serving import examples
from serving import http_server
from serving import model_choice
from serving import model_versions
from serving import serve_flags
from serving import workers
from serving.grpc_api import server as server_of_grpc
from serving.rest import limits
from serving.rest import routes

flags.adopt_module_key_flags(serve_flags)


def main(argv):
    """Runs the program."""
    tf.get_logger().setLevel("ERROR")
    if not serve_flags.XLA_CPU_COMPILATION_ENABLED.value:
        engine.disable_xla()
    load = functools.partial(
        engine.SavedModelEngine,
        tags=serve_flags.SAVED_MODEL_TAGS.value,
        timeout_in_ms=serve_flags.REST_API_TIMEOUT_IN_MS.value,
        intra_op_threads=serve_flags.INTRA_OP_PARALLELISM.value,
        inter_op_threads=serve_flags.INTER_OP_PARALLELISM.value,
    )
    versions = model_versions.ModelVersions(
        load,
        max_num_load_retries=serve_flags.MAX_NUM_LOAD_RETRIES.value,
        load_retry_interval_seconds=(
            serve_flags.LOAD_RETRY_INTERVAL_MICROS.value / 1e6
        ),
        allow_version_labels_for_unavailable_models=(
            serve_flags.ALLOW_LABELS.value
        ),
    )
    with contextlib.closing(versions):
        try:
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
                serve(versions)
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
    addresses = [url, *serve_flags.grpc_addresses()]
    print(f"Serving at {', '.join(addresses)} ...", flush=True)


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


def serve(versions):
    """Answers requests until a signal comes, then those that have come."""
    timeout_seconds = serve_flags.REST_API_TIMEOUT_IN_MS.value / 1000
    pool = workers.Workers(
        num_threads=serve_flags.REST_API_NUM_THREADS.value,
        max_waiting=serve_flags.MAX_WAITING.value,
        timeout_seconds=timeout_seconds,
    )
    allowed = limits.Limits(
        max_body_bytes=serve_flags.MAX_BODY_BYTES.value,
        max_batch=serve_flags.MAX_BATCH.value,
    )
    addresses = serve_flags.grpc_addresses()
    server = http_server.server(
        routes.application(
            versions, pool, allowed, next(iter(addresses), None)
        ),
        serve_flags.ADDRESS.value,
        serve_flags.REST_API_PORT.value,
        grace_seconds=timeout_seconds,
    )
    with contextlib.closing(pool):
        grpc_server = server_of_grpc.start(versions, pool, allowed, addresses)
        http_server.run_until_signal(server)
        grpc_server.stop(timeout_seconds).wait()


if __name__ == "__main__":
    # EXPORT_DIR may stand before or after the flags.
    flags.FLAGS.set_gnu_getopt(True)
    app.run(main)
