"""reconstruct.py as a user runs it."""

from PIL import Image

from tests.integration import programs
from tests.programs import picture_run


def test_images_may_stand_before_flags_and_a_bad_one_is_named(tmp_path):
    picture_run.create(tmp_path / "run")
    good, *_ = picture_run.write_images(tmp_path, 1)
    (tmp_path / "bad.jpg").write_text("no image")
    result = programs.run(
        "reconstruct.py",
        "bad.jpg",
        "--run=run",
        good,
        "--output=out.png",
        "--mask_ratio=0.4",
        cwd=tmp_path,
    )
    assert result.returncode == 1
    assert "Error: images that could not be used:\n  " in result.stderr
    assert "bad.jpg" in result.stderr
    assert "Traceback" not in result.stderr
    assert "0.png: masked L1 0." in result.stdout
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.width > 5 * 128
