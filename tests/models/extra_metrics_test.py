"""Tests for tf_simmim.models.extra_metrics, and `compile(metrics=)`."""

import numpy as np
import pytest
import tensorflow as tf

from tests.models import replicas as replicas_lib
from tf_simmim import backbones
from tf_simmim import models
from tf_simmim.models import extra_metrics

B, H, W, C, L = 4, 16, 24, 2, 3
RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=[B, H, W, C]).astype(np.float32)
LABELS = np.int64([0, 2, 1, 2])
PIXELS = RNG.integers(0, L, [B, H, W, 1])
PIXELS[1:, :3] = 255
BOXES = np.float32([[[2, 3, 9, 12]]] * B)
PATCH_MASK = np.int32([[[0, 1, 0], [1, 1, 0]]] * B)
DATA = {
    "SimMIM": {"image": IMAGES, "patch_mask": PATCH_MASK},
    "Classifier": {"image": IMAGES, "label": LABELS},
    "Segmenter": {"image": IMAGES, "segmentation": PIXELS},
    "Detector": {
        "image": IMAGES,
        "boxes": BOXES,
        "box_classes": np.int64([[1]] * B),
    },
}


class Calls(tf.keras.metrics.Metric):
    """Counts the images that it compares, and what is found in them."""

    def __init__(self, name="calls"):
        super().__init__(name=name)
        self.images = self.add_weight("images", initializer="zeros")

    def update_state(self, y_true, y_pred):
        assert y_true.keys() == {"boxes", "classes"}
        assert y_pred["boxes"].shape[2] == 4 and "confidence" in y_pred
        count = tf.shape(y_true["boxes"])[0]
        self.images.assign_add(tf.cast(count, tf.float32))

    def result(self):
        return self.images


# Made anew for each model.
METRICS = {
    "SimMIM": lambda: [tf.keras.metrics.MeanAbsoluteError(name="error"), "mse"],
    "Classifier": lambda: [
        tf.keras.metrics.AUC(name="auc"),
        "accuracy",
        tf.keras.metrics.SparseCategoricalCrossentropy(
            from_logits=True, name="entropy"
        ),
    ],
    "Segmenter": lambda: [
        tf.keras.metrics.AUC(name="auc"),
        "sparse_categorical_accuracy",
    ],
    "Detector": lambda: [Calls()],
}


def create(kind, learning_rate=0.0, **options):
    tf.keras.utils.set_random_seed(0)
    backbone = backbones.ViT((H, W), 8, 6, 1, 3, channels=C)
    arguments = {"SimMIM": {"mask_patch_size": 8}, "Classifier": {}}
    arguments = arguments.get(kind, {"width": 4})
    if kind != "SimMIM":
        arguments["num_classes"] = L
    if kind == "Detector":
        arguments["num_convolutions"] = 0
    model = getattr(models, kind)(backbone, **arguments)
    model.compile(
        tf.keras.optimizers.SGD(learning_rate),
        metrics=METRICS[kind](),
        **options,
    )
    return model


def fit(kind, strategy=None, **options):
    """Returns (model, logs) of a step that changes nothing, and a look."""
    with (strategy or tf.distribute.get_strategy()).scope():
        model = create(kind, **options)
    data = replicas_lib.repeated(DATA[kind], 1)
    history = model.fit(data, validation_data=data, verbose=0).history
    return model, {name: values[0] for name, values in history.items()}


def wanted(kind, model):
    """Returns what its metrics should say, from its outputs."""
    if kind == "SimMIM":
        got = model.reconstruct(IMAGES, PATCH_MASK)["reconstruction"]
        hidden = PATCH_MASK.repeat(8, 1).repeat(8, 2)[..., np.newaxis]
        difference = hidden * (got.numpy() - IMAGES)
        return {
            "error": np.abs(difference).mean(),
            "mean_squared_error": np.square(difference).mean(),
        }
    if kind == "Detector":
        return {"calls": B}
    logits = model(IMAGES).numpy().reshape(-1, L)
    labels = LABELS if kind == "Classifier" else PIXELS.ravel()
    logits, labels = logits[labels != 255], labels[labels != 255]
    auc = tf.keras.metrics.AUC()
    auc.update_state(tf.one_hot(labels, L), tf.nn.softmax(logits))
    result = {"auc": auc.result().numpy()}
    if kind == "Segmenter":
        hits = (logits.argmax(-1) == labels).mean()
        return {**result, "sparse_categorical_accuracy": hits}
    entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    return {**result, "entropy": entropy.numpy().mean()}


