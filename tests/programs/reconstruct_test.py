"""Tests for programs/reconstruct.py."""

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver
from PIL import Image

from tests.programs import picture_run
from tf_simmim import backbones
from tf_simmim import data
from tf_simmim import evaluation
from tf_simmim import masking
from tf_simmim import models
from tf_simmim import randomness
from tf_simmim.programs import reconstruct

FLAGS = flags.FLAGS
GAP = 4


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run"
    return path, picture_run.create(path)


@pytest.fixture(autouse=True)
def saved_flags():
    with flagsaver.flagsaver():
        yield


def draw(run, output, *arguments):
    FLAGS.unparse_flags()
    required = ["--dataset=builtin:digits"] if "dataset" in FLAGS else []
    words = FLAGS(
        ["program", *required, f"--run={run}", f"--output={output}", *arguments]
    )
    return reconstruct.draw(words[1:])


def test_a_row_for_each_image_with_its_numbers(run, tmp_path, capsys):
    path, model = run
    files = picture_run.write_images(tmp_path)
    output = tmp_path / "out.png"
    assert draw(path, output, "--mask_seed=5", *files) == []
    printed = capsys.readouterr().out
    assert "Hidden: 3 of 6 squares of 8 px" in printed
    assert f"Picture: {output}" in printed
    assert "Shown" not in printed and "flatters" not in printed

    normalization = data.Normalization()
    pixels = np.stack([np.asarray(Image.open(file)) for file in files])
    mask = masking.create("random", model.backbone.image_size, 8, 8, 0.5)
    masks = np.stack(
        [
            mask.sample(randomness.seed_for(5, randomness.MASK, i))
            for i in range(3)
        ]
    )
    images = normalization.normalize(pixels)
    guess = model.reconstruct(images, masks)["reconstruction"]
    errors = evaluation.reconstruction_errors(
        images, masks, guess, normalization
    )
    lines = printed.splitlines()
    for i in range(3):
        assert lines[2 * i] == (
            f"{i}.png: masked L1 {errors['masked_l1'][i]:.4f}, "
            f"PSNR {errors['psnr'][i]:.2f} dB, SSIM {errors['ssim'][i]:.3f}"
        )
        assert lines[2 * i + 1].startswith("smooth fill: masked L1 0.")
    with Image.open(output) as picture:
        table = np.asarray(picture)
    assert table.shape[1] == GAP + 5 * (picture_run.W * 8 + GAP)
    first = table[:, GAP : GAP + picture_run.W * 8]
    top = next(y for y in range(99) if (first[y, :8] == pixels[0, 0, 0]).all())
    shown = first[top : top + 8 * picture_run.H : 8, ::8]
    np.testing.assert_array_equal(shown, pixels[0])


def test_the_seed_and_the_flags_of_masks_change_the_mask(run, tmp_path, capsys):
    files = picture_run.write_images(tmp_path, 1)
    pictures = []
    for arguments, hidden in (
        ([], "3 of 6 squares of 8 px"),
        (["--mask_seed=1"], "3 of 6 squares of 8 px"),
        (["--mask_ratio=0.8"], "5 of 6 squares of 8 px"),
        (["--mask_strategy=grid"], "3 of 6 squares of 8 px"),
    ):
        assert draw(run[0], tmp_path / "out.png", *arguments, *files) == []
        assert f"Hidden: {hidden}" in capsys.readouterr().out
        pictures.append((tmp_path / "out.png").read_bytes())
    assert len(set(pictures)) == 4


def test_many_channels_and_a_normalised_target_are_said(tmp_path, capsys):
    picture_run.create(tmp_path / "run", 5, target="patch_normalized")
    pixels = np.random.default_rng(0).integers(
        0, 256, [30, 40, 5], dtype=np.uint8
    )
    np.save(tmp_path / "a.npy", pixels)
    output = tmp_path / "out.png"
    assert draw(tmp_path / "run", output, str(tmp_path / "a.npy")) == []
    printed = capsys.readouterr().out
    assert "Shown: channels 1, 2 and 3 of 5" in printed
    assert "flatters" in printed
    assert output.is_file()


def test_a_grey_model_reads_a_colour_image(tmp_path, capsys):
    picture_run.create(tmp_path / "run", 1)
    files = picture_run.write_images(tmp_path, 2, size=(50, 40))
    assert draw(tmp_path / "run", tmp_path / "out.png", *files) == []
    assert "1.png: masked L1" in capsys.readouterr().out


def test_past_a_damaged_image_the_others_are_drawn(run, tmp_path, capsys):
    files = picture_run.write_images(tmp_path, 2)
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n but no more")
    output = tmp_path / "out.png"
    (failure,) = draw(run[0], output, files[0], str(bad), files[1])
    assert str(bad) in failure
    printed = capsys.readouterr().out
    assert "0.png" in printed and "1.png" in printed
    assert output.is_file()
    output.unlink()
    assert draw(run[0], output, str(bad)) == [failure]
    assert not output.exists()


def test_a_run_that_fine_tunes_has_nothing_to_reconstruct(tmp_path):
    backbone = backbones.ViT(
        (picture_run.H, picture_run.W), 8, embed_dim=6, depth=1, num_heads=3
    )
    picture_run.save(models.Classifier(backbone, 2), tmp_path / "run")
    files = picture_run.write_images(tmp_path, 1)
    with pytest.raises(SystemExit, match="must be a run of pretrain.py"):
        draw(tmp_path / "run", tmp_path / "out.png", *files)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "one or more image files"),
        (["."], "IMAGE must be a file"),
        (["a.png", "--mask_patch_size=5"], "multiple of `patch_size`"),
        (["a.png", "--mask_ratio=0.99"], "hides all 6"),
        (["a.png", "--output=no/such/a.png"], "folder that exists"),
        (["a.png", "--run=no/such"], "folder of a run"),
    ],
)
def test_what_cannot_be_drawn_ends_in_a_sentence(
    run, tmp_path, arguments, message
):
    with pytest.raises(SystemExit, match=f"^Error: .*{message}"):
        draw(run[0], tmp_path / "out.png", *arguments)
