"""Tests for programs/command_line.py, and for every flagfile."""

import io
import pathlib
import sys
from unittest import mock

import pytest
import tensorflow as tf
from absl import flags

from tf_simmim.programs import command_line
from tf_simmim.programs import compress  # noqa: F401  (defines its flags)
from tf_simmim.programs import detect  # noqa: F401  (defines its flags)
from tf_simmim.programs import finetune  # noqa: F401  (defines its flags)
from tf_simmim.programs import pretrain  # noqa: F401  (defines the other flags)
from tf_simmim.programs import run_settings
from tf_simmim.programs import segment  # noqa: F401  (defines its flags)
from tf_simmim.programs.flags import optimization_flags

ROOT = pathlib.Path(__file__).parents[2]
FLAGFILES = sorted((ROOT / "experiments" / "flags").glob("*.flags"))
FLAGS = flags.FLAGS
FULL = (
    "Error: the disk, or this user's share of it, is full ({}No space left on "
    "device). Make room and run the same command again."
)


def parse(*arguments):
    FLAGS.unparse_flags()
    return FLAGS(["program", *arguments])


@pytest.mark.parametrize("path", FLAGFILES, ids=lambda path: path.name)
def test_every_flagfile_parses_and_leaves_nothing_over(path):
    # A chain of compressions has the images of its run.
    more = ["--dataset=builtin:digits"] if "_compress" in path.stem else []
    command_line.refuse_leftovers(parse(f"--flagfile={path}", *more))
    text = path.read_text()
    for part in ("# Source:", "# Run:", "# Cost:", "# Expect:"):
        assert part in text
    # Every recipe has a folder of its own; a chain's lies in its run's.
    assert FLAGS.name != "pretrain" or FLAGS.step


def test_an_empty_value_stands_for_a_default_of_nothing():
    """So that what a flagfile sets can be taken back."""
    finetune_digits = "--flagfile=digits_finetune.flags"
    parse(*command_line.resolve([finetune_digits]))
    assert FLAGS.num_labels == 100
    names = ("num_labels", "depth", "num_heads", "absolute_position")
    empty = [f"--{name}=" for name in (*names, "final_norm")]
    parse(*command_line.resolve([finetune_digits, *empty]))
    assert [FLAGS[name].value for name in names] == [None] * 4
    assert FLAGS.final_norm is None
    assert "num_labels" not in run_settings.current()
    given = ["--depth=3", "--num_heads=1,2"]
    parse(*command_line.resolve([finetune_digits, *given]))
    assert (FLAGS.depth, FLAGS.num_heads) == (3, ["1", "2"])
    with pytest.raises(flags.IllegalFlagValueError, match="--depth=x"):
        parse(*command_line.resolve([finetune_digits, "--depth=x"]))
    out = io.StringIO()  # what --helpxml writes
    FLAGS.write_help_in_xml_format(out)
    assert "<name>absolute_position</name>" in out.getvalue()


def test_there_are_the_promised_flagfiles():
    names = {path.stem for path in FLAGFILES}
    assert {"demo", "vitb", "vits", "vit_tiny_cifar"} <= names
    assert {"swinb_100ep", "swinb_800ep", "swinl_800ep"} <= names


def test_vitb_is_the_reference_recipe():
    parse(f"--flagfile={ROOT}/experiments/flags/vitb.flags")
    wanted = {
        "image_size": ["224"],
        "crop_scale": ["0.67", "1"],
        "crop_ratio": ["0.75", "1.3333333333333333"],
        "horizontal_flip": True,
        "backbone": "vit_base",
        "patch_size": 16,
        "drop_path_rate": 0.1,
        "mask_patch_size": 32,
        "mask_ratio": 0.6,
        "target": "pixels",
        "reconstruction_loss": "l1",
        "global_batch_size": 2048,
        "reference_batch_size": 512,
        "optimizer": "adamw",
        "beta_1": 0.9,
        "beta_2": 0.999,
        "weight_decay": 0.05,
        "weight_decay_grouping": "reference",
        "clip_global_norm": 5.0,
        "schedule": "multistep",
        "train_epochs": 800.0,
    }
    assert {name: FLAGS[name].value for name in wanted} == wanted
    num_images = 1281167  # 625 steps of 2,048 an epoch
    assert optimization_flags.total_steps(num_images) == 800 * 625
    schedule = optimization_flags.create_schedule(num_images)
    rates = {0: 2e-6, 10: 4e-4, 699.9: 4e-4, 700: 4e-5, 799: 4e-5}
    for epoch, rate in rates.items():
        assert float(schedule(epoch * 625)) == pytest.approx(rate)


