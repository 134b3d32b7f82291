"""Tests for tf_simmim.export.run_versions."""

import json
import shutil

import pytest
import tensorflow as tf

from tf_simmim import export
from tf_simmim import training
from tf_simmim.export import manifest


def save(run, step, value=1.0):
    """Adds a checkpoint, and returns its SHA-256."""
    store = training.CheckpointStore(run / "checkpoints")
    store.save(tf.train.Checkpoint(x=tf.Variable(value)), step, {})
    return store.newest_valid()["sha256"]


def write(run, version, **facts):
    """Writes what counts of an export."""
    folder = run / "export" / str(version)
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"")
    manifest.write(folder, {"run": facts})
    return folder


@pytest.fixture
def run(tmp_path):
    path = training.RunDirectory(tmp_path / "mine").path
    save(path, 1200)
    return path


def test_a_run_without_an_export_has_no_current_one(run):
    (run / "export" / ".1.2.tmp").mkdir(parents=True)
    (run / "export" / "4").mkdir()  # Not a version.
    is_current, said = export.is_current(run)
    assert not is_current
    assert said == f"There is no export in {run}/export yet."


def test_the_newest_export_is_compared_with_the_last_checkpoint(run):
    write(run, 9, step=1200)
    folder = write(run, 10, step=600)
    said = f"{folder} is of step 600, and the run's last checkpoint is of step "
    assert export.is_current(run) == (False, said + "1,200.")
    folder = write(run, 11, step=1200)  # As exports of before say it.
    said = f"{folder} is of the run's last checkpoint, of step 1,200."
    assert export.is_current(run) == (True, said)
    save(run, 1300)
    assert not export.is_current(run)[0]


def test_an_export_that_has_lost_a_file_is_not_current(run):
    folder = write(run, 1, step=1200)
    (folder / "saved_model.pb").write_bytes(b"other")
    is_current, said = export.is_current(run)
    assert not is_current
    assert said.startswith(f"{folder} is not whole: saved_model.pb has other ")


def test_another_training_up_to_the_same_step_is_noticed(run):
    sha256 = save(run, 1300)
    folder = write(run, 1, step=1300, checkpoint=sha256)
    assert export.is_current(run)[0]
    shutil.rmtree(run / "checkpoints")
    (run / "checkpoints").mkdir()
    save(run, 1300, value=2.0)
    is_current, said = export.is_current(run)
    assert not is_current and "of another training" in said
    text = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**text, "run": 5}))
    is_current, said = export.is_current(run)
    assert not is_current and "does not say of which step" in said


def test_without_a_checkpoint_the_export_stays(run):
    folder = write(run, 1, step=1200)
    (run / "checkpoints/step-00001200/manifest.json").write_text("{")
    is_current, said = export.is_current(run)
    assert is_current and said.startswith(f"{folder} is not compared with")
    shutil.rmtree(run / "checkpoints")
    said = f"{folder} is all there is of its run."
    assert export.is_current(run) == (True, said)
    assert not (run / "checkpoints").exists()
