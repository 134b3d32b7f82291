"""Our Classifier against numbers of the reference implementation."""

import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import backbones
from tf_simmim import convert
from tf_simmim import models

FOLDER = pathlib.Path(__file__).parent


def vit(config):
    return backbones.ViT(
        config["image_size"],
        embed_dim=config["embed_dim"],
        depth=config["depth"],
        num_heads=config["num_heads"],
        relative_position="per_block",
        final_norm=False,
    )


def swin(config):
    return backbones.Swin(
        config["image_size"],
        embed_dim=config["embed_dim"],
        depths=config["depths"],
        num_heads=config["num_heads"],
        window_size=config["window_size"],
    )


CASES = (("classifier_vit.npz", vit), ("classifier_swin.npz", swin))


class ClassifierParityTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(*CASES)
    def test_features_and_logits(self, file, create):
        self.check(file, create, jit_compile=False)

    @parameterized.parameters(*CASES)
    @pytest.mark.slow
    def test_features_and_logits_under_xla(self, file, create):
        self.check(file, create, jit_compile=True)

    def check(self, file, create, jit_compile):
        with np.load(FOLDER / file) as archive:
            golden = {name: archive[name] for name in archive.files}
        config = json.loads(bytes(golden["meta_json"]))
        model = models.Classifier(create(config), config["num_classes"])
        convert.load_reference_weights(
            model,
            {
                name.removeprefix("param/"): array
                for name, array in golden.items()
                if name.startswith("param/")
            },
        )

        @tf.function(jit_compile=jit_compile)
        def outputs(images):
            features = model.backbone(images)
            return model.head.pool(features), model(images)

        pooled, logits = outputs(golden["image_nhwc"])
        self.assertAllClose(pooled, golden["pooled_features"], 0, 2e-5)
        self.assertAllClose(logits, golden["logits"], rtol=0, atol=2e-5)


if __name__ == "__main__":
    tf.test.main()
