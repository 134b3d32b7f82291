"""A stream's batches made by other machines, in exactly the same order.

`tf.data`'s service hands out what several workers make in no fixed order, and
begins a worker's data anew when it comes back. So each server here is a
dispatcher of its own with one worker: server i of W makes the batches i,
i + W, i + 2 W, ..., which come in order, and the trainer takes from one server
after another. Every batch carries its number, which the trainer compares.

Dimension key:
  B: rows of a batch on one trainer
"""

import copy

import tensorflow as tf

from tf_simmim.data import sharing

_service = tf.data.experimental.service


def served_batches(
    stream,
    servers,
    batch_size,
    start_index=0,
    num_workers=1,
    worker=0,
    num_replicas=1,
) -> tf.data.Dataset:
    """Yields what `stream.batches` does, made by servers.

    Start each with `experiments/data_server.py`. They read the images
    themselves, by the same paths. A server of record files reads all of them
    and decodes its own batches; one of a folder reads its own images alone.

    What the local stream does and this does not: no bad image is replaced,
    since nothing of Python can be sent to a server; the first ends the data
    set with an error. List them first with `experiments/check_data.py`. If a
    server is lost, the data set waits for it; one that comes back knows
    nothing of the run, which is an error here. The run ends, and the same
    command continues it from its checkpoint.

    Args:
        stream: `ImageStream`.
        servers: sequence of str, "grpc://HOST:PORT" or "HOST:PORT" each. How
            many there are changes nothing but speed.
        batch_size: int, as in `ImageStream.batches`.
        start_index: int, as there.
        num_workers: int, as there: trainers.
        worker: int, as there.
        num_replicas: int, as there.

    Returns:
        Data set of dicts, endless.

    Raises:
        ValueError: there are no servers, or one twice; the source is read
            with Python code (`builtin:photos` and data sets of your own may
            be, and TensorFlow data sets as `array_record` are); or as
            `ImageStream.batches`.
        tf.errors.OpError: while reading: a server was started again, or an
            image is bad.
    """
    servers = [
        server if "://" in server else f"grpc://{server}" for server in servers
    ]
    if not servers or len(set(servers)) < len(servers):
        raise ValueError(
            "`servers` must name one server or more, each once. "
            f"Received: {', '.join(servers) or 'none'}."
        )
    num_servers = len(servers)
    local = copy.copy(stream)
    local.bad_images = None  # they are kept in a table of this process
    # As they were given, before they are multiplied below.
    sharing.require_shares(
        batch_size=batch_size,
        start_index=start_index,
        stop_index=None,
        num_workers=num_workers,
        worker=worker,
        num_replicas=num_replicas,
    )
    first = start_index // batch_size
    turn, first_of_turn = divmod(first, num_servers)

    def batches_of(server_number):
        # A turn, one batch of each server, is as one batch shared by many.
        batches = local.batches(
            batch_size * num_servers,
            start_index=turn * batch_size * num_servers,
            num_workers=num_servers * num_workers,
            worker=server_number * num_workers + worker,
        )
        batches = batches.enumerate(turn)
        if server_number < first_of_turn:
            batches = batches.skip(1)
        _require_no_python(batches, stream.source)
        return batches.apply(
            _service.distribute(
                processing_mode=_service.ShardingPolicy.OFF,
                service=servers[server_number],
            )
        )

    def in_order(number, numbered):
        turn, batch = numbered
        is_next = tf.debugging.Assert(
            tf.equal(turn, number // num_servers),
            [
                "A data server was started again, and its batches begin anew: "
                "give the command of the run again. Expected and received:",
                number // num_servers,
                turn,
            ],
        )
        with tf.control_dependencies([is_next]):
            return tf.nest.map_structure(tf.identity, batch)

    numbers = tf.data.Dataset.counter(first)
    batches = tf.data.Dataset.choose_from_datasets(
        [batches_of(number) for number in range(num_servers)],
        numbers.map(lambda number: number % num_servers),
        stop_on_empty_dataset=True,
    )
    batches = tf.data.Dataset.zip((numbers, batches)).map(in_order)
    if num_replicas > 1:
        batches = batches.flat_map(
            lambda batch: sharing.in_parts(batch, num_replicas)
        )
    options = tf.data.Options()
    options.deterministic = True
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.OFF
    )
    return batches.prefetch(tf.data.AUTOTUNE).with_options(options)


def _require_no_python(dataset, source):
    variant = tf.data.experimental.to_variant(dataset)
    graph = tf.raw_ops.DatasetToGraphV2(input_dataset=variant).numpy()
    if b"PyFunc" in graph:
        raise ValueError(
            f"Data servers cannot make the batches of {source.name}, which is "
            "read with Python code: prepare it as record files with "
            "experiments/prepare.py, or leave the servers out."
        )
