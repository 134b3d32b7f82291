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
        self._is_set = tf.Variable(
            False,
            trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            name="update_mark",
        )

    def set_before(self, tensors):
        """Sets the mark, once tensors are there and before they are used.

        Args:
            tensors: nested structure of tensors that the change needs.

        Returns:
            The same tensors, which are there only when the mark is set.
        """
        with tf.control_dependencies(tf.nest.flatten(tensors)):
            self._is_set.assign(True)
            mark = tf.identity(self._is_set)
        with tf.control_dependencies([mark]):
            return tf.nest.map_structure(tf.identity, tensors)

    def clear_after(self, tensors):
        """Removes the mark, once tensors are there, which need the change."""
        with tf.control_dependencies(tensors):
            self._is_set.assign(False)

    def is_set(self) -> bool:
        """Whether a change has begun and is not over, eagerly."""
        return bool(self._is_set.numpy())
