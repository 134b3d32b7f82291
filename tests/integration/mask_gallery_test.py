"""mask_gallery.py as a user runs it."""

import numpy as np
import pytest
from PIL import Image

from tests.integration import programs


def test_writes_a_picture_of_modest_size_and_prints_a_table(tmp_path):
    result = programs.run("mask_gallery.py", "--num_masks=1", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    out = tmp_path / "mask_gallery.png"
    with Image.open(out) as picture:
        width, height = picture.size
    assert 5 * 144 < width < 1000
    assert 5 * 144 < height < 1000
    assert out.stat().st_size < 200_000

    lines = result.stdout.splitlines()
    assert lines[0] == f"mask_gallery.png: {width} x {height} px"
    table = [line.strip("|").split("|") for line in lines[2:]]
    assert table[0][2:] == [f" {n} % " for n in (20, 40, 50, 60, 70, 80)]
    assert len(table) == 2 + 11
    (default,) = [row for row in table if row[:2] == [" random ", " 32 px "]]
    assert 8 < float(default[5]) < 25


@pytest.mark.slow
def test_shows_the_middle_of_a_photograph_of_ones_own(tmp_path):
    pixels = np.zeros([20, 60, 3], np.uint8)
    pixels[:, 20:40] = (255, 0, 0)
    Image.fromarray(pixels).save(tmp_path / "mine.png")
    result = programs.run(
        "mask_gallery.py",
        "--image=mine.png",
        "--out=out.png",
        "--num_masks=1",
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    shown = np.asarray(Image.open(tmp_path / "out.png").convert("RGB"))
    is_red = (shown == (255, 0, 0)).all(axis=-1)
    is_black = (shown == (0, 0, 0)).all(axis=-1)
    # Of 25 cells, from a fifth to three fifths of each is visible.
    assert is_red.sum() > 0.25 * 25 * 144**2
    assert not is_black.any()


@pytest.mark.slow
def test_what_is_no_photograph_ends_in_a_sentence(tmp_path):
    result = programs.run("mask_gallery.py", "--image=a.png", cwd=tmp_path)
    assert result.returncode == 1
    assert "Error: --image must be a photograph. Received: a" in result.stderr
    assert "Traceback" not in result.stderr
