"""The batches of a stream, handed to all replicas of a strategy.

Dimension key:
  G: global batch   R: replicas of all workers   B: replica batch = G / R
"""

import tensorflow as tf

from tf_simmim import randomness
from tf_simmim.data import service


def distributed_batches(
    strategy, stream, batch_size, servers=None, mix=None, **kwargs
):
    """Yields the batches of a stream under a strategy, for `model.fit`.

    Replica r gets the rows r * B .. (r + 1) * B - 1 of every global batch:
    the same samples make up a step however many devices share it, and
    `randomness.uniform_per_sample` counts them likewise. Each worker reads
    its own rows alone.

    Args:
        strategy: tf.distribute.Strategy.
        stream: `ImageStream`.
        batch_size: int, a multiple of the number of replicas. G.
        servers: sequence of str, or None: data servers that make the batches,
            see `served_batches`.
        mix: `MixUpCutMix`, or None. Works on the batch of each replica, all
            of a step with one seed: a function of the stream's and the step.
        **kwargs: `start_index`, `stop_index`, `drop_remainder` and
            `num_parallel_calls` of `ImageStream.batches`; with servers, the
            first alone.

    Returns:
        tf.distribute.DistributedDataset of dicts, each value with a leading
        dimension B; under the default strategy, a tf.data.Dataset. Every
        worker has to iterate over it.

    Raises:
        ValueError: as from `ImageStream.batches` or `served_batches`; or
            `mix` is to mix batches with an odd number of rows on a replica.
    """
    if mix is not None:
        mix.require_pairs(batch_size // strategy.num_replicas_in_sync)
    # Batches of files come from Python. As in `ImageStream.batches`, no thread
    # may be there when the iterator is deleted; so nothing is fetched before a
    # step asks for it.
    is_python = stream.bad_images is not None and not servers

    def own_batches(context):
        num_workers = context.num_input_pipelines
        num_replicas = context.num_replicas_in_sync // num_workers
        share = {
            "num_workers": num_workers,
            "worker": context.input_pipeline_id,
            "num_replicas": num_replicas,
        }
        if servers:
            batches = service.served_batches(
                stream, servers, batch_size, **share, **kwargs
            )
        else:
            batches = stream.batches(batch_size, **share, **kwargs)
        if mix is None:
            return batches
        first_step = kwargs.get("start_index", 0) // batch_size

        def mixed(number, batch):
            step = first_step + number // num_replicas
            return mix(
                batch, randomness.seed_for(stream.seed, randomness.MIX, step)
            )

        batches = batches.enumerate().map(mixed)
        return batches if is_python else batches.prefetch(tf.data.AUTOTUNE)

    options = None
    if is_python:
        options = tf.distribute.InputOptions(
            experimental_per_replica_buffer_size=0
        )
    return strategy.distribute_datasets_from_function(own_batches, options)
