"""feature_pictures.py as a user runs it."""

import pytest

from tests.integration import programs
from tests.programs import picture_run


@pytest.mark.slow
def test_pictures_are_written_and_named(tmp_path):
    picture_run.create(tmp_path / "run")
    folder = tmp_path / "images"
    folder.mkdir()
    paths = picture_run.write_images(folder, 4)
    result = programs.run(
        "feature_pictures.py",
        "--kind=pca,attention,neighbours",
        *paths[:2],
        f"--folder={folder}",
        "--output_dir=out",
        "--run=run",
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    for kind in ("pca", "attention", "neighbours"):
        assert f"Picture: out/{kind}.png" in result.stdout
        assert (tmp_path / "out" / f"{kind}.png").is_file()
