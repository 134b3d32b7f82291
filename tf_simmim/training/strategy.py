"""Where a run trains: one device, one machine, many machines, or a TPU."""

import socket
import urllib.parse

import tensorflow as tf
from absl import logging

from tf_simmim.training import tf_config

_CONNECT_SECONDS = 10
STRATEGIES = ("auto", "one", "mirrored", "multiworker", "tpu")


def create_strategy(name="auto", tpu=None) -> tf.distribute.Strategy:
    """Creates the strategy under which a model is built and trained.

    "auto" is the first of these that there is a reason for:

        tpu          a TPU is named
        multiworker  TF_CONFIG names two workers or more
        mirrored     this machine has two GPUs or more
        one          otherwise

    A strategy spreads the work and leaves the result as it is: see
    `data.distributed_batches`.

    Call it before anything else is done with TensorFlow: "multiworker" cannot
    start later. There it returns when all workers are there, however long
    that takes. A worker that is lost afterwards is noticed by all others: a
    collective operation raises a `tf.errors.OpError`.

    Args:
        name: one of `STRATEGIES`.
        tpu: str or None. Name or address (grpc://...) of a TPU; "local" for
            the one of this machine.

    Returns:
        tf.distribute.Strategy; for "one", TensorFlow's default.

    Raises:
        ValueError: `name` is unknown; `tpu` is given for another strategy
            than a TPU's, or names none; there is no TPU; TF_CONFIG is broken,
            or is missing for "multiworker", or is there for a strategy that
            would ignore it.
    """
    if name not in STRATEGIES:
        raise ValueError(
            f"`name` must be one of {STRATEGIES}. Received: {name!r}."
        )
    if tpu and name not in ("auto", "tpu"):
        raise ValueError(
            "`tpu` needs the strategy 'tpu' or 'auto'. Received: "
            f"tpu={tpu!r}, name={name!r}."
        )
    workers = tf_config.workers()
    if name == "auto":
        name = _choose(tpu, workers)
    if len(workers) > 1 and name != "multiworker":
        raise ValueError(
            f"`name` must be 'multiworker' where TF_CONFIG names "
            f"{len(workers)} workers: each would train on its own. "
            f"Received: {name!r}. Or unset TF_CONFIG."
        )
    if name == "tpu":
        return _tpu_strategy(tpu)
    if name == "multiworker":
        return _multi_worker_strategy(workers)
    if name == "mirrored":
        return tf.distribute.MirroredStrategy(_local_devices())
    return tf.distribute.get_strategy()


def _choose(tpu, workers):
    if tpu:
        return "tpu"
    if len(workers) > 1:
        return "multiworker"
    gpus = tf.config.list_physical_devices("GPU")
    return "mirrored" if len(gpus) > 1 else "one"


def _multi_worker_strategy(workers):
    if not workers:
        raise ValueError(
            "The strategy 'multiworker' needs TF_CONFIG in the environment, "
            "which says where the workers are; docs/scaling.md has an "
            "example. Received: no TF_CONFIG."
        )
    own = tf_config.worker()
    logging.info(
        "This is worker %d of %s; waiting for all of them.", own, workers
    )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except tf.errors.OpError as error:
        raise ValueError(
            "The workers of TF_CONFIG must find each other. Received: "
            f"{workers}, this one {workers[own]}; {error.message}"
        ) from error


def _tpu_strategy(tpu):
    if not tpu:
        raise ValueError(
            "The strategy 'tpu' needs the name of a TPU, `tpu`. Received: "
            f"{tpu!r}."
        )
    try:
        if tpu.startswith("grpc://"):
            _require_listener(tpu)
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=tpu)
        if tpu != "local":
            tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)
    except Exception as error:  # whatever the network and drivers say
        why = (str(error) or type(error).__name__).partition("\n")[0]
        raise ValueError(
            "`tpu` must be the name or address of a TPU that this machine "
            f"can reach. Received: {tpu!r} ({why})."
        ) from error


def _require_listener(url):
    # TensorFlow aborts the process at an address that it cannot use.
    address = urllib.parse.urlsplit(url)
    with socket.create_connection(
        (address.hostname, address.port), _CONNECT_SECONDS
    ):
        pass


def _local_devices():
    """Returns the GPUs of this machine; without any, its logical CPUs."""
    for kind in ("GPU", "CPU"):
        devices = tf.config.list_logical_devices(kind)
        if devices:
            return [device.name for device in devices]
    raise ValueError("`name` 'mirrored' needs devices. Received: none.")
