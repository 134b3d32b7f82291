"""Tests for programs/settings_before.py: checkpoints are asked first."""

import logging
import pathlib
import shutil

import pytest

from tests.run import records
from tf_simmim import run
from tf_simmim.programs import settings_before
from tf_simmim.training import manifests

RUNS = pathlib.Path(__file__).parents[1] / "golden" / "runs" / "0.1.0"


def write_checkpoint(folder, step, metadata):
    checkpoint = folder / f"checkpoints/step-{step:08d}"
    checkpoint.mkdir(parents=True)
    manifests.write(checkpoint, [], step, metadata)


def test_settings_are_those_of_the_checkpoint_or_of_the_runs_file(tmp_path):
    assert settings_before.read(tmp_path / "nowhere") is None
    assert settings_before.read(tmp_path) is None
    flags_file = tmp_path / "flags.txt"
    flags_file.write_text("--seed=1\n")
    write_checkpoint(tmp_path, 1, {})
    assert settings_before.read(tmp_path) == {"seed": 1}
    flags_file.write_bytes(b"--seed=\xff\n")
    with pytest.raises(ValueError, match=f"{flags_file} must be text"):
        settings_before.read(tmp_path)
    write_checkpoint(tmp_path, 2, {"flags": "--seed=2\n"})
    assert settings_before.read(tmp_path) == {"seed": 2}
    write_checkpoint(tmp_path, 3, {"settings": {"seed": 3}})
    for text in ("{", "[" * 100_000, "\x00"):
        (tmp_path / "run.json").write_text(text)
        assert settings_before.read(tmp_path) == {"seed": 3}
    run.write_record(tmp_path, records.record())
    assert settings_before.read(tmp_path) == {"seed": 3}
    # A manifest that was edited is damaged: the one before is asked.
    newest = tmp_path / "checkpoints/step-00000003/manifest.json"
    newest.write_text(newest.read_text().replace('"seed": 3', '"seed": 4'))
    assert settings_before.read(tmp_path) == {"seed": 2}


def test_a_damaged_record_of_a_run_that_begins_is_one_line(tmp_path, caplog):
    (tmp_path / "run.json").write_text("{")
    with caplog.at_level(logging.WARNING, "absl"):
        assert settings_before.read(tmp_path) is None
        assert settings_before.read(tmp_path) is None
    (line,) = caplog.messages
    assert f"{tmp_path / 'run.json'} must be a run.json" in line


def test_a_flagfile_of_0_1_0_may_be_edited_as_absl_reads_it(tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(RUNS / "finetune", folder)
    before = settings_before.read(folder)
    text = (folder / "flags.txt").read_text()
    edited = text.replace("--image_size=32\n", "  # mine\n--image_size\n32\n")
    assert edited != text
    (folder / "flags.txt").write_text(f"{edited}\t// and mine\n")
    assert settings_before.read(folder) == before
    assert before["image_size"] == 32


@pytest.mark.parametrize("text", [b"word\n", b"\xff", b"--seed=9\n"])
def test_flags_that_a_checkpoint_knows_too_may_be_anything(text, tmp_path):
    shutil.copy(RUNS / "finetune/model.json", tmp_path)
    write_checkpoint(tmp_path, 1, {"flags": "--seed=2\n"})
    (tmp_path / "flags.txt").write_bytes(text)
    assert settings_before.read(tmp_path) == {"seed": 2}
    if b"seed" not in text:
        # Nor does it keep programs from looking at the run.
        assert run.read_settings(tmp_path) == {"seed": 2}
        assert run.read_record(tmp_path).settings == {"seed": 2}
