"""Tests for programs/feature_pictures.py and feature_rows.py."""

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver
from PIL import Image

from tests.programs import picture_run
from tf_simmim import backbones
from tf_simmim import data
from tf_simmim import models
from tf_simmim import visualization
from tf_simmim.programs import feature_pictures
from tf_simmim.programs import feature_rows

FLAGS = flags.FLAGS
H, W, K = picture_run.H, picture_run.W, picture_run.K
NORMALIZATION = data.Normalization()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run"
    return path, picture_run.create(path).backbone


@pytest.fixture(autouse=True)
def saved_flags():
    with flagsaver.flagsaver():
        yield


def draw(run, output_dir, *arguments):
    FLAGS.unparse_flags()
    required = ["--dataset=builtin:digits"] if "dataset" in FLAGS else []
    flagged = [f"--run={run}", f"--output_dir={output_dir}"]
    words = FLAGS(["program", *required, *flagged, *arguments])
    return feature_pictures.draw(words[1:])


def request(backbone, paths, **kwargs):
    pixels = np.stack([np.asarray(Image.open(path)) for path in paths])
    return feature_rows.Request(
        **{
            "backbone": backbone,
            "normalization": NORMALIZATION,
            "paths": paths,
            "images": NORMALIZATION.normalize(pixels),
            "blocks": None,
            "query": "mean",
            "folder": None,
            "num_neighbours": 2,
            **kwargs,
        }
    )


def test_pca_has_a_column_for_each_block(run, tmp_path):
    paths = picture_run.write_images(tmp_path, 2)
    wanted = request(run[1], paths)
    (rows, headings, captions), failures = feature_rows.pca(wanted)
    assert failures == []
    assert headings == ["image", "block 0", "block 1", "block 2"]
    assert captions == ["0.png", "1.png"]
    for block, feature_map in enumerate(
        run[1].block_features(wanted.images, [0, 1, 2])
    ):
        colours = visualization.feature_colours(feature_map)
        for i in range(2):
            np.testing.assert_array_equal(rows[i][0], wanted.pictures[i])
            cells = colours[i].repeat(8, axis=0).repeat(8, axis=1)
            np.testing.assert_array_equal(rows[i][1 + block], cells)
    (_, headings, _), _ = feature_rows.pca(request(run[1], paths, blocks=[1]))
    assert headings == ["image", "block 1"]


def test_a_run_that_fine_tunes_has_features_to_show(tmp_path, capsys):
    backbone = backbones.ViT((H, W), 8, embed_dim=6, depth=1, num_heads=K)
    picture_run.save(models.Classifier(backbone, 2), tmp_path / "run")
    paths = picture_run.write_images(tmp_path, 2)
    assert draw(tmp_path / "run", tmp_path, *paths) == []
    assert "pca.png" in capsys.readouterr().out


def test_of_many_blocks_pca_shows_four(tmp_path):
    vit = backbones.ViT((H, W), 8, embed_dim=6, depth=12, num_heads=K)
    paths = picture_run.write_images(tmp_path, 2)
    (_, headings, _), _ = feature_rows.pca(request(vit, paths))
    assert headings[1:] == [f"block {i}" for i in (3, 6, 8, 11)]


def test_attention_has_a_row_for_each_image_and_block(run, tmp_path):
    wanted = request(
        run[1],
        picture_run.write_images(tmp_path, 2),
        blocks=[2, 0],
        query=(1, 2),
    )
    (rows, headings, captions), _ = feature_rows.attention(wanted)
    assert headings == ["image", "mean", "head 0", "head 1", "head 2"]
    assert captions == [
        f"{i}.png, block {block}" for block in (2, 0) for i in (0, 1)
    ]
    maps = visualization.attention_maps(run[1], wanted.images, 0, (1, 2))
    head = maps[1, 2].repeat(8, axis=0).repeat(8, axis=1)
    largest = max(head.max(), 4 / 6)  # of 6 patches
    want = visualization.heat_overlay(wanted.pictures[1], head, largest)
    np.testing.assert_array_equal(rows[3][-1], want)
    framed = (rows[3][0] != wanted.pictures[1]).any(axis=-1)
    want = np.zeros([H, W], bool)
    want[8:16, 16:24] = True
    want[9:15, 17:23] = False
    np.testing.assert_array_equal(framed, want)
    (_, _, captions), _ = feature_rows.attention(
        request(run[1], wanted.paths[:1])
    )
    assert captions == ["0.png, block 1"]  # at two thirds of the depth


