"""export.py and the verifier as a user runs them, each in its own process."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from tests.export import planted
from tests.export import tiny
from tests.integration import programs
from tests.integration import warm_interpreter
from tf_simmim import export
from tf_simmim import training
from tf_simmim.export import prediction_logs

# Runs a program where no file may grow beyond so many bytes.
LIMITED = """
import resource, runpy, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
sys.argv = sys.argv[2:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""
VERIFY = """
import runpy
runpy.run_module("tf_simmim.export.verify", run_name="__main__")
"""


def verify_anew(folder):
    """Runs the verifier as a user does, in a new interpreter."""
    return subprocess.run(
        [sys.executable, "-m", "tf_simmim.export.verify", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=programs.ROOT,
    )


def run_code(code, folder, *arguments):
    """Runs code in a fork of a warm interpreter; `folder` is for its file."""
    script = folder / "script.py"
    script.write_text(code)
    return warm_interpreter.run([script, *arguments], programs.ROOT, timeout=60)


def run(*arguments, **options):
    result = programs.run("export.py", *map(str, arguments), **options)
    assert "Traceback" not in result.stderr
    return result


@pytest.mark.parametrize(
    "fault, line",
    [
        pytest.param(None, "can be served."),
        pytest.param(planted.compiled, "FAIL no XLA: ", marks=pytest.mark.slow),
        pytest.param(
            planted.without_batch,
            "FAIL batch dimension: ",
            marks=pytest.mark.slow,
        ),
        pytest.param(planted.bfloat16, "FAIL types: ", marks=pytest.mark.slow),
        pytest.param(
            planted.writing("/tmp/written_by_an_export"),
            "FAIL operations: WriteFile",
            marks=pytest.mark.slow,
        ),
        pytest.param("corrupt", "FAIL warm-up file: ", marks=pytest.mark.slow),
    ],
)
def test_the_verifier_passes_what_is_good_and_names_each_fault(
    fault, line, tmp_path
):
    is_corrupt = fault == "corrupt"
    folder = planted.save(tmp_path / "1", None if is_corrupt else fault)
    if is_corrupt:
        file = prediction_logs.file_of(folder)
        content = file.read_bytes()
        file.write_bytes(content[:40] + b"XXXX" + content[44:])
        planted.write_manifest(folder)
    if fault is None:
        result = verify_anew(folder)
    else:
        result = run_code(VERIFY, tmp_path, folder)
    assert "Traceback" not in result.stderr
    assert line in result.stdout
    assert result.returncode == (0 if fault is None else 1)
    if fault is None:
        assert "ok   XLA is off: as in the server" in result.stdout
        assert "FAIL" not in result.stdout
    assert not os.path.exists("/tmp/written_by_an_export")


@pytest.mark.slow
def test_a_function_that_xla_must_compile_fails_as_in_the_server(tmp_path):
    """What the verifier refuses by its look does not run either."""
    folder = planted.save(tmp_path / "1", planted.compiled)
    code = """
import sys
import numpy as np
from tf_simmim import export
from tf_simmim.export import served_model
rows = {"pixels": np.ones([2, 3], np.float32)}
model = export.ServedModel(sys.argv[1])
model.run("serving_default", rows)
assert served_model.disable_xla()
model = export.ServedModel(sys.argv[1])
model.run("serving_default", rows)
"""
    result = run_code(code, tmp_path, folder)
    assert result.returncode != 0
    assert "XLA compilation disabled" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [[], ["--help"], ["a", "b"]])
def test_the_verifier_says_how_it_is_asked(arguments, tmp_path):
    result = run_code(VERIFY, tmp_path, *arguments)
    assert result.returncode == 2
    assert "python -m tf_simmim.export.verify runs/mine" in result.stderr


@pytest.mark.slow
def test_what_pretrain_leaves_is_exported_and_passes(tmp_path):
    workdir = tmp_path / "run"
    programs.pretrain(
        workdir,
        "--train_steps=3",
        "--depth=1",
        "--precision=bfloat16",
        "--jit_compile",
    )
    result = run(f"--run={workdir}", "--max_batch_size=2")
    assert result.returncode == 0, result.stderr
    folder = workdir / "export" / "1"
    assert f"MB, checked: {folder}" in result.stdout
    assert (
        "features: image_bytes string [B] -> features float32 [B, 24]\n"
        in result.stdout
    )
    assert "reconstruct_png: " in result.stdout
    told = json.loads((folder / "manifest.json").read_text())
    assert told["run"]["step"] == 3
    assert told["run"]["metrics"]["loss"] > 0
    mean, std = (told["input"][name][0] for name in ("mean", "std"))
    assert abs(mean - 0.309) < 1e-3 and abs(std - 0.349) < 1e-3
    model = training.load_pretrained(workdir)
    served = export.ServedModel(folder)
    pixels = np.float32(255 * np.eye(32)[np.newaxis, ..., np.newaxis])
    got = served.run("features_from_pixels", {"pixels": pixels})["features"]
    want = model.backbone((pixels / 255 - mean) / std).numpy().mean((1, 2))
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_a_fine_tuned_run_and_a_swin_are_exported(tmp_path):
    training.write_model_folder(tmp_path / "a", tiny.classifier())
    training.write_model_folder(tmp_path / "b", tiny.simmim(tiny.swin()))
    for name, signature, precision in (
        ("a", "classify", "float32"),
        ("b", "reconstruct_random", "bfloat16"),
    ):
        result = run(
            f"--run={tmp_path / name}",
            f"--export_dir={tmp_path / 'served' / name}",
            "--export_version=12",
            "--max_batch_size=2",
            f"--precision={precision}",
            *(["--tflite"] if precision == "float32" else []),
        )
        assert result.returncode == 0, result.stderr
        folder = tmp_path / "served" / name / "12"
        small = re.findall(r"TensorFlow Lite, (\w+): \d", result.stdout)
        assert len(small) == (3 if precision == "float32" else 0)
        assert f"{signature}: " in result.stdout
        told = json.loads((folder / "manifest.json").read_text())
        assert told["precision"] == precision
    assert [p.name for p in (tmp_path / "served").rglob(".*")] == []


@pytest.mark.slow
def test_what_cannot_be_exported_is_said_in_one_sentence(tmp_path):
    for arguments, message in (
        ([], "Error: Name the folder of a run: --run=runs/demo."),
        ([f"--run={tmp_path}"], "must be the folder of a run"),
        (["--run=a", "b"], "Every argument must be a flag"),
    ):
        result = run(*arguments)
        assert result.returncode == 1
        assert message in result.stderr


@pytest.mark.slow
def test_what_cannot_be_written_is_a_sentence_and_leaves_nothing(tmp_path):
    training.write_model_folder(tmp_path / "run", tiny.simmim())
    program = programs.ROOT / "experiments" / "export.py"
    result = run_code(
        LIMITED, tmp_path, 5000, program, f"--run={tmp_path}/run", "--noverify"
    )
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: the disk, or this user's share of it, is")
    assert f"{tmp_path}/run/export/" in last and "File too large" in last
    assert not list((tmp_path / "run" / "export").iterdir())
    (tmp_path / "file").write_text("")
    folder = f"--export_dir={tmp_path}/file/versions"
    result = run(f"--run={tmp_path}/run", folder)
    assert result.returncode == 1
    assert f"{tmp_path}/file/versions: Not a directory." in result.stderr
