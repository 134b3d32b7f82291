"""Tests for tf_simmim.training.model_folder."""

import fcntl
import json
import os

import numpy as np
import pytest

from tf_simmim import backbones
from tf_simmim import models
from tf_simmim import training


def vit(**options):
    return backbones.ViT(
        (16, 32), 8, embed_dim=12, depth=1, num_heads=3, **options
    )


@pytest.mark.parametrize(
    "create",
    [
        lambda: models.SimMIM(vit(epsilon=1e-12), mask_patch_size=8),
        lambda: models.Classifier(vit(final_norm=False), 5),
    ],
    ids=["SimMIM", "Classifier"],
)
def test_a_model_is_found_again_by_load_pretrained(create, tmp_path):
    model, path = create(), tmp_path / "model"
    training.write_model_folder(
        path, model, {"a.json": {"b": [1]}, "flags.txt": "--c=2\n"}
    )
    loaded = training.load_pretrained(path)
    assert type(loaded) is type(model)
    got, want = (json.dumps(m.get_config()) for m in (loaded, model))
    assert got == want
    for got, want in zip(loaded.weights, model.weights, strict=True):
        assert got.name.partition("/")[2] == want.name.partition("/")[2]
        np.testing.assert_array_equal(got, want)
    assert json.loads((path / "a.json").read_text()) == {"b": [1]}
    assert (path / "flags.txt").read_text() == "--c=2\n"
    assert {file.name for file in path.iterdir()} == {
        "a.json",
        "checkpoints",
        "environment.json",
        "flags.txt",
        "model.json",
    }
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


def test_a_folder_that_exists_is_left_as_it_is(tmp_path):
    model = models.SimMIM(vit(), mask_patch_size=8)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for path in (tmp_path, tmp_path / "link"):
        with pytest.raises(ValueError, match="does not exist yet. Received"):
            training.write_model_folder(path, model)
    assert [file.name for file in tmp_path.iterdir()] == ["link"]


def test_what_processes_that_were_killed_have_left_is_removed(tmp_path):
    for name in (".model.1.tmp", ".model.2.tmp", ".model.json.3.tmp"):
        (tmp_path / name / "checkpoints").mkdir(parents=True)
    descriptor = os.open(tmp_path / ".model.2.tmp", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)  # Of one that still writes.
    training.write_model_folder(
        tmp_path / "model", models.SimMIM(vit(), mask_patch_size=8)
    )
    os.close(descriptor)
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == [".model.2.tmp", ".model.json.3.tmp", "model"]


def test_a_model_that_is_not_finite_leaves_nothing(tmp_path):
    model = models.SimMIM(vit(), mask_patch_size=8)
    model.backbone.norm.beta.assign(np.full([12], np.nan))
    with pytest.raises(FloatingPointError):
        training.write_model_folder(tmp_path / "model", model)
    assert not list(tmp_path.iterdir())


def test_a_place_where_nothing_can_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    model = models.SimMIM(vit(), mask_patch_size=8)
    with pytest.raises(ValueError, match="must be a folder"):
        training.write_model_folder(tmp_path / "file" / "model", model)
