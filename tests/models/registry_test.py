"""Tests for tf_simmim.models.registry, by a kind of model from outside."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.export import tiny
from tf_simmim import export
from tf_simmim import models
from tf_simmim import training
from tf_simmim.models import registry
from tf_simmim.training import model_file

H, W = tiny.H, tiny.W


class Brightness(tf.keras.Model):
    """Learns how bright an image is: a model as others may write one."""

    def __init__(self, backbone, width=5):
        super().__init__()
        self.backbone, self.width = backbone, width
        self.hidden = tf.keras.layers.Dense(width)
        self.head = tf.keras.layers.Dense(1)
        self.head(self.hidden(tf.zeros([1, backbone.num_features])))

    def call(self, images, training=False):
        feature_map = self.backbone(images, training=training)
        features = tf.reduce_mean(feature_map, [1, 2])
        return self.head(self.hidden(features))  # [B, 1]

    def get_config(self):
        backbone = tf.keras.saving.serialize_keras_object(self.backbone)
        return {"backbone": backbone, "width": self.width}


def luminance_functions(signatures):
    def luminance(pixels):
        images = signatures.preprocessing.normalize(pixels)
        return {"luminance": signatures.model(images, training=False)}

    return {"luminance": luminance}


@pytest.fixture
def kind():
    before = dict(registry._KINDS)
    yield registry.register(
        registry.ModelKind(
            "luminance",
            Brightness,
            lambda config, plan: config["width"] * plan.num_features,
            signatures=(luminance_functions,),
        )
    )
    registry._KINDS.clear()
    registry._KINDS.update(before)


def test_a_model_from_outside_is_trained_saved_loaded_and_exported(
    kind, tmp_path
):
    model = Brightness(tiny.vit())
    pixels = np.random.default_rng(0).integers(0, 256, [4, H, W, 3])
    pixels = pixels.astype(np.float32)
    with tf.GradientTape() as tape:
        errors = model(pixels / 255) - pixels.mean((1, 2, 3))[:, None] / 255
        loss = tf.reduce_mean(errors**2)
    weights = model.hidden.trainable_variables
    tf.keras.optimizers.SGD(0.1).apply_gradients(
        zip(tape.gradient(loss, weights), weights, strict=True)
    )
    training.write_model_folder(tmp_path / "run", model)
    told = json.loads((tmp_path / "run" / "model.json").read_text())
    assert told["kind"] == "luminance" and told["config"]["width"] == 5

    copy = training.load_pretrained(tmp_path / "run")
    assert isinstance(copy, Brightness)
    _, preprocessing, _ = export.read_run(tmp_path / "run")
    images = preprocessing.normalize(pixels)
    want = model(images)
    np.testing.assert_array_equal(copy(images), want)

    path = export.export_run(tmp_path / "run", max_batch_size=2, verify=False)
    assert json.loads((path / "manifest.json").read_text())["kind"] == kind.name
    served = export.ServedModel(path)
    assert {"features", "luminance"} < set(served.signatures)
    answer = served.run("luminance", {"pixels": pixels})
    np.testing.assert_allclose(answer["luminance"], want, atol=1e-5)
    served.close()

    told["config"]["width"] = 10**9
    (tmp_path / "run" / "model.json").write_text(json.dumps(told))
    with pytest.raises(ValueError, match="its weights need"):
        model_file.read_model(tmp_path / "run" / "model.json", 10**6)


def test_a_name_is_of_one_class(kind):
    assert registry.register(kind) is registry.find("luminance") is kind
    with pytest.raises(ValueError, match="'simmim', the name of SimMIM"):
        registry.register(registry.ModelKind("simmim", Brightness))
    assert registry.find("simmim").model is models.SimMIM


def test_a_kind_is_that_of_the_class_or_of_the_nearest_base():
    class Mine(models.SimMIM):
        pass

    model = Mine(tiny.vit(), mask_patch_size=8)
    assert registry.kind_of(model).name == "simmim"
    with pytest.raises(ValueError, match="must be of a class that `models"):
        registry.kind_of(tiny.vit())
    for name in ("mine", None, ["simmim"]):
        with pytest.raises(ValueError, match="one of .*'detector'.* Received"):
            registry.find(name)
