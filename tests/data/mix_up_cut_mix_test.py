"""Tests for tf_simmim.data.mix_up_cut_mix, alone and in a run's batches."""

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import data
from tf_simmim import randomness

B, H, W, C, L = 4, 6, 10, 2, 5


def _batch(image_dtype=np.float32):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, [B, H, W, C]).astype(image_dtype)
    return {
        "image": tf.constant(image),
        "label": tf.constant([3, 1, 0, 3], tf.int64),
        "index": tf.range(B),
    }


def _seed(number):
    return randomness.seed_for(5, randomness.MIX, number)


class MixUpCutMixTest(tf.test.TestCase, parameterized.TestCase):
    def test_mixup_weighs_neighbours_and_their_smoothed_labels_alike(self):
        batch = _batch()
        mix = data.MixUpCutMix(L, cutmix_alpha=0)
        x = batch["image"].numpy()
        smooth = 0.9 * np.eye(L)[[3, 1, 0, 3]] + 0.02
        shares = []
        for k in range(8):
            mixed = mix(batch, _seed(k))
            # Row 1's label is 0.02 for class 3, row 0's 0.92.
            share = (mixed["label"].numpy()[0, 3] - 0.02) / 0.9
            shares.append(share)
            swapped = [1, 0, 3, 2]
            self.assertAllClose(
                mixed["image"], share * x + (1 - share) * x[swapped], atol=1e-2
            )
            self.assertAllClose(
                mixed["label"], share * smooth + (1 - share) * smooth[swapped]
            )
            self.assertAllEqual(mixed["index"], batch["index"])
        self.assertGreater(np.ptp(shares), 0.3)

    def test_cutmix_takes_a_box_and_labels_by_its_area(self):
        batch = _batch()
        mix = data.MixUpCutMix(L, mixup_alpha=0, label_smoothing=0)
        x = batch["image"].numpy()
        areas = []
        for k in range(12):
            mixed = mix(batch, _seed(k))
            taken = (mixed["image"].numpy() != x).any(axis=(0, 3))  # [H, W]
            rows, columns = taken.any(axis=1), taken.any(axis=0)
            self.assertEqual(taken.sum(), rows.sum() * columns.sum())
            want = np.where(taken[..., None], x[[1, 0, 3, 2]], x)
            self.assertAllEqual(mixed["image"], want)
            self.assertAllClose(
                mixed["label"].numpy()[0],
                [0, taken.mean(), 0, 1 - taken.mean(), 0],
            )
            areas.append(taken.mean())
        self.assertGreater(np.ptp(areas), 0.3)

    def test_half_of_the_batches_are_cut_and_the_rate_leaves_some_alone(self):
        batch = _batch()
        x = batch["image"].numpy()
        mix = tf.function(data.MixUpCutMix(L, rate=0.5))
        kept = cut = 0
        for k in range(200):
            image = mix(batch, _seed(k))["image"].numpy()
            same = image == x
            kept += same.all()
            cut += same.any(axis=(0, 3)).any() and not same.all()
        # A box without a pixel counts as kept, a box of all as mixed.
        self.assertBetween(kept, 70, 140)
        self.assertBetween(cut, 20, 75)

    def test_shares_follow_the_beta_distribution(self):
        batch = _batch()
        mix = tf.function(
            data.MixUpCutMix(L, 0.8, cutmix_alpha=0, label_smoothing=0)
        )
        shares = [
            mix(batch, _seed(k))["label"].numpy()[0, 3] for k in range(400)
        ]
        # Beta(a, a): mean 1/2, variance 1 / (4 (2 a + 1)).
        self.assertAllClose(np.mean(shares), 0.5, atol=0.06)
        self.assertAllClose(np.var(shares), 1 / 10.4, atol=0.015)

    def test_bytes_are_mixed_within_half_a_level(self):
        seed = _seed(1)
        mix = data.MixUpCutMix(L, cutmix_alpha=0)
        want = mix(_batch(), seed)["image"].numpy()
        got = mix(_batch(np.uint8), seed)["image"]
        self.assertEqual(got.dtype, tf.uint8)
        self.assertAllClose(tf.cast(got, tf.float32), want, rtol=0, atol=0.51)

    def test_without_mixing_only_labels_change_and_rows_may_be_odd(self):
        batch = {key: value[:3] for key, value in _batch().items()}
        mix = data.MixUpCutMix(L, 0, 0, label_smoothing=0.2)
        got = mix(batch, _seed(0))
        self.assertAllEqual(got["image"], batch["image"])
        self.assertAllClose(got["label"][0], [0.04, 0.04, 0.04, 0.84, 0.04])

    def test_an_odd_batch_and_one_without_labels_are_refused(self):
        mix = data.MixUpCutMix(L)
        batch = {key: value[:3] for key, value in _batch().items()}
        with self.assertRaisesRegex(ValueError, "even number of rows.*3"):
            mix(batch, _seed(0))
        with self.assertRaisesRegex(ValueError, "must have labels.*image"):
            mix({"image": batch["image"]}, _seed(0))

    @parameterized.parameters(
        "mixup_alpha", "cutmix_alpha", "rate", "switch_rate", "label_smoothing"
    )
    def test_impossible_arguments_are_refused(self, name):
        with self.assertRaisesRegex(ValueError, f"`{name}` must be"):
            data.MixUpCutMix(L, **{name: -0.1})


class MixedBatchesTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        images = np.arange(11, dtype=np.uint8)[:, None, None, None]
        images = 20 * np.ones([11, 9, 7, 3], np.uint8) * images
        self.stream = data.ImageStream(
            data.ArraySource(images, np.arange(11) % L),
            data.PretrainingAugmentation((8, 12)),
            data.Normalization(),
            seed=3,
        )
        self.mix = data.MixUpCutMix(L)

    def batches(self, strategy, **kwargs):
        return data.distributed_batches(
            strategy, self.stream, 8, mix=self.mix, **kwargs
        )

    def test_two_replicas_mix_what_one_mixes(self):
        strategy = tf.distribute.MirroredStrategy(
            ["/cpu:0", "/cpu:1"],
            cross_device_ops=tf.distribute.ReductionToOneDevice(),
        )
        whole = self.batches(tf.distribute.get_strategy(), start_index=8)
        shared = self.batches(strategy, start_index=8)
        for want, got in zip(whole.take(4), shared, strict=False):
            for key in want:
                parts = strategy.experimental_local_results(got[key])
                self.assertEqual([len(part) for part in parts], [4, 4])
                np.testing.assert_array_equal(
                    np.concatenate(parts), want[key].numpy()
                )
        with self.assertRaisesRegex(
            ValueError, "even number of rows.*Received: 3"
        ):
            data.distributed_batches(strategy, self.stream, 6, mix=self.mix)

    @pytest.mark.slow
    def test_a_later_start_finds_the_same_batches(self):
        strategy = tf.distribute.get_strategy()
        whole = list(self.batches(strategy).take(4))
        later = next(iter(self.batches(strategy, start_index=24)))
        self.assertAllEqual(later["image"], whole[3]["image"])
        self.assertAllEqual(later["label"], whole[3]["label"])
        images = {batch["image"].numpy().tobytes() for batch in whole}
        self.assertLen(images, 4)


if __name__ == "__main__":
    tf.test.main()
