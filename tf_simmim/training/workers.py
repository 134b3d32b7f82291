"""The processes that train together, and how they agree."""

import contextlib

import tensorflow as tf

from tf_simmim.training import tf_config


class Workers:
    """The worker processes of a run, of which this is one.

    Every worker runs the same program with the same flags. The first, the
    chief, writes what the run leaves behind.

    Args:
        strategy: the run's tf.distribute.Strategy.

    Attributes:
        count: int. Workers.
        index: int. This one, 0 for the chief.
        addresses: list of str, host:port of each; empty where there is one.
        is_chief: bool.
    """

    def __init__(self, strategy):
        self._strategy = strategy
        is_multi_worker = isinstance(
            strategy, tf.distribute.MultiWorkerMirroredStrategy
        )
        self.addresses = tf_config.workers() if is_multi_worker else []
        self.count = max(1, len(self.addresses))
        self.index = tf_config.worker() if is_multi_worker else 0
        self.is_chief = self.index == 0

    def exchange(self, number: int) -> list[int]:
        """Tells all workers a number, and returns the numbers of all.

        Every worker has to call this at the same place of the program: it
        waits for all of them.

        Args:
            number: int. This worker's.

        Returns:
            list of int, one for each worker, the same on all.

        Raises:
            tf.errors.OpError: a worker is gone.
        """
        if self.count == 1:
            return [number]
        own = tf.one_hot(
            self.index, self.count, tf.constant(number, tf.int64), None
        )
        numbers = self._strategy.reduce("SUM", own, axis=None)
        return numbers.numpy().tolist()

    @contextlib.contextmanager
    def sharing_errors(self):
        """Ends a block with an error on every worker if one of them has one.

        For what may fail on one worker alone, such as a file that only one of
        them cannot read. Nothing in the block may wait for other workers: no
        `exchange`, no new variable, no step.

        Raises:
            ValueError: another worker had an error; its log says which.
        """
        failure = None
        try:
            yield
        except Exception as error:
            failure = error
        has_failed = self.exchange(int(failure is not None))
        if failure is not None:
            raise failure
        if any(has_failed):
            index = has_failed.index(1)
            raise ValueError(
                f"Worker {index}, {self.addresses[index]}, has ended with an "
                "error; its log says why."
            )
