"""Tests for tf_simmim.evaluation.reconstruction_quality."""

import json

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from scipy import ndimage

from tf_simmim import backbones
from tf_simmim import data
from tf_simmim import evaluation
from tf_simmim import models

B, H, W, C, P = 3, 16, 24, 2, 4
NORMALIZATION = data.Normalization([0.4, 0.5], [0.2, 0.3])


def case(seed=0):
    """Returns pixels on the 0..1 scale, predicted ones, and a mask."""
    rng = np.random.default_rng(seed)
    truth, prediction = rng.uniform(size=[2, B, H, W, C])
    mask = np.zeros([B, H // P, W // P], np.int32)
    mask[0, :2] = mask[1, 1:, 2:] = mask[2, 3, 4] = 1
    return truth.astype("f4"), prediction.astype("f4"), mask


def normalized(pixels):
    return ((pixels - [0.4, 0.5]) / [0.2, 0.3]).astype("f4")


def errors_of(truth, prediction, mask):
    return evaluation.reconstruction_errors(
        normalized(truth), mask, normalized(prediction), NORMALIZATION
    )


def ssim(x, y):
    """SSIM of one channel in NumPy: Gaussian windows that fit inside."""
    place = np.arange(11) - 5
    weights = np.exp(-(place**2) / (2 * 1.5**2))
    weights /= weights.sum()

    def mean(image):
        for axis in (0, 1):
            image = ndimage.correlate1d(image, weights, axis=axis)
        return image[5:-5, 5:-5]

    mx, my = mean(x), mean(y)
    vx, vy = mean(x * x) - mx**2, mean(y * y) - my**2
    vxy = mean(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    return np.mean(
        (2 * mx * my + c1)
        * (2 * vxy + c2)
        / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    )


class ReconstructionErrorsTest(tf.test.TestCase, parameterized.TestCase):
    def test_equal_numpy_image_by_image(self):
        truth, prediction, mask = case()
        errors = errors_of(truth, prediction, mask)
        hidden = np.kron(mask, np.ones([1, P, P])) == 1
        for b in range(B):
            x, y, m = truth[b], prediction[b], hidden[b]
            got = {name: value[b] for name, value in errors.items()}
            self.assertAllClose(
                got["masked_l1"], np.abs(x - y)[m].mean(), rtol=1e-5
            )
            squared = ((x - y)[m] ** 2).mean()
            self.assertAllClose(got["psnr"], -10 * np.log10(squared), 1e-4)
            composite = np.where(m[..., np.newaxis], y, x)
            want = np.mean([ssim(x[..., c], composite[..., c]) for c in (0, 1)])
            self.assertAllClose(got["ssim"], want, atol=1e-4)
            want = np.abs(x - y).mean(axis=-1) * m
            self.assertAllClose(got["error_map"], want, atol=1e-6)

    def test_hand_worked_values(self):
        truth = np.full([2, H, W, C], 0.5)
        prediction = truth + np.array([[0.1, -0.1]])
        mask = np.zeros([2, H // P, W // P])
        mask[:, 1, 2] = 1
        errors = errors_of(truth, prediction, mask)
        self.assertAllClose(errors["masked_l1"], [0.1, 0.1], atol=1e-6)
        self.assertAllClose(errors["psnr"], [20.0, 20.0], atol=1e-4)

    def test_visible_pixels_have_no_part_in_any_number(self):
        truth, prediction, mask = case()
        hidden = np.kron(mask, np.ones([1, P, P]))[..., np.newaxis] == 1
        other = np.where(hidden, prediction, 7.0)
        wanted, got = (errors_of(truth, p, mask) for p in (prediction, other))
        for name in wanted:
            self.assertAllEqual(wanted[name], got[name])

    def test_predictions_are_cut_to_what_can_be_seen(self):
        truth = np.ones([2, H, W, C])
        mask = np.ones([2, H // P, W // P])
        errors = errors_of(truth, truth + 0.7, mask)
        self.assertAllClose(errors["masked_l1"], [0.0, 0.0], atol=1e-6)

    def test_perfect_reconstruction_has_100_db_and_an_ssim_of_1(self):
        truth, _, mask = case()
        errors = errors_of(truth, truth, mask)
        self.assertAllClose(errors["psnr"], [100.0] * B)
        self.assertAllClose(errors["ssim"], [1.0] * B)

    def test_images_smaller_than_a_window_of_ssim_have_one(self):
        rng = np.random.default_rng(0)
        truth, prediction = rng.uniform(size=[2, B, 8, 12, C])
        errors = errors_of(truth, prediction, np.ones([B, 2, 3]))
        self.assertAllInRange(errors["ssim"], -1.0, 0.5)

    @parameterized.parameters(False, True)
    def test_graph_and_xla_equal_eager_mode(self, jit_compile):
        truth, prediction, mask = case()
        wanted = errors_of(truth, prediction, mask)

        @tf.function(jit_compile=jit_compile)
        def measure(images, mask, reconstruction):
            return evaluation.reconstruction_errors(
                images, mask, reconstruction, NORMALIZATION
            )

        got = measure(
            *map(tf.constant, (normalized(truth), mask, normalized(prediction)))
        )
        for name in wanted:
            self.assertAllClose(wanted[name], got[name], rtol=1e-4, atol=1e-5)

    @parameterized.parameters("float16", "bfloat16")
    def test_half_precision_is_measured_in_float32(self, dtype):
        truth, prediction, mask = case()
        wanted = errors_of(truth, prediction, mask)
        got = evaluation.reconstruction_errors(
            tf.cast(normalized(truth), dtype),
            mask,
            tf.cast(normalized(prediction), dtype),
            NORMALIZATION,
        )
        for name in wanted:
            self.assertEqual(got[name].dtype, tf.float32)
            self.assertAllClose(wanted[name], got[name], rtol=0.02, atol=0.02)

    def test_what_does_not_fit_is_refused(self):
        truth, prediction, mask = case()
        with self.assertRaisesRegex(ValueError, "shape of `images`"):
            errors_of(truth, prediction[:, 1:], mask)
        with self.assertRaisesRegex(ValueError, "square patches"):
            errors_of(truth, prediction, mask[:, 1:])
        with self.assertRaisesRegex(ValueError, "must have 3 channels"):
            evaluation.reconstruction_errors(
                truth, mask, prediction, data.Normalization()
            )
        mask[1] = 0
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, "hide something of every"
        ):
            errors_of(truth, prediction, mask)


class ReconstructionQualityTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        truth, _, self.mask = case()
        self.images = normalized(truth)

    def model(self, target="pixels", dtype=None):
        tf.keras.utils.set_random_seed(1)
        backbone = backbones.ViT(
            (H, W), P, 12, depth=1, num_heads=3, channels=C, dtype=dtype
        )
        return models.SimMIM(backbone, P, target=target)

    def dataset(self, mask=None, batch_size=2):
        mask = self.mask if mask is None else mask
        element = {"image": self.images, "patch_mask": mask}
        return tf.data.Dataset.from_tensor_slices(element).batch(batch_size)

    @parameterized.parameters(None, "mixed_bfloat16")
    def test_it_is_the_mean_over_images_beside_each_baseline(self, dtype):
        model = self.model(dtype=dtype)
        report = evaluation.reconstruction_quality(
            model, self.dataset(), NORMALIZATION
        )
        self.assertEqual(report, json.loads(json.dumps(report)))
        self.assertEqual(report.pop("num_images"), B)
        self.assertFalse(report.pop("uses_true_statistics"))
        self.assertEqual(list(report), ["model", *evaluation.FILLS])

        hidden = np.kron(self.mask, np.ones([1, P, P])) == 1
        out = model.reconstruct(self.images, self.mask)["reconstruction"]
        guesses = {"model": out} | {
            name: fill(self.images, hidden)
            for name, fill in evaluation.FILLS.items()
        }
        tolerance = 1e-5 if dtype is None else 1e-2
        for name, guess in guesses.items():
            errors = evaluation.reconstruction_errors(
                self.images, self.mask, guess, NORMALIZATION
            )
            for measure, value in report[name].items():
                want = np.mean(errors[measure])
                self.assertAllClose(value, want, tolerance, tolerance)
        # No constant beats it.
        best, mean = (
            report[name]["masked_l1"]
            for name in ("best_colour", "visible_mean")
        )
        self.assertLess(best, mean)

    def test_baselines_can_be_left_out(self):
        report = evaluation.reconstruction_quality(
            self.model(), self.dataset(), NORMALIZATION, ["visible_mean"]
        )
        self.assertNotIn("best_colour", report)
        self.assertNotIn("best colour", evaluation.format_quality(report))

    def test_a_normalised_target_is_said_to_be_flattered(self):
        report = evaluation.reconstruction_quality(
            self.model("patch_normalized"), self.dataset(), NORMALIZATION, ()
        )
        self.assertTrue(report["uses_true_statistics"])
        self.assertIn("flatters", evaluation.format_quality(report))

    def test_table_has_a_row_for_each(self):
        numbers = {"masked_l1": 0.12345, "psnr": 12.345, "ssim": 0.5}
        report = {"model": numbers, "from_neighbours": numbers}
        report |= {"num_images": 3, "uses_true_statistics": False}
        self.assertEqual(
            evaluation.format_quality(report),
            "Hidden pixels                    masked L1   PSNR, dB       SSIM\n"
            "model                               0.1235      12.35      0.500\n"
            "smooth fill from visible pixels     0.1235      12.35      0.500",
        )

    def test_what_cannot_be_measured_is_refused(self):
        model, dataset = self.model(), self.dataset()
        measure = evaluation.reconstruction_quality
        with self.assertRaisesRegex(ValueError, r"Received: \['magic'\]"):
            measure(model, dataset, NORMALIZATION, ["magic"])
        with self.assertRaisesRegex(ValueError, "`image` and `patch_mask`"):
            measure(model, dataset.map(lambda e: e["image"]), NORMALIZATION)
        with self.assertRaisesRegex(ValueError, "at least one batch"):
            measure(model, dataset.take(0), NORMALIZATION)
        for value in (0, 1):
            mask = self.mask.copy()
            mask[2] = value
            with self.assertRaisesRegex(ValueError, "and visible ones"):
                measure(model, self.dataset(mask), NORMALIZATION, ())


if __name__ == "__main__":
    tf.test.main()
