"""Tests for tf_simmim.data.distribution."""

import pathlib
import tempfile
import time

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tests import slow_cases
from tf_simmim import data

NUM_IMAGES = 11
BATCH_SIZE = 4


def two_replicas():
    return tf.distribute.MirroredStrategy(
        ["/cpu:0", "/cpu:1"],
        cross_device_ops=tf.distribute.ReductionToOneDevice(),
    )


class DistributedBatchesTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = pathlib.Path(temporary.name)
        for number in range(NUM_IMAGES):
            pixels = np.full([9 + number % 3, 7, 3], 20 * number, np.uint8)
            contents = tf.io.encode_png(pixels).numpy()
            (self.root / f"{number:02d}.png").write_bytes(contents)

    def stream(self, kind):
        if kind == "files":
            source = data.FolderSource(str(self.root), "all")
        else:
            images = np.zeros([NUM_IMAGES, 9, 7, 3], np.uint8)
            images += np.arange(NUM_IMAGES, dtype=np.uint8)[:, None, None, None]
            source = data.ArraySource(images)
        return data.ImageStream(
            source,
            data.PretrainingAugmentation((8, 12)),
            data.Normalization(),
            seed=3,
        )

    @slow_cases.slow_cases(1)
    @parameterized.parameters("arrays", "files")
    def test_each_replica_gets_its_rows_of_the_global_batch(self, kind):
        stream = self.stream(kind)
        strategy = two_replicas()
        whole = stream.batches(BATCH_SIZE, start_index=4)
        shared = data.distributed_batches(
            strategy, stream, BATCH_SIZE, start_index=4
        )
        for want, got in zip(whole.take(4), shared, strict=False):
            for key in want:
                parts = strategy.experimental_local_results(got[key])
                self.assertEqual([len(part) for part in parts], [2, 2])
                np.testing.assert_array_equal(
                    np.concatenate(parts), want[key].numpy()
                )

    @slow_cases.slow_cases(1, 2, 3)
    @parameterized.parameters(
        ("arrays", 3, False),
        ("files", 1, False),
        ("files", 3, False),
        ("files", 3, True),
    )
    def test_the_last_batch_has_what_is_left_or_is_dropped(
        self, kind, num_left, drop
    ):
        stream = self.stream(kind)
        strategy = two_replicas()
        shared = data.distributed_batches(
            strategy,
            stream,
            BATCH_SIZE,
            stop_index=4 + num_left,
            drop_remainder=drop,
        )
        rows = [
            np.concatenate(strategy.experimental_local_results(e["index"]))
            for e in shared
        ]
        whole = next(iter(stream.batches(8)))["index"].numpy()
        self.assertLen(rows, 1 if drop else 2)
        num_rows = 4 if drop else 4 + num_left
        self.assertAllEqual(np.concatenate(rows), whole[:num_rows])

    def test_the_default_strategy_takes_the_plain_batches(self):
        stream = self.stream("arrays")
        got = data.distributed_batches(
            tf.distribute.get_strategy(), stream, BATCH_SIZE
        )
        self.assertIsInstance(got, tf.data.Dataset)
        want = next(iter(stream.batches(BATCH_SIZE)))
        self.assertAllEqual(next(iter(got))["image"], want["image"])

    @pytest.mark.slow
    def test_no_batch_of_files_is_made_before_a_step_asks_for_it(self):
        """Or deleting the iterator could wait for Python for ever."""
        stream = self.stream("files")
        later = next(iter(stream.batches(2 * BATCH_SIZE)))["index"][-1]
        (self.root / f"{later:02d}.png").write_text("not an image")
        batches = iter(
            data.distributed_batches(two_replicas(), stream, BATCH_SIZE)
        )
        next(batches)
        time.sleep(0.5)
        self.assertEmpty(stream.bad_images.reasons)
        next(batches)
        self.assertLen(stream.bad_images.reasons, 1)

    def test_a_batch_that_the_replicas_cannot_share_is_refused(self):
        with self.assertRaisesRegex(ValueError, "works is 4 or 6. Received"):
            data.distributed_batches(two_replicas(), self.stream("arrays"), 5)


if __name__ == "__main__":
    tf.test.main()
