"""What tests of steps on two replicas share."""

import tensorflow as tf


def two_replicas():
    """Returns a strategy of which a process may have many.

    Collective operations, the default, would use the same keys in all.
    """
    return tf.distribute.MirroredStrategy(
        ["/cpu:0", "/cpu:1"],
        cross_device_ops=tf.distribute.ReductionToOneDevice(),
    )


def repeated(batch, num_steps):
    """Returns the same global batch so often, not sharded any further."""
    dataset = tf.data.Dataset.from_tensors(batch).repeat(num_steps)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.OFF
    )
    return dataset.with_options(options)
