"""What every public layer and model must do, tested alike for all of them."""

import functools
import importlib
import os
import pkgutil

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

import tf_simmim
from tests import slow_cases
from tests.conformance import public_classes

CASES = [(case.name, case) for case in public_classes.CASES]
# Another order of float32 sums; measured below 2e-6 on these sizes.
ATOL = 1e-5


@tf.keras.saving.register_keras_serializable(package="tf_simmim_tests")
class Wrapper(tf.keras.Model):
    """A model around one layer, so that a layer can be saved in a model."""

    def __init__(self, layer, **kwargs):
        super().__init__(**kwargs)
        self.layer = layer

    def call(self, inputs, training=None):
        return call(self.layer, inputs, training=training)

    def get_config(self):
        layer = tf.keras.saving.serialize_keras_object(self.layer)
        return {**super().get_config(), "layer": layer}

    @classmethod
    def from_config(cls, config):
        layer = tf.keras.saving.deserialize_keras_object(config.pop("layer"))
        return cls(layer=layer, **config)


def call(layer, inputs, training=None):
    """Calls a layer with its first input positional, the others by name."""
    first, *names = inputs
    arguments = {name: inputs[name] for name in names}
    if "training" in layer._call_spec.arg_names:
        arguments["training"] = training
    return layer(inputs[first], **arguments)


@functools.cache
def two_replicas():
    """Returns the one strategy of this process over two logical devices."""
    # A second one would reuse the keys of the first one's collective ops.
    return tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"])


def flatten(outputs):
    """Returns the tensors of an output, whatever its structure."""
    return tf.nest.flatten(outputs)


def variables_off_zero(layer):
    """Gives every weight a value of its own, so that none can hide."""
    rng = np.random.default_rng(4)
    values = [0.3 * rng.normal(size=w.shape) for w in layer.get_weights()]
    for i, weight in enumerate(layer.weights):
        if "variance" in weight.name:
            values[i] = 0.1 + np.abs(values[i])
    layer.set_weights(values)


