"""A mark that an update is under way, for when an error comes in between."""

import tensorflow as tf


class UpdateMark:
    """Tells after an error whether a step had begun to change the model.

    Most errors, such as too little memory, come in the forward or backward
    pass, before anything has changed: the state is that of the step before,
    and worth keeping. One in the middle of the update leaves some weights of
    this step and others of the one before.

    To be created in the scope of the strategy. It is no part of a checkpoint:
    a model must not track it.
    """

    def __init__(self):
        self._step = tf.Variable(
            -1,
            dtype=tf.int64,
            trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            name="update_mark",
        )

    def set_before(self, step, tensors):
        """Sets the mark, once tensors are there and before they are used.

        Args:
            step: int64 []. Steps taken before this one.
            tensors: nested structure of tensors that the change needs.

        Returns:
            The same tensors, which are there only when the mark is set.
        """
        with tf.control_dependencies(tf.nest.flatten(tensors)):
            self._step.assign(step)
            mark = tf.identity(self._step)
        with tf.control_dependencies([mark]):
            return tf.nest.map_structure(tf.identity, tensors)

    def is_set(self, step) -> bool:
        """Whether the step after `step` has begun, eagerly.

        Args:
            step: int. Steps that are over.
        """
        return int(tf.convert_to_tensor(self._step)) == step
