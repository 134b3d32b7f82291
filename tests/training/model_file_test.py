"""Tests for tf_simmim.training.model_file; hostile ones: tests/security."""

import json
from pathlib import Path

import pytest
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import backbones
from tf_simmim import models
from tf_simmim.run import directory
from tf_simmim.training import model_file

OPTIONS = dict(
    image_size=(16, 24),
    patch_size=8,
    embed_dim=12,
    depth=2,
    num_heads=3,
    channels=2,
    mlp_ratio=2.5,
    qkv_bias="none",
    absolute_position="learned",
    relative_position="per_block",
    layer_scale_init=None,
    class_token=False,
    drop_path_rate=0.3,
    epsilon=1e-5,
)
# All weights but the 128 biases of the head, which is linear.
NUM_BYTES = 4 * 6078


class ModelFileTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        run = directory.RunDirectory(self.get_temp_dir())
        self.model = models.SimMIM(
            backbones.ViT(**OPTIONS),
            mask_patch_size=8,
            mask_ratio=0.4,
            mask_strategy="block_wise",
            target="patch_normalized",
            reconstruction_loss="smooth_l1",
            seed=3,
        )
        run.write_model(self.model)
        self.path = Path(run.model_file)

    def config(self):
        """Returns the configuration in the file."""
        return json.loads(self.path.read_text())["config"]

    def write(self, config):
        """Puts another configuration in its place."""
        document = json.loads(self.path.read_text())
        self.path.write_text(json.dumps({**document, "config": config}))

    def test_every_option_comes_back(self):
        model = model_file.read_model(self.path, NUM_BYTES)
        self.assertIsInstance(model.backbone, backbones.ViT)
        self.assertEqual(model.get_config(), self.model.get_config())
        self.assertEqual(
            [w.shape for w in model.weights],
            [w.shape for w in self.model.weights],
        )

    def test_a_network_of_different_blocks_comes_back(self):
        changes = dict(
            num_heads=(3, 5),
            key_dims=(2, 3),
            value_dims=4,
            mlp_dims=(7, None),
            attention=("softmax", "softmax"),
            register_tokens=2,
            reduce_tokens=(2, 1),
            relative_position="none",
        )
        vit = backbones.ViT(**{**OPTIONS, **changes})
        model = models.SimMIM(vit, mask_patch_size=8)
        directory.RunDirectory(self.get_temp_dir()).write_model(model)
        num_bytes = sum(4 * v.shape.num_elements() for v in model.weights)
        copy = model_file.read_model(self.path, num_bytes)
        self.assertEqual(copy.get_config(), model.get_config())
        self.assertEqual(copy.backbone.mlp_dims, (7, None))
        self.assertEqual(
            [w.shape for w in copy.weights], [w.shape for w in model.weights]
        )

    def test_a_file_from_before_there_were_strategies_means_random(self):
        config = self.config()
        del config["mask_strategy"]
        self.write(config)
        model = model_file.read_model(self.path, NUM_BYTES)
        self.assertEqual(model.mask_strategy, "random")
        self.assertEqual(model.mask_ratio, 0.4)

    @parameterized.parameters("blocks", 3, None, [["random"]])
    def test_unknown_strategy_is_refused(self, name):
        config = self.config()
        self.write({**config, "mask_strategy": name})
        with self.assertRaisesRegex(ValueError, "`mask_strategy` must be"):
            model_file.read_model(self.path, NUM_BYTES)

    def test_the_weights_of_a_model_fit_into_its_checkpoint(self):
        variables = self.model.trainable_variables
        num_weights = sum(v.shape.num_elements() for v in variables)
        self.assertEqual(NUM_BYTES, 4 * (num_weights - 8 * 8 * 2))
        with self.assertRaisesRegex(ValueError, "weights need 0.0 MB"):
            model_file.read_model(self.path, NUM_BYTES - 1)

    @parameterized.parameters(
        ("builtins", "eval"), ("keras.layers", "Lambda"), ("os", "system")
    )
    def test_the_registered_name_alone_chooses_the_class(self, module, name):
        config = self.config()
        config["backbone"].update(module=module, class_name=name)
        self.write(config)
        model = model_file.read_model(self.path, NUM_BYTES)
        self.assertIsInstance(model.backbone, backbones.ViT)
        config["backbone"]["registered_name"] = name
        self.write(config)
        with self.assertRaisesRegex(ValueError, f"not '{name}'"):
            model_file.read_model(self.path, NUM_BYTES)

    def test_argument_that_is_unknown_or_missing_is_refused(self):
        config = self.config()
        self.write({**config, "name": "x"})
        with self.assertRaisesRegex(ValueError, "no argument of SimMIM"):
            model_file.read_model(self.path, NUM_BYTES)
        del config["backbone"]["config"]["image_size"]
        self.write(config)
        with self.assertRaisesRegex(ValueError, "model.json; no model can be"):
            model_file.read_model(self.path, NUM_BYTES)

    @parameterized.parameters(1, 2)
    def test_a_swin_comes_back_too(self, version):
        model, num_bytes = self._write_swin(version=version)
        copy = model_file.read_model(self.path, num_bytes)
        self.assertIsInstance(copy.backbone, backbones.Swin)
        self.assertEqual(copy.get_config(), model.get_config())
        needed = 4 * model.backbone.count_params()
        with self.assertRaisesRegex(ValueError, "its weights need"):
            model_file.read_model(self.path, needed)

    @parameterized.parameters(
        ({}, None),
        ({"widths": [80, 160]}, "its weights need"),
        (
            {
                "extractor": "convnext_large",
                "depths": None,
                "image_size": [32, 32],
            },
            "its weights need",
        ),
        ({"widths": [10**9, 10**9]}, "its weights need"),
        ({"image_size": [1024, 1032]}, "at most 1048576 pixels"),
        ({"extractor": "os.system"}, "no model can be built"),
        ({"extractor": ["resnet18"]}, "no model can be built"),
    )
    @pytest.mark.slow
    def test_a_convolutional_network_comes_back_if_it_has_a_place(
        self, changes, message
    ):
        network = backbones.Convolutional(
            (16, 32), "resnet18", depths=(1, 1), widths=(8, 16)
        )
        model = models.SimMIM(network, mask_patch_size=8, head="mlp")
        directory.RunDirectory(self.get_temp_dir()).write_model(model)
        num_bytes = sum(4 * w.shape.num_elements() for w in model.weights)
        config = self.config()
        options = config["backbone"]["config"]
        options.update(changes)
        if "depths" in changes:
            del options["widths"]
        self.write(config)
        if message is None:
            copy = model_file.read_model(self.path, num_bytes)
            self.assertEqual(copy.get_config(), model.get_config())
        else:
            with self.assertRaisesRegex(ValueError, message):
                model_file.read_model(self.path, num_bytes)

    def write_classifier(self, **changes):
        """Writes a classifier's file; returns the model and its bytes."""
        model = models.Classifier(
            backbones.ViT(**{**OPTIONS, "final_norm": False}),
            num_classes=3,
            class_names=["a", "b", "\u00fc"],
            label_smoothing=0.2,
            seed=5,
        )
        directory.RunDirectory(self.get_temp_dir()).write_model(model)
        self.write({**self.config(), **changes})
        return model, sum(4 * w.shape.num_elements() for w in model.weights)

    def test_a_classifier_comes_back_with_the_names_of_its_classes(self):
        model, num_bytes = self.write_classifier()
        copy = model_file.read_model(self.path, num_bytes)
        self.assertIsInstance(copy, models.Classifier)
        self.assertEqual(copy.class_names, ("a", "b", "\u00fc"))
        self.assertEqual(copy.get_config(), model.get_config())
        self.assertEqual(
            [w.shape for w in copy.weights], [w.shape for w in model.weights]
        )

    @parameterized.parameters(
        ({"num_classes": 10**9}, "its weights need"),
        ({"num_classes": -(10**9)}, "`num_classes` must be an int"),
        ({"num_classes": 3.0}, "`num_classes` must be an int"),
        ({"num_classes": [3]}, "`num_classes` must be an int"),
        ({"num_classes": None}, "`num_classes` must be an int"),
        ({"class_names": ["a", "b"]}, "`class_names` must be 3 different"),
        ({"class_names": ["a", "b", 3]}, "`class_names` must be 3 different"),
        ({"class_names": [["a"]]}, "`class_names` must be a number, a word"),
        ({"label_smoothing": "x"}, "no model can be built"),
        ({"mask_ratio": 0.5}, "no argument of Classifier"),
    )
    def test_a_classifier_that_cannot_be_is_refused(self, changes, message):
        _, num_bytes = self.write_classifier(**changes)
        with self.assertRaisesRegex(ValueError, message):
            model_file.read_model(self.path, num_bytes)

    def write_segmenter(self, **changes):
        """Writes a segmenter's file; returns the model and its bytes."""
        model = models.Segmenter(
            backbones.ViT(**OPTIONS), num_classes=3, width=7, seed=5
        )
        directory.RunDirectory(self.get_temp_dir()).write_model(model)
        self.write({**self.config(), **changes})
        return model, sum(4 * w.shape.num_elements() for w in model.weights)

    def test_a_segmenter_comes_back(self):
        model, num_bytes = self.write_segmenter()
        copy = model_file.read_model(self.path, num_bytes)
        self.assertIsInstance(copy, models.Segmenter)
        self.assertEqual(copy.get_config(), model.get_config())
        self.assertEqual(
            [w.shape for w in copy.weights], [w.shape for w in model.weights]
        )

    @parameterized.parameters(
        ({"width": 10**5}, "its weights need"),
        ({"width": "wide"}, "no model can be built"),
        ({"num_classes": 10**9}, "its weights need"),
        ({"label_smoothing": 0.5}, "no argument of Segmenter"),
    )
    def test_a_segmenter_that_cannot_be_is_refused(self, changes, message):
        _, num_bytes = self.write_segmenter(**changes)
        with self.assertRaisesRegex(ValueError, message):
            model_file.read_model(self.path, num_bytes)

    def write_detector(self, **changes):
        """Writes a detector's file; returns the model and its bytes."""
        model = models.Detector(
            backbones.ViT(**OPTIONS),
            num_classes=1,
            width=7,
            num_convolutions=1,
            seed=5,
        )
        directory.RunDirectory(self.get_temp_dir()).write_model(model)
        self.write({**self.config(), **changes})
        return model, sum(4 * w.shape.num_elements() for w in model.weights)

    def test_a_detector_comes_back(self):
        model, num_bytes = self.write_detector()
        copy = model_file.read_model(self.path, num_bytes)
        self.assertIsInstance(copy, models.Detector)
        self.assertEqual(copy.get_config(), model.get_config())
        self.assertEqual(
            [w.shape for w in copy.weights], [w.shape for w in model.weights]
        )

    @parameterized.parameters(
        ({"width": 10**5}, "its weights need"),
        ({"num_convolutions": 10**9}, "its weights need"),
        ({"num_convolutions": -(10**2)}, "its weights need"),
        ({"num_convolutions": "many"}, "no model can be built"),
        ({"num_classes": 10**5}, "its weights need"),
        ({"num_classes": 0}, "`num_classes` must be an int of 1 or more"),
        ({"mask_ratio": 0.5}, "no argument of Detector"),
    )
    def test_a_detector_that_cannot_be_is_refused(self, changes, message):
        _, num_bytes = self.write_detector(**changes)
        with self.assertRaisesRegex(ValueError, message):
            model_file.read_model(self.path, num_bytes)

    def _write_swin(self, **options):
        swin = backbones.Swin(
            **{
                "image_size": (16, 32),
                "patch_size": 2,
                "embed_dim": 6,
                "depths": (1, 1, 2),
                "num_heads": (1, 2, 3),
                "window_size": (2, 3),
                **options,
            }
        )
        model = models.SimMIM(swin, mask_patch_size=8)
        directory.RunDirectory(self.get_temp_dir()).write_model(model)
        weights = model.trainable_variables
        return model, sum(4 * w.shape.num_elements() for w in weights)

    @parameterized.parameters(
        ({"image_size": [514, 512]}, None),  # 257 x 256 patches, in windows
        (
            {"image_size": [1024, 1024]},
            "at most (16384|65536) patches",
        ),
        (
            {"image_size": 512, "window_size": 129},
            "at most (16384|65536) patches",
        ),
        ({"depths": [1] * 9, "num_heads": [1] * 9}, "`image_size` must be"),
        # Stages of nothing but width.
        (
            {"depths": [1] * 8, "num_heads": [1] * 8, "image_size": 256},
            "its weights need",
        ),
        ({"depths": [1, 1, 10**9]}, "at most 1000 blocks"),
        ({"depths": [1, 1, 999]}, "at most 1000 blocks"),
        ({"depths": [1, 1, 99]}, "its weights need"),
    )
    def test_a_swin_without_a_place_in_memory_is_refused(
        self, changes, message
    ):
        _, num_bytes = self._write_swin()
        config = self.config()
        config["backbone"]["config"].update(changes)
        self.write(config)
        # Refused for its sides, which the stride does not divide.
        message = message or "`image_size` must be a multiple of `stride`"
        with self.assertRaisesRegex(ValueError, message):
            model_file.read_model(self.path, num_bytes)


if __name__ == "__main__":
    tf.test.main()