def check(kind, **options):
    model, logs = fit(kind, **options)
    for name, value in wanted(kind, model).items():
        for key in (name, f"val_{name}"):
            np.testing.assert_allclose(logs[key], value, 0, 1e-5, err_msg=key)


@pytest.mark.parametrize("kind", ["SimMIM", "Classifier", "Segmenter"])
def test_metrics_of_compile_are_measured_in_training_and_evaluation(kind):
    check(kind, run_eagerly=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", METRICS)
def test_they_are_the_same_on_replicas_in_micro_batches_and_under_xla(kind):
    # XLA for two of them: it compiles for long.
    check(
        kind,
        strategy=replicas_lib.two_replicas(),
        accumulation_steps=2,
        jit_compile=kind in ("SimMIM", "Classifier"),
    )


def test_training_can_stop_by_a_metric_of_compile():
    model = create("Classifier", run_eagerly=True)
    stop = tf.keras.callbacks.EarlyStopping(
        monitor="val_auc", mode="max", patience=1
    )
    data = replicas_lib.repeated(DATA["Classifier"], 1)
    history = model.fit(
        data, validation_data=data, epochs=5, verbose=0, callbacks=[stop]
    ).history
    assert len(history["val_auc"]) == 2  # it cannot rise: the rate is 0


def test_a_skipped_step_counts_for_no_metric():
    model = create("Classifier", run_eagerly=True)
    images = np.concatenate([IMAGES, IMAGES])
    images[B:] = np.nan
    labels = np.concatenate([LABELS, LABELS])
    logs = model.fit(images, labels, B, shuffle=False, verbose=0).history
    assert logs["skipped_steps"] == [1]
    for name, value in wanted("Classifier", model).items():
        np.testing.assert_allclose(logs[name], value, 0, 1e-5)


def test_metrics_are_no_part_of_the_weights_and_survive_saving(tmp_path):
    model = create("Classifier")
    num_weights = len(model.weights)
    model.compile("sgd")
    assert len(model.weights) == num_weights
    assert "auc" not in model.metrics_names
    model = create("Classifier")
    model.save(tmp_path / "model.keras")
    loaded = tf.keras.models.load_model(tmp_path / "model.keras")
    assert [m.name for m in loaded.extra_metrics] == ["auc", "entropy"]


@pytest.mark.parametrize(
    "metrics, message",
    [
        (["nonsense"], "metrics"),
        (["auc"], "`metrics` must be Keras metrics.*Received: 'auc'"),
        ([3], "`metrics` must be Keras metrics.*Received: 3"),
        ([tf.keras.metrics.Mean("loss")], r"differ.*Received: \['loss'\]"),
        (["mse", "mse"], r"differ.*Received: \['mean_squared_error'\]"),
    ],
)
def test_metrics_that_cannot_be_reported_are_refused(metrics, message):
    with pytest.raises(ValueError, match=message):
        extra_metrics.create(metrics, {"loss", "accuracy"})


def test_accuracy_is_for_models_of_classes():
    assert extra_metrics.create(["acc"], {"accuracy"}) == []
    with pytest.raises(
        ValueError, match="fit this model. Received: 'accuracy'"
    ):
        extra_metrics.create("accuracy", {"loss"})


def test_metrics_of_numbers_of_classes_get_these():
    targets = np.float32([[0, 0.9, 0.1], [1, 0, 0], [0, 0, 1]])
    logits = np.float32([[0, 1, 2], [3, 0, 0], [0, 0, 1]])
    metrics = [
        tf.keras.metrics.Accuracy(),
        tf.keras.metrics.SparseCategoricalAccuracy(name="hits"),
        tf.keras.metrics.MeanIoU(num_classes=3),
        tf.keras.metrics.CategoricalAccuracy(name="ours"),
    ]
    extra_metrics.update_of_classes(metrics, targets, logits)
    got = {
        name: v.numpy() for name, v in extra_metrics.results(metrics).items()
    }
    assert got == pytest.approx(
        {"accuracy": 2 / 3, "hits": 2 / 3, "mean_io_u": 0.5, "ours": 2 / 3}
    )
