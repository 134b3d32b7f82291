"""Damaged checkpoints of a real SimMIM: the right fallback or a refusal."""

import shutil
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import backbones
from tf_simmim import models
from tf_simmim.training import checkpoints
from tf_simmim.training.no_valid_checkpoint_error import NoValidCheckpointError

B, H, W, C = 2, 16, 24, 3
STEPS = (2, 3, 5)
FILES = ("state.index", "state.data-00000-of-00001", "manifest.json")


def cut_last_byte(path, other):
    content = path.read_bytes()
    if path.suffix == ".json":  # without the last line's end it is whole
        content = content.removesuffix(b"\n")
    path.write_bytes(content[:-1])


def cut_in_half(path, other):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def empty(path, other):
    path.write_bytes(b"")


def flip_bit(path, other):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def remove(path, other):
    path.unlink()


def append_byte(path, other):
    path.write_bytes(path.read_bytes() + b"\0")


def replace_by_the_file_of_another_step(path, other):
    shutil.copyfile(other, path)


DAMAGES = (
    cut_last_byte,
    cut_in_half,
    empty,
    flip_bit,
    remove,
    append_byte,
    replace_by_the_file_of_another_step,
)


def make_checkpoint():
    backbone = backbones.ViT(
        image_size=(H, W),
        patch_size=8,
        embed_dim=6,
        depth=1,
        num_heads=3,
        relative_position="shared",
    )
    model = models.SimMIM(backbone, mask_patch_size=8, seed=4)
    model.compile(tf.keras.optimizers.AdamW(1e-2))
    model.optimizer.build(model.trainable_variables)
    return tf.train.Checkpoint(model=model, optimizer=model.optimizer)


def values(checkpoint):
    variables = [*checkpoint.model.variables, *checkpoint.optimizer.variables]
    return [variable.numpy().tobytes() for variable in variables]


class DamageTest(tf.test.TestCase, parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.checkpoint = make_checkpoint()
        cls.saved = {}
        cls.original = Path(cls.get_temp_dir(cls())) / "original"
        store = checkpoints.CheckpointStore(cls.original)
        images = np.random.default_rng(0).normal(size=[B, H, W, C])
        model = cls.checkpoint.model
        for step in range(1, STEPS[-1] + 1):
            model.train_on_batch(images.astype(np.float32))
            if step in STEPS:
                store.save(cls.checkpoint, step, {"seed": 4})
                cls.saved[step] = values(cls.checkpoint)

    def setUp(self):
        super().setUp()
        self.directory = Path(self.get_temp_dir()) / "checkpoints"
        shutil.rmtree(self.directory, ignore_errors=True)
        shutil.copytree(self.original, self.directory)
        self.store = checkpoints.CheckpointStore(self.directory)
        # Other numbers than any checkpoint's, so that nothing passes by luck.
        for variable in self.checkpoint.model.trainable_variables:
            variable.assign(tf.fill(variable.shape, 0.5))

    def folder(self, step):
        return self.directory / f"step-{step:08d}"

    def names(self):
        return sorted(path.name for path in self.directory.iterdir())

    def test_checkpoints_have_these_files_and_differ(self):
        names = [path.name for path in self.folder(5).iterdir()]
        self.assertCountEqual(names, FILES)
        self.assertNotEqual(self.saved[3], self.saved[5])
        self.assertEqual(self.store.restore(self.checkpoint)["step"], 5)
        self.assertEqual(values(self.checkpoint), self.saved[5])

    @parameterized.product(file=FILES, damage=DAMAGES)
    def test_damaged_newest_is_set_aside_for_the_one_before(self, file, damage):
        damage(self.folder(5) / file, other=self.folder(2) / file)
        with self.assertLogs("absl", "WARNING") as logs:
            manifest = self.store.restore(self.checkpoint)
        self.assertEqual(manifest["step"], 3)
        self.assertEqual(values(self.checkpoint), self.saved[3])
        self.assertLen(logs.output, 1)
        self.assertIn("step-00000005 is damaged", logs.output[0])
        self.assertEqual(
            self.names(),
            ["corrupt-step-00000005", "step-00000002", "step-00000003"],
        )

    @parameterized.parameters(*FILES)
    def test_two_that_exchanged_a_file_are_both_set_aside(self, file):
        aside = self.directory / "aside"
        (self.folder(5) / file).rename(aside)
        (self.folder(3) / file).rename(self.folder(5) / file)
        aside.rename(self.folder(3) / file)
        with self.assertLogs("absl", "WARNING") as logs:
            manifest = self.store.restore(self.checkpoint)
        self.assertEqual(manifest["step"], 2)
        self.assertEqual(values(self.checkpoint), self.saved[2])
        self.assertLen(logs.output, 2)

    def test_folder_under_the_name_of_another_step_is_set_aside(self):
        self.folder(5).rename(self.folder(7))
        manifest = self.store.restore(self.checkpoint)
        self.assertEqual(manifest["step"], 3)
        self.assertEqual(self.names()[0], "corrupt-step-00000007")

    @parameterized.product(file=FILES, damage=DAMAGES[:-1])
    def test_nothing_is_restored_or_renamed_when_all_are_damaged(
        self, file, damage
    ):
        for step in STEPS:
            damage(self.folder(step) / file, other=None)
        before = values(self.checkpoint)
        for _ in range(2):  # a restarted program must not find a clean slate
            store = checkpoints.CheckpointStore(self.directory)
            with self.assertRaises(NoValidCheckpointError):
                store.restore(self.checkpoint)
        self.assertEqual(values(self.checkpoint), before)
        self.assertEqual(self.names(), [f"step-{step:08d}" for step in STEPS])

    def test_no_flipped_bit_of_a_manifest_passes(self):
        for step in STEPS[:-1]:  # the only one: what is damaged is refused
            shutil.rmtree(self.folder(step))
        manifest = self.folder(5) / "manifest.json"
        content = manifest.read_bytes()
        for position in range(len(content)):
            flipped = bytearray(content)
            flipped[position] ^= 1 << position % 8
            manifest.write_bytes(flipped)
            with self.assertRaises(NoValidCheckpointError, msg=bytes(flipped)):
                self.store.restore(self.checkpoint)


if __name__ == "__main__":
    tf.test.main()
