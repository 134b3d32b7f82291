"""Tests for programs/flags/curriculum_flags.py."""

import types

import pytest
from absl import flags

from tf_simmim import training
from tf_simmim.programs import earlier_run
from tf_simmim.programs import pretraining_phases
from tf_simmim.programs.flags import curriculum_flags

FLAGS = flags.FLAGS
# 100 images in batches of 10: 10 steps an epoch, 40 in all.
BASE = (
    "--dataset=builtin:digits",
    "--global_batch_size=10",
    "--train_epochs=4",
    "--warmup_epochs=1",
    "--backbone=vit_nano",
    "--embed_dim=12",
    "--depth=1",
    "--image_size=64,32",
    "--mask_patch_size=8",
    "--mask_ratio=0.4",
)


def parse(*arguments):
    FLAGS.unparse_flags()
    FLAGS(["program", *BASE, *arguments])


def phases(*arguments):
    parse(*arguments)
    return curriculum_flags.create_phases(num_images=100)


def test_without_schedules_there_is_one_phase_of_the_plain_flags():
    assert phases() == (training.Phase(0, (64, 32), 0.4, 8),)


def test_a_schedule_of_one_value_is_that_flag():
    one = phases(
        "--image_size_schedule=64x32@0,64x32@2",
        "--mask_ratio_schedule=0.4@0",
        "--mask_patch_size_schedule=8@0,8@1",
    )
    assert one == phases()


def test_schedules_hold_from_their_epochs_on():
    got = phases(
        "--image_size_schedule=32@0,48x64@1.5",
        "--mask_ratio_schedule=.5@0,0.6@1.5,0.7@2.",
        "--mask_patch_size_schedule=16@0",
    )
    assert got == (
        training.Phase(0, (32, 32), 0.5, 16),
        training.Phase(15, (48, 64), 0.6, 16),
        training.Phase(20, (48, 64), 0.7, 16),
    )
    words = "48x64 px with a mask ratio of 0.7 and mask patches of 16 px"
    assert str(got[2]) == f"{words}, from step 20 on"


@pytest.mark.parametrize(
    "schedule",
    [
        *("", "32", "32@1", "32@0,48", "48@0,32@0", "32@0,48@2,64@1"),
        *("32@-0", "32@0,48@nan", "32@0,48@1e1", "0@0", "-32@0", "32.5@0"),
        *("32x@0", "32x32x32@0", "32@0,,48@1", "32@0 48@1", "٣٢@0"),
    ],
)
def test_what_is_no_schedule_is_refused(schedule):
    with pytest.raises(flags.Error, match="VALUE@EPOCH"):
        parse(f"--image_size_schedule={schedule}")


@pytest.mark.parametrize("ratio", ["1", "1.5", "-0.5", "half", "0.5x0.6"])
def test_what_is_no_ratio_is_refused(ratio):
    with pytest.raises(flags.Error, match="VALUE@EPOCH"):
        parse(f"--mask_ratio_schedule={ratio}@0")


@pytest.mark.parametrize(
    "schedule, received",
    [("32@0,48@0.04", "48@0.04"), ("32@0,48@4", "48@4"), ("8@0,9@9", "9@9")],
)
def test_a_value_that_holds_for_no_step_is_refused(schedule, received):
    with pytest.raises(
        ValueError, match=f"an epoch has 10 steps.*Received: {received}"
    ):
        phases(f"--image_size_schedule={schedule}")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            ["--image_size_schedule=32@0,36@1"],
            "Phase 2 of 2, 36x36 px with a mask ratio of 0.4 and mask patches "
            "of 8 px, from step 10 on, must .* 32x32 or 40x40",
        ),
        (
            ["--mask_patch_size_schedule=16@0,8@1,10@2"],
            "Phase 3 of 3.*from step 20 on.*multiple of `mask_patch_size`",
        ),
        (
            ["--mask_ratio_schedule=0.999@0,0.5@1"],
            "Phase 1 of 2.*hides all 32 mask patches",
        ),
        (
            [
                *("--backbone=swin_tiny", "--depths=1,1", "--num_heads=2,3"),
                *("--mask_patch_size=4", "--window_size=4"),
                "--image_size_schedule=32@0,36@2",
            ],
            "Phase 2 of 2.*`image_size` must be a multiple",
        ),
    ],
)
def test_impossible_phases_are_refused_by_name(arguments, message):
    chosen = BASE if "swin" not in arguments[0] else BASE[:5]
    FLAGS.unparse_flags()
    if chosen is not BASE:
        for name in ("depth", "image_size"):
            FLAGS[name].unparse()
    FLAGS(["program", *chosen, *arguments])
    curriculum = curriculum_flags.create_phases(num_images=100)
    with pytest.raises(ValueError, match=message):
        pretraining_phases.require_possible(curriculum, channels=1, seed=0)


def test_windows_of_a_swin_follow_the_image_unless_they_are_given():
    for arguments, windows in (
        ([], [(12, 12), (16, 16)]),
        (["--window_size=4"], [(4, 4), (4, 4)]),
    ):
        FLAGS.unparse_flags()
        FLAGS["depth"].unparse()
        FLAGS(
            [
                *("program", *BASE[:4], "--backbone=swin_tiny"),
                *("--embed_dim=6", "--depths=1,1", "--num_heads=2,3"),
                "--image_size_schedule=96@0,128@1",
                *arguments,
            ]
        )
        curriculum = curriculum_flags.create_phases(num_images=100)
        pretraining_phases.require_possible(curriculum, channels=1, seed=0)
        got = [
            pretraining_phases.create_simmim(phase, 1, 0).backbone.window_size
            for phase in curriculum
        ]
        assert got == windows


def store(metadata):
    return types.SimpleNamespace(newest_valid=lambda: {"metadata": metadata})


def trained_phase(phases, store):
    context = types.SimpleNamespace(phases=phases, store=store)
    return earlier_run._trained_phase(context)


def test_a_checkpoint_knows_its_phase():
    curriculum = phases("--image_size_schedule=32@0,48@1")
    found = {"phase": pretraining_phases.describe(curriculum, 1)}
    assert trained_phase(curriculum, store(found)) == 1
    # Without schedules nothing is read.
    assert trained_phase(curriculum[:1], None) == 0
    found["phase"]["number"] = 2
    with pytest.raises(ValueError, match="a checkpoint of phase 3"):
        trained_phase(curriculum, store(found))
