"""Tests for tf_simmim.addons.lamb."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import addons
from tf_simmim.addons import lamb

RATE = 0.1
SETTINGS = dict(
    learning_rate=RATE,
    beta_1=0.8,
    beta_2=0.95,
    epsilon=1e-5,
    weight_decay=0.3,
    exclude_from_weight_decay=["^bias:0$"],
)


def variables(dtype="float32"):
    rng = np.random.default_rng(0)
    shapes = {"kernel": (3, 5), "bias": (5,), "table": (7, 2), "zeros": (4,)}
    return [
        tf.Variable(
            rng.normal(size=shape) * (name != "zeros"), dtype=dtype, name=name
        )
        for name, shape in shapes.items()
    ]


def gradients(step, dtype="float32"):
    """Gradients of the four variables; the third is of two of its rows."""
    rng = np.random.default_rng([1, step])
    dense = [
        tf.constant(rng.normal(size=shape), dtype)
        for shape in [(3, 5), (5,), (3, 2), (4,)]
    ]
    # A row twice, as a gather may take it.
    dense[2] = tf.IndexedSlices(
        dense[2], tf.constant([4, 1, 4]), tf.constant([7, 2])
    )
    return dense


def train(optimizer, trained, steps, in_graph=False):
    """Takes steps, and returns all that there is afterwards, as arrays."""

    def step(these):
        optimizer.apply_gradients(zip(these, trained, strict=True))

    optimizer._create_all_weights(trained)
    step = tf.function(step) if in_graph else step
    for number in steps:
        step(gradients(number, trained[0].dtype))
    return state(optimizer, trained)


def state(optimizer, trained):
    slots = [optimizer.get_slot(v, s) for s in ("m", "v") for v in trained]
    return [v.numpy() for v in [*trained, *slots, optimizer.iterations]]


class LAMBTest(tf.test.TestCase, parameterized.TestCase):
    def assert_same_bits(self, first, second):
        for a, b in zip(first, second, strict=True):
            self.assertEqual(a.tobytes(), b.tobytes())

    def require_original(self):
        if not addons.HAS_ORIGINALS:
            self.skipTest("tensorflow-addons exists up to Python 3.11.")

    def test_two_steps_are_those_of_the_formula(self):
        got = train(lamb.LAMB(**SETTINGS), variables(), range(2))
        for at, variable in enumerate(variables()):
            w = variable.numpy().astype(np.float64)
            m = v = np.zeros_like(w)
            for t in (1, 2):
                g = tf.convert_to_tensor(gradients(t - 1)[at]).numpy()
                m = 0.8 * m + 0.2 * g
                v = 0.95 * v + 0.05 * g**2
                u = m / (1 - 0.8**t) / (np.sqrt(v / (1 - 0.95**t)) + 1e-5)
                ratio = 1.0
                if at != 1:
                    u += 0.3 * w
                    norm = np.linalg.norm(w)
                    ratio = norm / np.linalg.norm(u) if norm else 1.0
                w = w - RATE * ratio * u
            self.assertAllClose(got[at], w, rtol=1e-5)
            self.assertAllClose(got[4 + at], m, rtol=1e-5)
            self.assertAllClose(got[8 + at], v, rtol=1e-5)
        self.assertEqual(got[-1], 2)

    def test_a_variable_that_is_all_zeros_moves_by_the_rate_alone(self):
        # Without a ratio; the first update of Adam is a sign.
        got = train(lamb.LAMB(**SETTINGS), variables(), range(1))
        want = -RATE * np.sign(gradients(0)[3])
        self.assertAllClose(got[3], want, rtol=1e-3)

    @parameterized.product(dtype=("float32", "float16"), in_graph=(False, True))
    def test_steps_are_those_of_the_original_bit_for_bit(self, dtype, in_graph):
        self.require_original()
        settings = SETTINGS | dict(epsilon=1e-3, global_clipnorm=1.0)
        ours = train(
            lamb.LAMB(**settings), variables(dtype), range(20), in_graph
        )
        theirs = train(
            addons.LAMB(**settings), variables(dtype), range(20), in_graph
        )
        self.assert_same_bits(ours, theirs)
        self.assertNotAllEqual(ours[0], variables(dtype)[0])

    def test_rate_of_a_schedule_is_that_of_the_original(self):
        self.require_original()
        rate = tf.keras.optimizers.schedules.CosineDecay(0.1, 8)
        settings = SETTINGS | dict(learning_rate=rate)
        ours = train(lamb.LAMB(**settings), variables(), range(6))
        theirs = train(addons.LAMB(**settings), variables(), range(6))
        self.assert_same_bits(ours, theirs)

    @parameterized.parameters(True, False)
    def test_either_goes_on_from_a_checkpoint_of_the_other(self, ours_first):
        self.require_original()
        classes = [lamb.LAMB, addons.LAMB][:: 1 if ours_first else -1]
        first, trained = classes[0](**SETTINGS), variables()
        train(first, trained, range(3))
        path = tf.train.Checkpoint(optimizer=first, weights=trained).save(
            self.get_temp_dir() + "/checkpoint"
        )
        # With other settings, which the checkpoint overrides.
        second = classes[1](
            0.9, exclude_from_weight_decay=["^bias:0$"], epsilon=1e-5
        )
        others = variables()
        second._create_all_weights(others)
        checkpoint = tf.train.Checkpoint(optimizer=second, weights=others)
        checkpoint.restore(path).assert_consumed()
        self.assert_same_bits(state(second, others), state(first, trained))
        self.assert_same_bits(
            train(second, others, range(3, 6)),
            train(first, trained, range(3, 6)),
        )

    def test_config_makes_the_same_optimizer(self):
        optimizer = lamb.LAMB(**SETTINGS, global_clipnorm=1.5, name="x")
        copy = lamb.LAMB.from_config(optimizer.get_config())
        self.assertEqual(copy.get_config(), optimizer.get_config())
        want = {**SETTINGS, "global_clipnorm": 1.5, "name": "x"}
        self.assertEqual(copy.get_config() | want, copy.get_config())
        self.assert_same_bits(
            train(copy, variables(), range(2)),
            train(optimizer, variables(), range(2)),
        )


if __name__ == "__main__":
    tf.test.main()
