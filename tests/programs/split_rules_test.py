"""Tests for programs/split_rules.py: old runs go on with their images."""

import json

import pytest
from absl import flags

from tests.run import records
from tf_simmim import run
from tf_simmim.programs import earlier_run
from tf_simmim.programs import pretrain
from tf_simmim.programs import run_settings
from tf_simmim.programs import split_rules
from tf_simmim.programs.flags import data_flags

FLAGS = flags.FLAGS
FREE = earlier_run.changeable(pretrain.Pretraining.flag_groups)


@pytest.fixture
def images(tmp_path):
    """Returns the flag of a folder in which rules differ."""
    for name in ("train/a.png", "val/b.png", "test/c.png"):
        path = tmp_path / "pets" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
    return f"--dataset=folder:{tmp_path}/pets"


def settings_now():
    return run_settings.current(data_flags.decided())


def require_same(before):
    run_settings.require_same(before, FREE, data_flags.decided())


def held_out(*arguments):
    """Returns the folder that a run holds out."""
    FLAGS.unparse_flags()
    FLAGS(["program", *arguments])
    data_flags.open_source()
    return data_flags.open_validation_source().folder.rpartition("/")[2]


def test_a_new_run_writes_its_rules_down_and_goes_on_with_them(
    images, tmp_path
):
    arguments = (images, f"--workdir={tmp_path / 'run'}")
    assert held_out(*arguments) == "val"
    settings = settings_now()
    assert settings["split_rules"] == 2
    (tmp_path / "run").mkdir()
    run.write_record(tmp_path / "run", records.record(settings=settings))
    assert held_out(*arguments) == "val"
    require_same(settings)


@pytest.mark.parametrize("given", [(), ("--split_rules=1",)])
def test_a_run_from_before_the_rules_keeps_those_of_then(
    given, images, tmp_path, caplog
):
    arguments = (images, f"--workdir={tmp_path / 'run'}", *given)
    file = tmp_path / "run/flags.txt"
    held_out(*arguments)
    settings = settings_now()
    del settings["split_rules"]
    file.parent.mkdir()
    file.write_text(run_settings.as_flagfile(settings))

    assert held_out(*arguments) == "test"
    assert "began before --split_rules had numbers" in caplog.text
    run_settings.require_same(
        run.read_settings(file.parent), FREE, data_flags.decided()
    )
    assert "split_rules" not in settings_now()

    # Others are other images, which is refused like any other setting.
    assert held_out(*arguments, "--split_rules=2") == "val"
    with pytest.raises(ValueError, match="Received: --split_rules=2"):
        run_settings.require_same(
            run.read_settings(file.parent), FREE, data_flags.decided()
        )


@pytest.mark.parametrize(
    "metadata, folder",
    [
        ({"flags": "--split_rules=2\n"}, "val"),
        ({"flags": "--seed=0\n"}, "test"),
        ({}, "test"),
    ],
)
def test_a_run_without_its_flags_goes_by_its_checkpoints(
    metadata, folder, images, tmp_path
):
    checkpoint = tmp_path / "run/checkpoints/step-00000003"
    checkpoint.mkdir(parents=True)
    manifest = json.dumps({"metadata": metadata})
    (checkpoint / "manifest.json").write_text(manifest)
    assert held_out(images, f"--workdir={tmp_path / 'run'}") == folder
    has_rules = "split_rules" in settings_now()
    assert has_rules == (folder == "val")


@pytest.mark.parametrize(
    "text, rules", [("--split_rules=2\n", 2), ("--seed=0\n", None)]
)
def test_a_program_that_looks_at_a_run_takes_its_rules(
    text, rules, tmp_path, monkeypatch
):
    (tmp_path / "flags.txt").write_text(text)
    values = flags.FlagValues()
    flags.DEFINE_string("run", str(tmp_path), "", flag_values=values)
    values.mark_as_parsed()
    monkeypatch.setattr(split_rules.flags, "FLAGS", values)
    assert split_rules.of_the_run(None, "folder:pets") == rules


def test_test_can_be_asked_for(images):
    assert held_out(images, "--validation_split=test") == "test"
