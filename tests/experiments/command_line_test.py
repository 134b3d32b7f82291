"""Tests for experiments/command_line.py, and for every flagfile."""

import pathlib

import command_line
import pretrain  # noqa: F401  (defines all flags)
import pytest
from absl import flags
from absl.testing import flagsaver

ROOT = pathlib.Path(__file__).parents[2]
FLAGFILES = sorted((ROOT / "experiments" / "flags").glob("*.flags"))
FLAGS = flags.FLAGS


@pytest.fixture(autouse=True)
def restored_flags():
    with flagsaver.flagsaver():
        yield


def parse(*arguments):
    FLAGS.unparse_flags()
    return FLAGS(["program", *arguments])


@pytest.mark.parametrize("path", FLAGFILES, ids=lambda path: path.name)
def test_every_flagfile_parses_and_leaves_nothing_over(path):
    command_line.refuse_leftovers(parse(f"--flagfile={path}"))
    text = path.read_text()
    for part in ("# Source:", "# Run:", "# Cost:", "# Expect:"):
        assert part in text
    assert flags.FLAGS.name != "pretrain"


def test_there_are_the_promised_flagfiles():
    names = {path.stem for path in FLAGFILES}
    assert {"demo", "vitb", "vits", "vit_tiny_cifar"} <= names


def test_vitb_is_the_reference_recipe():
    parse(f"--flagfile={ROOT}/experiments/flags/vitb.flags")
    assert FLAGS.image_size == ["224"]
    assert FLAGS.backbone == "vit_base"
    assert (FLAGS.mask_patch_size, FLAGS.mask_ratio) == (32, 0.6)
    assert FLAGS.drop_path_rate == 0.1
    assert FLAGS.base_learning_rate * 2048 / 512 == pytest.approx(4e-4)
    assert FLAGS.warmup_learning_rate * 2048 / 512 == pytest.approx(2e-6)
    assert FLAGS.milestone_epochs == ["700"]
    assert (FLAGS.train_epochs, FLAGS.warmup_epochs) == (800, 10)
    assert (FLAGS.weight_decay, FLAGS.clip_global_norm) == (0.05, 5.0)


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


def test_resolved_text_is_a_flagfile_with_the_same_values(tmp_path):
    parse(
        f"--flagfile={ROOT}/experiments/flags/vit_tiny_cifar.flags",
        "--seed=5",
        "--nohorizontal_flip",
        "--crop_scale=0.5,0.9",
    )
    before = {flag.name: flag.value for flag in command_line.own_flags()}
    path = tmp_path / "flags.txt"
    path.write_text(command_line.resolved_text())
    parse(f"--flagfile={path}")
    after = {flag.name: flag.value for flag in command_line.own_flags()}
    assert after == before
    assert "seed" in before and "showprefixforinfo" not in before


def test_leftover_words_are_refused(tmp_path):
    # An indented comment of a flagfile is a word, not a comment.
    path = tmp_path / "bad.flags"
    path.write_text("--dataset=builtin:digits\n  # oops\n")
    with pytest.raises(SystemExit, match="Every argument must be a flag"):
        command_line.refuse_leftovers(parse(f"--flagfile={path}"))