class ConformanceTest(tf.test.TestCase, parameterized.TestCase):
    def create(self, case, **kwargs):
        layer = case.create(**kwargs)
        call(layer, case.inputs)
        variables_off_zero(layer)
        return layer

    def assert_same(self, actual, wanted, atol=ATOL):
        pairs = zip(flatten(actual), flatten(wanted), strict=True)
        for a, b in pairs:
            self.assertAllClose(a, b, rtol=0, atol=atol)

    def test_every_public_keras_class_is_listed(self):
        listed = {case.name for case in public_classes.CASES}
        listed |= set(public_classes.CONFIG_ONLY)
        modules = [
            importlib.import_module(f"tf_simmim.{info.name}")
            for info in pkgutil.iter_modules(tf_simmim.__path__)
        ]
        public = {
            name
            for module in modules
            for name in getattr(module, "__all__", ())
            if isinstance(getattr(module, name), type)
            and issubclass(getattr(module, name), public_classes.KERAS_BASES)
        }
        self.assertEqual(public - listed, set())

    def test_no_layer_has_the_name_of_one_of_keras(self):
        """Which Keras would warn of whenever it saves one in a folder."""
        names = {case.name for case in public_classes.CASES}
        self.assertEqual(names & set(dir(tf.keras.layers)), set())

    @parameterized.named_parameters(
        (name, name) for name in public_classes.CONFIG_ONLY
    )
    def test_config_only_classes_round_trip(self, name):
        arguments = public_classes.CONFIG_ONLY[name]
        home = next(
            module
            for module in (
                tf_simmim.layers,
                tf_simmim.metrics,
                tf_simmim.optimization,
            )
            if hasattr(module, name)
        )
        original = getattr(home, name)(**arguments)
        self.assertEqual(original.get_config(), arguments)
        serialized = tf.keras.saving.serialize_keras_object(original)
        copy = tf.keras.saving.deserialize_keras_object(serialized)
        self.assertEqual(copy.get_config(), arguments)

    @parameterized.named_parameters(*CASES)
    def test_config_round_trip_and_weights_into_a_fresh_instance(self, case):
        original = self.create(case)
        copy = type(original).from_config(original.get_config())
        self.assertEqual(copy.get_config(), original.get_config())
        call(copy, case.inputs)
        copy.set_weights(original.get_weights())
        for training in (False, True):
            self.assert_same(
                call(copy, case.inputs, training),
                call(original, case.inputs, training),
                atol=0,
            )

    @slow_cases.slow_cases("SwinVersion2")
    @parameterized.named_parameters(*CASES)
    def test_keras_file_keeps_outputs(self, case):
        original = self.create(case)
        model = Wrapper(original)
        wanted = model(case.inputs)
        path = os.path.join(self.get_temp_dir(), f"{case.name}.keras")
        model.save(path)
        copy = tf.keras.models.load_model(path)
        self.assert_same(copy(case.inputs), wanted, atol=0)

    @slow_cases.slow_cases(
        "Classifier",
        "Convolutional",
        "ConvolutionalResNet",
        "Detector",
        "Segmenter",
        "SimMIMOfSwin",
        "SimMIMOfVisibleOnly",
        "Swin",
        "SwinVersion2",
        "ViT",
        "ViTVisibleOnly",
    )
    @parameterized.named_parameters(*CASES)
    def test_saved_model_takes_any_batch_size_and_equals_eager(self, case):
        layer = self.create(case)
        signature = {
            name: tf.TensorSpec(
                array.shape
                if name in case.unbatched
                else [None, *array.shape[1:]],
                array.dtype,
                name,
            )
            for name, array in case.inputs.items()
        }
        module = tf.Module()
        # Of a whole model the weights alone, as an export has them. Keras would
        # trace each of its layers, training included; they are cases here.
        is_model = isinstance(layer, tf.keras.Model)
        module.layer = layer.weights if is_model else layer
        module.run = tf.function(
            lambda inputs: call(layer, inputs, training=False),
            input_signature=[signature],
        )
        path = os.path.join(self.get_temp_dir(), case.name)
        tf.saved_model.save(module, path)
        loaded = tf.saved_model.load(path)
        for size in (2, public_classes.B):
            inputs = {
                name: array if name in case.unbatched else array[:size]
                for name, array in case.inputs.items()
            }
            self.assert_same(
                loaded.run(inputs), call(layer, inputs, training=False)
            )

    @slow_cases.slow_cases(
        "Classifier", "Swin", "SwinVersion2", "ViTVisibleOnly"
    )
    @parameterized.named_parameters(*CASES)
    def test_graph_and_xla_equal_eager_in_training(self, case):
        layer = self.create(case)
        wanted = call(layer, case.inputs, training=True)
        for jit_compile in (False, True):
            run = tf.function(
                lambda inputs: call(layer, inputs, training=True),
                jit_compile=jit_compile,
            )
            self.assert_same(run(case.inputs), wanted)

    @parameterized.product(
        case=[case for _, case in CASES],
        policy=["mixed_bfloat16", "mixed_float16"],
    )
    def test_mixed_precision_computes_low_and_stores_float32(
        self, case, policy
    ):
        layer = case.create(dtype=policy)
        outputs = flatten(call(layer, case.inputs, training=True))
        compute_dtype = policy.removeprefix("mixed_")
        dtypes = {case.output_dtype or compute_dtype}
        if case.name.startswith("SimMIM"):  # float32 pixels beside the features
            dtypes = {"float32", compute_dtype}
        self.assertEqual({x.dtype.name for x in outputs}, dtypes)
        # Counters of a metric are integers, or float64.
        counters = {
            v.ref() for m in getattr(layer, "metrics", ()) for v in m.variables
        }
        weights = [w for w in layer.weights if w.ref() not in counters]
        self.assertEqual({w.dtype.name for w in weights} - {"float32"}, set())
        for output in outputs:
            self.assertAllInRange(tf.cast(output, tf.float32), -1e3, 1e3)

    @slow_cases.slow_cases(
        "Classifier",
        "Convolutional",
        "ConvolutionalResNet",
        "CrossAttentionHead",
        "DetectionHead",
        "Detector",
        "Segmenter",
        "SimMIMOfSwin",
        "SimMIMOfVisibleOnly",
        "SimpleFeaturePyramid",
        "Swin",
        "SwinV2Block",
        "SwinVersion2",
        "ViT",
        "ViTVisibleOnly",
    )
    @parameterized.named_parameters(*CASES)
    def test_two_replicas_equal_one(self, case):
        one = self.train_one_step(
            case, tf.distribute.OneDeviceStrategy("/cpu:0")
        )
        two = self.train_one_step(case, two_replicas())
        self.assert_same(one, two, atol=1e-6)

    def train_one_step(self, case, strategy):
        """Returns the loss of one step of SGD, and all weights after it."""
        replicas = strategy.num_replicas_in_sync
        with strategy.scope():
            layer = self.create(case)
            optimizer = tf.keras.optimizers.SGD(0.1)
            optimizer.build(layer.trainable_variables)

        def inputs_of(context):
            replica = context.replica_id_in_sync_group
            size = public_classes.B // replicas
            return {
                name: tf.constant(array)
                if name in case.unbatched
                else tf.constant(array[replica * size : (replica + 1) * size])
                for name, array in case.inputs.items()
            }

        shares = strategy.experimental_distribute_values_from_function(
            inputs_of
        )

        def step(inputs):
            with tf.GradientTape() as tape:
                outputs = flatten(call(layer, inputs, training=True))
                loss = tf.add_n(
                    [
                        tf.reduce_mean(tf.cast(x, tf.float32) ** 2)
                        for x in outputs
                    ]
                )
                loss /= replicas
            variables = layer.trainable_variables
            if variables:
                gradients = tape.gradient(loss, variables)
                optimizer.apply_gradients(
                    zip(gradients, variables, strict=True)
                )
            return loss

        run = functools.partial(strategy.run, step, (shares,))
        # One alone goes without a graph, which two of them need.
        losses = tf.function(run)() if replicas == 2 else run()
        loss = strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)
        return [loss, *layer.get_weights()]


if __name__ == "__main__":
    tf.test.main()
