"""How many steps were skipped because their numbers had gone bad."""

import tensorflow as tf

# As many can be told apart between two looks at the metric.
_NUM_REMEMBERED = 64


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class SkippedSteps(tf.keras.metrics.Metric):
    """Counts skipped steps over the whole run, and remembers the latest.

    Unlike other metrics it is never reset: what it counts is rare, and five
    in a row are five in a row across an interval's end or a restart. It is
    part of a checkpoint like other metrics.

    Args:
        name: str.
        dtype: ignored; the result is float32.

    Call arguments of `update_state`:
        is_skipped: bool []. The same on every replica.
        step: int64 []. Steps taken when this one is over.

    Returns:
        float32 []: skipped steps so far.

    State: int64 variables, kept alike on every replica, which `count`,
        `count_in_a_row` and `steps` read.
    """

    def __init__(self, name="skipped_steps", dtype=None):
        super().__init__(name=name, dtype="float32")

        def add(name, shape=()):
            return self.add_weight(
                name,
                shape,
                initializer="zeros",
                dtype=tf.int64,
                aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            )

        self._total = add("total")
        self._in_a_row = add("in_a_row")
        self._latest = add("latest", [_NUM_REMEMBERED])

    def update_state(self, is_skipped, step):
        total = tf.convert_to_tensor(self._total)
        place = tf.one_hot(
            total % _NUM_REMEMBERED, _NUM_REMEMBERED, True, False
        )
        latest = tf.where(place & is_skipped, step, self._latest)
        in_a_row = tf.where(is_skipped, self._in_a_row + 1, 0)
        self._latest.assign(latest)
        self._in_a_row.assign(in_a_row)
        self._total.assign(total + tf.cast(is_skipped, tf.int64))

    def result(self):
        return tf.cast(tf.convert_to_tensor(self._total), tf.float32)

    def reset_state(self):
        """Does nothing, on purpose; see the class."""

    def count(self) -> int:
        """Returns how many steps were skipped so far; in eager mode."""
        return int(tf.convert_to_tensor(self._total))

    def count_in_a_row(self) -> int:
        """Returns how many were, since the last that was not; eagerly."""
        return int(tf.convert_to_tensor(self._in_a_row))

    def steps(self, since=0) -> list[int]:
        """Returns the steps that were skipped, oldest first; in eager mode.

        Args:
            since: int >= 0. Leave out as many of the first.

        Returns:
            list of int, at most the latest 64.
        """
        total = self.count()
        latest = tf.convert_to_tensor(self._latest).numpy()
        first = max(since, total - _NUM_REMEMBERED)
        return [
            int(latest[number % _NUM_REMEMBERED])
            for number in range(first, total)
        ]
