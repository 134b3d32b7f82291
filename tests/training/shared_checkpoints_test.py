"""Tests for tf_simmim.training.shared_checkpoints and workers.

Real workers: tests/integration/multi_worker_test.py.
"""

import concurrent.futures
import threading

import tensorflow as tf

from tf_simmim import training
from tf_simmim.training import workers as workers_lib

TIMEOUT = 20


class Threads(workers_lib.Workers):
    """Workers that are threads of one process."""

    def __init__(self, index, numbers, barrier):
        super().__init__(tf.distribute.get_strategy())
        self.index, self.count = index, len(numbers)
        self.addresses = [f"host{n}:1" for n in range(self.count)]
        self.is_chief = index == 0
        self._numbers, self._barrier = numbers, barrier

    def exchange(self, number):
        self._numbers[self.index] = number
        self._barrier.wait(TIMEOUT)
        numbers = list(self._numbers)
        self._barrier.wait(TIMEOUT)
        return numbers


def on_all(function, count=2):
    """Returns what `function(workers)` returns or raises on each worker."""
    numbers, barrier = [0] * count, threading.Barrier(count)
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        futures = [
            pool.submit(function, Threads(index, numbers, barrier))
            for index in range(count)
        ]
        return [f.exception(TIMEOUT) or f.result() for f in futures]


class WorkersTest(tf.test.TestCase):
    def test_one_worker_agrees_with_itself(self):
        workers = training.Workers(tf.distribute.get_strategy())
        self.assertTrue(workers.is_chief)
        self.assertEqual(workers.exchange(7), [7])
        with self.assertRaisesRegex(OSError, "mine"), workers.sharing_errors():
            raise OSError("mine")

    def test_an_error_on_one_worker_ends_the_block_on_all(self):
        def block(workers):
            with workers.sharing_errors():
                if workers.index == 1:
                    raise OSError("mine")

        first, second, third = on_all(block, count=3)
        self.assertIsInstance(second, OSError)
        for error in (first, third):
            self.assertRegex(str(error), "Worker 1, host1:1, has ended")

    def test_a_block_without_an_error_goes_on(self):
        def block(workers):
            with workers.sharing_errors():
                pass
            return workers.exchange(10 * workers.index)

        self.assertEqual(on_all(block), [[0, 10], [0, 10]])


class SharedCheckpointStoreTest(tf.test.TestCase):
    def run_on_all(self, function, value=1.0):
        """Runs function(store, checkpoint, variable) on two workers."""
        directory = self.get_temp_dir()
        self.folder = directory

        def run(workers):
            variable = tf.Variable(value)
            checkpoint = tf.train.Checkpoint(v=variable)
            store = training.SharedCheckpointStore(
                training.CheckpointStore(directory), workers
            )
            return function(store, checkpoint, variable)

        return on_all(run)

    def test_all_save_and_restore_the_checkpoint_of_the_chief(self):
        def run(store, checkpoint, variable):
            before = store.latest()
            store.sweep()
            store.require_space(checkpoint)
            store.save(checkpoint, 3, {"a": 1})
            variable.assign(5.0)
            manifest = store.restore(checkpoint)
            return before, store.latest(), manifest["step"], float(variable)

        self.assertEqual(self.run_on_all(run), [(None, 3, 3, 1.0)] * 2)
        self.assertCountEqual(
            tf.io.gfile.listdir(self.folder), ["step-00000003"]
        )

    def test_all_hear_of_the_newest_valid_checkpoint(self):
        def run(store, checkpoint, variable):
            store.save(checkpoint, 2, {"phase": 1})
            return store.newest_valid()["metadata"]

        self.assertEqual(self.run_on_all(run), [{"phase": 1}] * 2)

    def test_what_the_chief_cannot_write_is_an_error_on_all(self):
        def run(store, checkpoint, variable):
            store.save(checkpoint, 1, {})

        errors = self.run_on_all(run, float("nan"))
        for error in errors:
            self.assertIsInstance(error, FloatingPointError)

    def test_without_a_valid_checkpoint_all_refuse(self):
        def run(store, checkpoint, variable):
            store.restore(checkpoint)

        def ask(store, checkpoint, variable):
            store.newest_valid()

        for function in (run, ask):
            chief, other = self.run_on_all(function)
            self.assertIsInstance(chief, training.NoValidCheckpointError)
            self.assertRegex(str(other), "Worker 0, host0:1, has ended")


if __name__ == "__main__":
    tf.test.main()