def test_neighbours_of_an_image_in_the_folder_begin_with_itself(run, tmp_path):
    folder = tmp_path / "images" / "sub"
    folder.mkdir(parents=True)
    paths = picture_run.write_images(folder, 20)
    bad = folder / "bad.png"
    bad.write_text("no image")
    wanted = request(
        run[1], [paths[17], paths[3]], folder=str(tmp_path / "images")
    )
    (rows, headings, captions), failures = feature_rows.neighbours(wanted)
    assert headings == ["image", "1", "2"]
    (failure,) = failures
    assert str(bad) in failure
    for row, caption, name in zip(rows, captions, (17, 3), strict=True):
        assert caption[:2] == [f"{name}.png", f"{name}.png\n1.0000"]
        assert caption[2].endswith(tuple("0123456789"))
        np.testing.assert_array_equal(row[0], row[1])
        assert (row[2] != row[0]).any()


def test_program_writes_a_picture_of_each_kind(run, tmp_path, capsys):
    folder = tmp_path / "images"
    folder.mkdir()
    paths = picture_run.write_images(folder, 2)
    (folder / "bad.png").write_text("no image")
    out = tmp_path / "new" / "out"
    failures = draw(
        run[0],
        out,
        *paths,
        str(folder / "bad.png"),
        "--kind=pca,attention,neighbours",
        f"--folder={folder}",
        "--query=0,1",
        "--block=1",
        "--num_neighbours=9",
    )
    assert len(failures) == 2  # among those given, and in the folder
    assert sorted(file.name for file in out.iterdir()) == [
        "attention.png",
        "neighbours.png",
        "pca.png",
    ]
    printed = capsys.readouterr().out
    for kind, num_columns in (("pca", 2), ("attention", 2 + K)):
        assert f"Picture: {out / kind}.png" in printed
        with Image.open(out / f"{kind}.png") as picture:
            assert picture.width == 4 + num_columns * (8 * W + 4)
    with Image.open(out / "neighbours.png") as picture:
        assert picture.width == 4 + 3 * (8 * W + 4)  # of two good images


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "one or more image files"),
        (["."], "IMAGE must be a file"),
        (["a.png", "--kind=neighbours"], "--folder and --kind=neighbours"),
        (["a.png", "--folder=."], "go together"),
    ],
)
def test_what_cannot_be_drawn_ends_in_a_sentence(
    run, tmp_path, arguments, message
):
    with pytest.raises(SystemExit, match=f"^Error: .*{message}"):
        draw(run[0], tmp_path / "out", *arguments)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--block=9"], r"`blocks` must lie in \[0, 3\)"),
        (["--kind=attention", "--block=9"], r"`block` must lie in \[0, 3\)"),
        (["--kind=attention", "--query=5,5"], "`query` must be .row"),
    ],
)
def test_what_the_model_has_not_ends_in_a_sentence(
    run, tmp_path, arguments, message
):
    paths = picture_run.write_images(tmp_path, 1)
    with pytest.raises(SystemExit, match=f"^Error: .*{message}"):
        draw(run[0], tmp_path / "out", *paths, *arguments)


@pytest.mark.parametrize(
    "flag", ["--kind=", "--kind=tsne", "--block=-1", "--query=1", "--query=a,b"]
)
def test_flags_that_mean_nothing_are_refused(flag, tmp_path):
    with pytest.raises(flags.IllegalFlagValueError):
        draw("run", tmp_path, flag, "a.png")
