"""Tests for tf_simmim.training.checkpoints."""

import errno
import json
import os
import shutil
from pathlib import Path
from unittest import mock

import numpy as np
import tensorflow as tf

from tf_simmim import atomic_file
from tf_simmim.run import environment
from tf_simmim.training import checkpoints
from tf_simmim.training.errors import CheckpointWriteError
from tf_simmim.training.errors import NoValidCheckpointError


def make_checkpoint(value=0.0, width=5):
    return tf.train.Checkpoint(
        kernel=tf.Variable(tf.fill([3, width], value), name="kernel"),
        count=tf.Variable(7, dtype=tf.int64, name="count"),
    )


def damage(folder):
    (folder / "state.index").write_bytes(b"")


class CheckpointStoreTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = Path(self.get_temp_dir())
        self.store = checkpoints.CheckpointStore(self.directory, keep=3)

    def save(self, *steps):
        for step in steps:
            self.store.save(make_checkpoint(float(step)), step, {"seed": 3})

    def names(self):
        return sorted(path.name for path in self.directory.iterdir())

    def test_restoring_gives_the_saved_values_step_and_metadata(self):
        path = self.store.save(make_checkpoint(1.5), 123, {"seed": 3})
        self.assertEqual(path.name, "step-00000123")

        live = make_checkpoint()
        live.count.assign(0)
        manifest = self.store.restore(live)
        self.assertAllEqual(live.kernel, np.full([3, 5], 1.5))
        self.assertEqual(int(live.count), 7)
        self.assertEqual(manifest["step"], 123)
        self.assertEqual(manifest["metadata"], {"seed": 3})

    def test_going_on_marks_a_run_from_before_there_were_marks(self):
        self.save(2, 5)
        mark = self.directory.with_name("mark")
        self.addCleanup(mark.unlink)
        store = checkpoints.CheckpointStore(self.directory, mark=mark)
        store.restore(make_checkpoint(), set_aside=False)
        self.assertFalse(mark.exists())  # a reader's
        store.restore(make_checkpoint())
        self.assertEqual(json.loads(mark.read_text()), {"first_checkpoint": 5})

    def test_the_newest_valid_manifest_comes_without_renaming_anything(self):
        self.save(1, 2, 3)
        damage(self.directory / "step-00000003")
        manifest = self.store.newest_valid()
        self.assertEqual(manifest["step"], 2)
        self.assertEqual(manifest["metadata"], {"seed": 3})
        self.assertIn("step-00000003", self.names())

    def test_a_manifest_restores_its_own_checkpoint_though_the_run_goes_on(
        self,
    ):
        self.save(1)
        manifest = self.store.newest_valid()
        self.store.save(make_checkpoint(width=7), 2, {})
        live = make_checkpoint()
        restored = self.store.restore(live, set_aside=False, manifest=manifest)
        self.assertEqual(restored, manifest)
        self.assertAllEqual(live.kernel, np.full([3, 5], 1.0))

    def test_numbers_as_keys_of_the_metadata_are_no_damage(self):
        # As text they sort in another order.
        self.store.save(make_checkpoint(), 1, {2: 0.1, 10: float("inf")})
        manifest = self.store.restore(make_checkpoint())
        self.assertEqual(manifest["metadata"], {"2": 0.1, "10": float("inf")})

    def test_manifest_lists_every_other_file_with_its_size(self):
        path = self.store.save(make_checkpoint(), 4, {})
        manifest = json.loads((path / "manifest.json").read_text())
        sizes = {
            file.name: file.stat().st_size
            for file in path.iterdir()
            if file.name != "manifest.json"
        }
        self.assertLen(sizes, 2)
        listed = {n: f["bytes"] for n, f in manifest["files"].items()}
        self.assertEqual(listed, sizes)

    def test_manifest_holds_the_fingerprint_of_the_environment(self):
        self.save(4)
        manifest = self.store.restore(make_checkpoint())
        self.assertEqual(manifest["fingerprint"], environment.fingerprint())

    def test_only_the_newest_are_kept_in_order_of_their_numbers(self):
        self.save(2, 10, 100, 99999999, 100000000)
        self.assertEqual(
            self.names(), ["step-00000100", "step-100000000", "step-99999999"]
        )
        self.assertEqual(self.store.latest(), 100000000)

    def test_nothing_saved_means_no_latest_and_nothing_to_restore(self):
        self.assertIsNone(self.store.latest())
        with self.assertRaisesRegex(NoValidCheckpointError, "there are none"):
            self.store.restore(make_checkpoint())

    def test_second_damaged_checkpoint_of_a_step_gets_its_own_name(self):
        self.save(1)
        for _ in range(2):
            self.save(2)
            damage(self.directory / "step-00000002")
            self.store.restore(make_checkpoint())
        self.assertEqual(
            self.names(),
            ["corrupt-step-00000002", "corrupt-step-00000002-2"]
            + ["step-00000001"],
        )

    def test_no_valid_checkpoint_is_an_error_again_and_again(self):
        self.save(1, 2)
        for step in (1, 2):
            damage(self.directory / f"step-0000000{step}")
        for _ in range(2):  # a restarted program must not find a clean slate
            store = checkpoints.CheckpointStore(self.directory)
            self.assertEqual(store.latest(), 2)
            with self.assertRaisesRegex(
                NoValidCheckpointError, "step-00000002: .*start from scratch"
            ):
                store.restore(make_checkpoint())

    def test_tensorflows_own_checkpoint_file_plays_no_part(self):
        self.save(1, 2)
        (self.directory / "checkpoint").write_text("")
        self.assertEqual(self.store.restore(make_checkpoint())["step"], 2)

    def test_numbers_that_are_not_finite_are_never_committed(self):
        self.save(1)
        with self.assertRaisesRegex(FloatingPointError, "kernel"):
            self.store.save(make_checkpoint(np.nan), 2, {})
        self.assertEqual(self.names(), ["step-00000001"])

    def test_full_disk_is_its_own_error_and_leaves_no_litter(self):
        self.save(1)
        full = OSError(errno.ENOSPC, "No space left on device")
        with mock.patch.object(os, "fsync", side_effect=full):
            with self.assertRaisesRegex(
                CheckpointWriteError, "step 2 .*No space left.*disk full"
            ):
                self.save(2)
        self.assertEqual(self.names(), ["step-00000001"])
        self.save(2)
        self.assertEqual(self.names(), ["step-00000001", "step-00000002"])

    def test_room_for_two_checkpoints_is_required(self):
        # 2 * (3 * 500000 * 4 + 8) bytes.
        large = make_checkpoint(width=500_000)
        free = mock.Mock(free=12_000_016)
        with mock.patch.object(shutil, "disk_usage", return_value=free):
            self.store.require_space(large)
        free.free -= 1
        with mock.patch.object(shutil, "disk_usage", return_value=free):
            with self.assertRaisesRegex(
                ValueError, "two checkpoints, 12.0 MB.*with 12.0 MB free"
            ):
                self.store.require_space(large)

    def test_step_that_has_a_checkpoint_is_refused(self):
        self.save(1)
        with self.assertRaisesRegex(ValueError, "no checkpoint yet.*: 1,"):
            self.save(1)

    def test_wrong_shape_is_refused_before_anything_is_restored(self):
        self.save(1)
        live = make_checkpoint(width=4)
        live.count.assign(0)
        with self.assertRaisesRegex(
            ValueError,
            r"kernel is \(3, 5\) in the check.* \(3, 4\)",
        ):
            self.store.restore(live)
        self.assertEqual(int(live.count), 0)
        self.assertEqual(self.names(), ["step-00000001"])  # it is not damage

    def test_variable_that_one_side_lacks_is_named(self):
        self.store.save(tf.train.Checkpoint(model=make_checkpoint()), 1, {})
        live = tf.train.Checkpoint(model=make_checkpoint())
        del live.model.count
        live.model.extra = tf.Variable([1.0, 2.0], name="extra")
        with self.assertRaisesRegex(
            ValueError,
            r"extra:0 .* only in the model; .*count .* only in the check",
        ):
            self.store.restore(live)

    def test_objects_that_are_not_asked_for_are_left_alone(self):
        self.save(1)
        kernel = tf.Variable(tf.zeros([3, 5]))
        self.store.restore(tf.train.Checkpoint(kernel=kernel))
        self.assertAllEqual(kernel, np.full([3, 5], 1.0))

    def test_folder_of_nothing_but_damaged_ones_is_no_fresh_start(self):
        self.save(1, 2)
        damage(self.directory / "step-00000002")
        self.store.restore(make_checkpoint())
        shutil.rmtree(self.directory / "step-00000001")
        with self.assertRaisesRegex(
            NoValidCheckpointError, "corrupt-step-00000002: set aside"
        ):
            self.store.latest()

    def test_name_that_cannot_be_flushed_to_the_disk_does_not_count(self):
        self.save(1)
        sync = atomic_file.sync

        def fail_at_last(path):
            if path == self.directory:
                raise OSError(errno.EIO, "Input/output error")
            sync(path)

        with mock.patch.object(atomic_file, "sync", fail_at_last):
            with self.assertRaisesRegex(CheckpointWriteError, "Input/output"):
                self.save(2)
        self.assertEqual(self.names(), ["step-00000001"])

    def test_file_in_the_place_of_the_folder_is_refused(self):
        file = self.directory / "file"
        file.write_text("")
        for path in (file, file / "below"):
            with self.assertRaisesRegex(ValueError, "must be a folder.*is a"):
                checkpoints.CheckpointStore(path)

    def test_fewer_than_one_to_keep_is_refused(self):
        with self.assertRaisesRegex(ValueError, "`keep` must be at least 1"):
            checkpoints.CheckpointStore(self.directory, keep=0)


if __name__ == "__main__":
    tf.test.main()
