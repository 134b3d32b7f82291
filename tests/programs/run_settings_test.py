"""Tests for programs/run_settings.py."""

import json
import pathlib
from unittest import mock

import pytest
from absl import flags

from tests.run import records
from tf_simmim import data
from tf_simmim import run
from tf_simmim.programs import finetune  # noqa: F401  (defines its flags)
from tf_simmim.programs import pretrain  # noqa: F401  (defines the other flags)
from tf_simmim.programs import run_settings

FLAGS = flags.FLAGS
RUNS = pathlib.Path(__file__).parents[1] / "golden" / "runs" / "0.1.0"


def parse(*arguments):
    FLAGS.unparse_flags()
    FLAGS(["program", "--dataset=builtin:digits", *arguments])
    return run_settings.current()


def through_json(settings):
    return json.loads(json.dumps(settings, allow_nan=False))


def test_settings_are_typed_values_and_come_back_the_same():
    given = ("--nohorizontal_flip", "--crop_scale=0.50,1", "--seed=-3")
    settings = parse(*given, "--mask_ratio=.5")
    wanted = {
        "horizontal_flip": False,
        "crop_scale": ["0.50", 1],  # which is not how Python writes it
        "seed": -3,
        "mask_ratio": 0.5,
        "image_size": [224],
        "milestone_epochs": [],
        "pretrained": "",
        "dataset": "builtin:digits",
    }
    assert {name: settings[name] for name in wanted} == wanted
    assert "depth" not in settings  # it has no value
    run.RunRecord(
        "x", records.record().model, records.record().input, settings=settings
    )
    settings = through_json(settings)
    run_settings.require_same(settings, set())
    for name in settings:
        value = run_settings.value_before(settings, name)
        assert value == FLAGS[name].value, name
    assert run_settings.value_before({}, "mask_ratio") == 0.6


def test_only_settings_of_where_how_long_and_how_often_may_change():
    first = ["--seed=1", "--train_epochs=20"]
    before = parse(*first)
    free = {"train_epochs", "workdir"}
    parse(*first, "--train_epochs=30", "--workdir=elsewhere")
    run_settings.require_same(before, free)
    parse("--seed=2", "--nohorizontal_flip", "--embed_dim=24")
    with pytest.raises(ValueError, match="name another --workdir") as error:
        run_settings.require_same(before, free)
    assert str(error.value).endswith(
        "Then: --horizontal_flip --seed=1. "
        "Received: --embed_dim=24 --nohorizontal_flip --seed=2."
    )
    with pytest.raises(ValueError, match="Then: --more=1. Received: .default"):
        parse(*first)
        run_settings.require_same({**before, "more": 1}, free)


def test_letters_of_a_number_make_no_difference():
    before = parse("--crop_scale=0.50,1", "--mask_ratio=0.60")
    parse("--crop_scale=0.5,1.0", "--mask_ratio=.6")
    run_settings.require_same(before, set())
    parse("--crop_scale=0.51,1.0")
    with pytest.raises(ValueError, match="Received: --crop_scale=0.51,1.0"):
        run_settings.require_same(before, set())


@pytest.mark.parametrize(
    "one, other, same",
    [
        ("1_0", "10", False),
        ("\u0661", "1", False),
        ("nan", "nan", True),
        (float("nan"), "nan", True),
        ("infinity", "inf", False),
        ("1e400", "1e400", True),
        ("1.50", 1.5, True),
        ("+.5e1", 5, True),
        ([" 1", "2."], [1, 2], False),
        (["1", "2."], [1, 2], True),
    ],
)
def test_texts_are_compared_as_numbers_only_where_they_are(one, other, same):
    compared = [run_settings._comparable(value) for value in (one, other)]
    assert (compared[0] == compared[1]) == same


@pytest.mark.parametrize("uses_labels", [True, False])
def test_classes_are_recorded_where_labels_are_used(uses_labels):
    backbone = mock.Mock(image_size=(8, 12), channels=1)
    model = mock.Mock(backbone=backbone)
    source = mock.MagicMock(name="source", class_names=("a", "b"))
    source.name, source.digest.return_value = "folder:pets", "1"
    task = mock.Mock(uses_labels=uses_labels, run_kind="any")
    context = mock.Mock(source=source, decided={}, seed=1)
    context.normalization = mock.Mock(mean=(0.5,), std=(0.5,))
    task.evaluation_crop.return_value = data.ResizeAndCentreCrop((8, 12))
    parse()
    with mock.patch.object(run.ModelRecord, "of") as of:
        of.return_value = run.ModelRecord("simmim", {})
        record = run_settings.record_of(task, context, model)
    assert record.data.class_names == (("a", "b") if uses_labels else None)


def test_a_flag_newer_than_the_run_is_refused_only_off_its_default():
    before = parse()
    del before["mask_strategy"]
    run_settings.require_same(before, set())
    parse("--mask_strategy=grid")
    with pytest.raises(ValueError, match="Received: --mask_strategy=grid"):
        run_settings.require_same(before, set())


def test_a_setting_of_a_stranger_is_no_other_than_it_says():
    before = parse()
    for strange in ("many", [1, 2], True):
        with pytest.raises(ValueError, match="Then: --.*mask_patch_size"):
            run_settings.require_same(
                {**before, "mask_patch_size": strange}, set()
            )


@pytest.mark.parametrize("words", [["--workdir=RUN"], ["--workdir", "RUN"]])
def test_settings_of_a_run_come_first(words, tmp_path):
    settings = {
        "seed": 4,
        "horizontal_flip": False,
        "crop_scale": [0.5, 1],
        "milestone_epochs": [],
        "name": "a --profile_file=x",
        "profile_file": "x",
        "flagfile": "/etc/passwd",
    }
    run.write_record(tmp_path, records.record(settings=settings))
    words = [word.replace("RUN", str(tmp_path)) for word in words]
    names = {"seed", "horizontal_flip", "crop_scale", "milestone_epochs"}
    names |= {"name"}
    argv = ["program", *words, "--seed=5"]
    got = run_settings.with_settings(argv, "workdir", names)
    assert got == [
        "program",
        "--seed=4",
        "--horizontal_flip=False",
        "--crop_scale=0.5,1",
        "--milestone_epochs=",
        "--name=a --profile_file=x",
        *argv[1:],
    ]
    parse(*got[1:])
    assert (FLAGS.seed, FLAGS.horizontal_flip) == (5, False)
    assert (FLAGS.crop_scale, FLAGS.milestone_epochs) == (["0.5", "1"], [])
    assert run_settings.with_settings(argv, "run", names) is argv


def test_settings_of_a_run_of_0_1_0_come_first_too():
    argv = ["program", f"--run={RUNS / 'segment'}"]
    got = run_settings.with_settings(argv, "run", {"image_size", "data_dir"})
    assert got == ["program", "--image_size=64", argv[1]]


def test_what_is_no_run_ends_the_program(tmp_path):
    argv = ["program", f"--run={tmp_path}"]
    with pytest.raises(SystemExit, match="--run must be the folder of a run"):
        run_settings.with_settings(argv, "run", set())
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(SystemExit, match="Error: .*run.json that tf_simmim"):
        run_settings.with_settings(argv, "run", set())
