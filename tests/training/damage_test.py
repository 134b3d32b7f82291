"""Damaged checkpoints of a real SimMIM: the right fallback or a refusal."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import tensorflow as tf
from absl.testing import parameterized

from tests.training import tiny_simmim
from tf_simmim.training import checkpoints
from tf_simmim.training.errors import NoValidCheckpointError

STEPS = (2, 3, 5)
FILES = ("state.index", "state.data-00000-of-00001", "manifest.json")


def cut_last_byte(path, other):
    path.write_bytes(path.read_bytes()[:-1])


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


def replace_by_a_list(path, other):
    path.write_text("[]\n")


def replace_by_a_folder(path, other):
    path.unlink()
    path.mkdir()


def replace_by_a_pipe(path, other):
    path.unlink()
    os.mkfifo(path)


def replace_by_the_file_of_another_step(path, other):
    shutil.copyfile(other, path)


DAMAGES = (
    cut_last_byte,
    cut_in_half,
    empty,
    flip_bit,
    remove,
    append_byte,
    replace_by_a_list,
    replace_by_a_folder,
    replace_by_a_pipe,
    replace_by_the_file_of_another_step,
)


def values(checkpoint):
    variables = [*checkpoint.model.variables, *checkpoint.optimizer.variables]
    return [variable.numpy().tobytes() for variable in variables]


class DamageTest(tf.test.TestCase, parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        model = tiny_simmim.create(1e-2)
        cls.checkpoint = tiny_simmim.checkpoint(model)
        cls.saved = {}
        cls.original = Path(cls.get_temp_dir(cls())) / "original"
        store = checkpoints.CheckpointStore(cls.original)
        (images,) = tiny_simmim.images(1, seed=0)
        for step in range(1, STEPS[-1] + 1):
            model.train_on_batch(images)
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

    def test_file_in_the_place_of_a_checkpoint_is_set_aside(self):
        shutil.rmtree(self.folder(5))
        self.folder(5).write_text("not a folder")
        self.assertEqual(self.store.restore(self.checkpoint)["step"], 3)
        self.assertEqual(self.names()[0], "corrupt-step-00000005")

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

    @parameterized.parameters("metadata", "fingerprint", "files")
    def test_manifest_without_a_part_is_named_and_its_checkpoint_damaged(
        self, name
    ):
        file = self.folder(5) / "manifest.json"
        content = json.loads(file.read_text())
        del content[name], content["sha256"]
        text = json.dumps(content, sort_keys=True)
        # Whoever wrote it knew how to.
        content["sha256"] = hashlib.sha256(text.encode()).hexdigest()
        text = json.dumps(content, sort_keys=True, indent=2)
        file.write_text(text + "\n")
        with self.assertLogs("absl", "ERROR") as logs:
            manifest = self.store.restore(self.checkpoint)
        self.assertEqual(manifest["step"], 3)
        self.assertIn(f"manifest.json has no `{name}`", logs.output[0])

    def test_no_changed_byte_of_a_manifest_passes(self):
        for step in STEPS[:-1]:  # the only one: what is damaged is refused
            shutil.rmtree(self.folder(step))
        manifest = self.folder(5) / "manifest.json"
        content = manifest.read_bytes()
        for position in range(len(content)):
            before, after = content[:position], content[position + 1 :]
            byte = content[position : position + 1]
            flipped = bytes([byte[0] ^ (1 << position % 8)])
            space = b" \n\r\t"[position % 4 :][:1]
            for changed in (flipped, byte + space, b""):
                manifest.write_bytes(before + changed + after)
                with self.assertRaises(NoValidCheckpointError):
                    self.store.restore(self.checkpoint)


if __name__ == "__main__":
    tf.test.main()