@pytest.mark.parametrize(
    "name, backbone, window_size, epochs, rates",
    [
        # Steps of 2,048 images, 625 an epoch. The cosine has run for 10 epochs
        # where the warm-up ends: 4e-5 + 7.6e-4 (1 + cos(pi / 10)) / 2.
        (
            "swinb_100ep",
            "swin_base",
            "6",
            100,
            {0: 4e-6, 10: 7.81401e-4, 50: 4.2e-4, 100: 4e-5},
        ),
        (
            "swinb_800ep",
            "swin_base",
            "6",
            800,
            {0: 2e-6, 10: 4e-4, 699.9: 4e-4, 700: 4e-5},
        ),
        (
            "swinl_800ep",
            "swin_large",
            "12",
            800,
            {0: 2e-6, 10: 4e-4, 699.9: 4e-4, 700: 4e-5},
        ),
    ],
)
def test_swin_recipes_are_those_of_the_reference(
    name, backbone, window_size, epochs, rates
):
    parse(f"--flagfile={ROOT}/experiments/flags/{name}.flags")
    wanted = {
        "name": f"simmim_{name}",
        "image_size": ["192"],
        "crop_scale": ["0.67", "1"],
        "crop_ratio": ["0.75", "1.3333333333333333"],
        "horizontal_flip": True,
        "backbone": backbone,
        "patch_size": 4,
        "window_size": [window_size],
        "drop_path_rate": 0.0,
        "mask_patch_size": 32,
        "mask_ratio": 0.6,
        "target": "pixels",
        "reconstruction_loss": "l1",
        "global_batch_size": 2048,
        "optimizer": "adamw",
        "beta_1": 0.9,
        "beta_2": 0.999,
        "weight_decay": 0.05,
        "weight_decay_grouping": "reference",
        "clip_global_norm": 5.0,
        "train_epochs": epochs,
    }
    assert {name: FLAGS[name].value for name in wanted} == wanted
    schedule = optimization_flags.create_schedule(1281167)
    for epoch, rate in rates.items():
        assert float(schedule(epoch * 625)) == pytest.approx(rate, rel=1e-5)


@pytest.mark.parametrize("folder", [ROOT, ROOT / "experiments", ROOT / "tests"])
@pytest.mark.parametrize(
    "words", [["--flagfile=vitb.flags"], ["--flagfile", "vitb.flags"]]
)
def test_a_flagfile_is_found_from_anywhere(folder, words, monkeypatch):
    monkeypatch.chdir(folder)
    resolved = command_line.resolve(["program", *words, "--seed=3"])
    parse(*resolved[1:])
    assert FLAGS.name == "simmim_vitb"
    assert FLAGS.seed == 3


def test_a_flagfile_in_the_working_directory_comes_first(tmp_path, monkeypatch):
    (tmp_path / "vitb.flags").write_text("--name=mine\n--dataset=folder:x\n")
    monkeypatch.chdir(tmp_path)
    parse(*command_line.resolve(["program", "--flagfile=vitb.flags"])[1:])
    assert FLAGS.name == "mine"


def test_settings_are_a_flagfile_with_the_same_values(tmp_path):
    parse(
        f"--flagfile={ROOT}/experiments/flags/vit_tiny_cifar.flags",
        "--seed=5",
        "--nohorizontal_flip",
        "--crop_scale=0.5,0.9",
    )
    before = {flag.name: flag.value for flag in command_line.own_flags()}
    path = tmp_path / "flags.txt"
    path.write_text(run_settings.as_flagfile(run_settings.current()))
    parse(f"--flagfile={path}")
    after = {flag.name: flag.value for flag in command_line.own_flags()}
    assert after == before
    assert "seed" in before and "showprefixforinfo" not in before


def _write_with_tensorflow(path):
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(b"record")


@pytest.mark.parametrize(
    ("fail", "message"),
    [
        (lambda _: pathlib.Path("/dev/full").write_text("x"), FULL.format("")),
        (
            lambda _: _write_with_tensorflow("/dev/full"),
            FULL.format("/dev/full; "),
        ),
        (
            lambda folder: (folder / "none" / "x").write_text("x"),
            "Error: FOLDER/none/x: No such file or directory.",
        ),
        (
            lambda folder: (folder / "file" / "x").mkdir(),
            "Error: FOLDER/file/x: Not a directory.",
        ),
        (
            lambda folder: _write_with_tensorflow(folder / "none" / "x"),
            "Error: FOLDER/none/x; No such file or directory.",
        ),
        (
            lambda _: tf.debugging.assert_equal(1, tf.constant(2), "Not one"),
            "Error: Not one.",
        ),
    ],
)
def test_what_cannot_be_written_or_read_is_one_sentence(
    fail, message, tmp_path
):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as caught, command_line.plain_errors():
        fail(tmp_path)
    said = str(caught.value)
    assert said == message.replace("FOLDER", str(tmp_path))


def test_leftover_words_are_refused(tmp_path):
    # An indented comment of a flagfile is a word, not a comment.
    path = tmp_path / "bad.flags"
    path.write_text("--dataset=builtin:digits\n  # oops\n")
    with pytest.raises(SystemExit, match="Every argument must be a flag"):
        command_line.refuse_leftovers(parse(f"--flagfile={path}"))


def test_letters_that_tensorflow_would_take_for_others_are_named(tmp_path):
    file = tmp_path / "a.flags"
    file.write_text("--seed=1\n--workdir=runs/größe\n", encoding="utf-8")
    outer = tmp_path / "b.flags"
    outer.write_text(f"--flagfile={file}\n")
    for arguments in (
        ["--workdir=runs/größe"],
        [f"--flagfile={file}"],
        ["--flagfile", str(file)],
        [f"--flagfile={outer}"],
    ):
        refuse_where_the_locale_is_not_utf_8(["program", *arguments])


def refuse_where_the_locale_is_not_utf_8(argv):
    command_line.require_utf_8(argv)
    for encoding in ("ascii", "iso8859-1"):
        with mock.patch.object(
            sys, "getfilesystemencoding", return_value=encoding
        ):
            command_line.require_utf_8(argv[:1])
            with pytest.raises(SystemExit) as error:
                command_line.require_utf_8(argv)
        assert f"--workdir=runs/größe, and the encoding {encoding}" in str(
            error.value
        )
