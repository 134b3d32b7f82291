"""Which images a run trains on, which it keeps to."""

import pytest

from tests.data.inspection import odd_files
from tests.integration import programs
from tf_simmim.training import manifests


@pytest.mark.slow
def test_a_run_from_before_the_rules_goes_on_with_its_images(
    tmp_path,
):
    # As a camera of 12 bits writes them.
    png = odd_files.png_16_bit(1)
    names = [f"{'ab'[n % 2]}/{n:02}.png" for n in range(24)]
    odd_files.write(tmp_path / "pets", dict.fromkeys(names, png))
    flags = [
        *programs.TINY,
        f"--dataset=folder:{tmp_path}/pets",
        *("--train_epochs=1", "--workdir=run"),
    ]

    def pretrain(*arguments):
        result = programs.run("pretrain.py", *flags, *arguments, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        return result.stderr

    # flags.txt of a run that began before there were rules to choose from.
    text = pretrain("--split_rules=1")
    assert "23 training images" in text and "Held out of" not in text
    assert "values from 2 to 2,237 of 65,535" in text
    file = tmp_path / "run/flags.txt"
    lines = file.read_text().splitlines(keepends=True)
    assert "--split_rules=1\n" in lines
    lines.remove("--split_rules=1\n")
    file.write_text("".join(lines))
    # It had no record, nor did its checkpoints know its settings.
    (tmp_path / "run/run.json").unlink()
    for folder in (tmp_path / "run/checkpoints").glob("step-*"):
        metadata = manifests.read(folder)["metadata"]
        del metadata["settings"]
        step = int(folder.name.removeprefix("step-"))
        manifests.write(folder, list(folder.glob("state.*")), step, metadata)

    text = pretrain("--train_epochs=2")
    assert "run began before --split_rules had numbers" in text
    assert "from step 1" in text and "23 training images" in text
    assert "is not what it was" not in text
    assert "--split_rules" not in file.read_text()
