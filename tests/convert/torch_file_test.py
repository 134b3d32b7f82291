"""Tests for tf_simmim.convert.torch_file and torch_reader.

Those that need PyTorch are skipped where it is not installed.
"""

import importlib.util
import os
import pathlib
import pickle
import subprocess
import sys
import types
import zipfile

import numpy as np
import pytest

from tf_simmim import convert
from tf_simmim.convert import torch_file
from tf_simmim.convert import torch_reader

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None,
    reason="PyTorch is not installed (extra `torch`)",
)
READER = pathlib.Path(torch_reader.__file__)


class _Touch:
    """Makes the file `marker` while it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files of PyTorch, good and bad; made without importing it here."""
    folder = tmp_path_factory.mktemp("torch")
    subprocess.run(
        [sys.executable, "-c", _MAKE_FILES, str(folder)],
        check=True,
        timeout=300,
    )
    return folder


_MAKE_FILES = """
import argparse, os, pathlib, sys, types
import torch

folder = pathlib.Path(sys.argv[1])
# As yacs has it, which SimMIM's checkpoints keep their settings in.
for name in ("yacs", "yacs.config"):
    sys.modules[name] = types.ModuleType(name)
class CfgNode(dict):
    pass
CfgNode.__module__ = "yacs.config"
sys.modules["yacs.config"].CfgNode = CfgNode
config = CfgNode(DATA=CfgNode(IMG_SIZE=192, SCALE=[0.67, 1.0]))
config.__dict__["__immutable__"] = True
weights = {
    "t": torch.arange(6.0).reshape(2, 3).T,
    "bf": torch.tensor([1.0, -2.0], dtype=torch.bfloat16),
    "index": torch.arange(4),
}
weights["shared"] = weights["t"]
def save(name, content):
    torch.save(content, folder / f"{name}.pth")
save("plain", weights)
save("simmim", {
    "model": weights, "epoch": 3, "config": config,
    "optimizer": {"state": {0: {"step": 4}}}, "max_accuracy": 0.0,
    "args": argparse.Namespace(lr=0.1),  # as MAE has it
})
save("others", {"state_dict": {**weights, "note": "text", 5: weights["t"]}})
save("ema", {"model": {}, "ema": {"w": torch.ones(2)}})
save("no tensors", {"epoch": 3})
save("list", [torch.ones(2)])
save("huge", {"w": torch.ones(1).expand(1 << 44)})
save("sparse", {"w": torch.ones(3).to_sparse()})
save("nan", {"w": torch.tensor([float("nan")])})
"""


@needs_torch
def test_tensors_are_read_bit_for_bit(folder):
    weights, others = convert.read_torch(folder / "plain.pth")
    assert others == {}
    assert weights.keys() == {"t", "bf", "index", "shared"}
    want = np.arange(6, dtype=np.float32).reshape(2, 3).T
    for name in ("t", "shared"):
        assert weights[name].dtype == np.float32
        np.testing.assert_array_equal(weights[name], want)
    np.testing.assert_array_equal(weights["bf"], np.float32([1, -2]))
    np.testing.assert_array_equal(weights["index"], [0, 1, 2, 3])


@needs_torch
def test_a_checkpoint_of_simmim_has_its_weights_beside_other_things(folder):
    weights, others = convert.read_torch(folder / "simmim.pth")
    assert weights.keys() == {"t", "bf", "index", "shared"}
    assert others == {
        "args": "OrderedDict beside model",
        "config": "OrderedDict beside model",
        "epoch": "int beside model",
        "max_accuracy": "float beside model",
        "optimizer": "dict beside model",
    }


@needs_torch
def test_what_is_no_tensor_is_listed(folder):
    weights, others = convert.read_torch(folder / "others.pth")
    assert weights.keys() == {"t", "bf", "index", "shared"}
    assert others == {"note": "str, no tensor", "5": "Tensor, no tensor"}


@needs_torch
def test_another_entry_can_be_named(folder):
    weights, others = convert.read_torch(folder / "ema.pth", "ema")
    np.testing.assert_array_equal(weights["w"], [1, 1])
    assert others == {"model": "dict beside ema"}


@needs_torch
@pytest.mark.parametrize(
    "name, entry, reason",
    [
        ("ema", "", "no tensors at its top; its entries are"),
        ("ema", "best", "no dictionary of tensors as best"),
        ("no tensors", "", r"its entries are \['epoch'\]"),
        ("list", "", "no dictionary of tensors"),
        ("huge", "", "its tensors would have 70368744177664 bytes"),
        ("sparse", "", r"no ordinary tensors: \['w'\]"),
        ("nan", "", r"numbers that are not finite are in \['w'\]"),
    ],
)
def test_files_without_ordinary_weights_are_refused(
    folder, name, entry, reason
):
    with pytest.raises(ValueError, match=reason):
        convert.read_torch(folder / f"{name}.pth", entry)


@needs_torch
def test_code_in_a_file_does_not_run(tmp_path):
    """A bare pickle, and one in the zip file that PyTorch writes."""
    marker = tmp_path / "marker"
    pickled = pickle.dumps({"model": _Touch(marker)}, protocol=2)
    (tmp_path / "bare.pth").write_bytes(pickled)
    with zipfile.ZipFile(tmp_path / "zip.pth", "w") as archive:
        archive.writestr("zip/data.pkl", pickled)
        archive.writestr("zip/version", "3\n")
    for name in ("bare.pth", "zip.pth"):
        with pytest.raises(ValueError) as caught:
            convert.read_torch(tmp_path / name)
        message = str(caught.value)
        assert "nothing but weights" in message
        assert "Unsupported global: GLOBAL io.open" in message
        # PyTorch's own advice is to load it without protection.
        assert "weights_only" not in message
        assert "\n" not in message
        assert not marker.exists()
        pickle.loads(pickled)["model"].close()  # it is alive
        assert marker.exists()
        marker.unlink()


@needs_torch
def test_a_damaged_file_is_refused(folder, tmp_path):
    path = tmp_path / "cut.pth"
    path.write_bytes((folder / "simmim.pth").read_bytes()[:-400])
    with pytest.raises(ValueError, match="failed reading zip archive"):
        convert.read_torch(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="nothing but weights.*EOFError"):
        convert.read_torch(path)


@needs_torch
def test_memory_is_limited(folder, monkeypatch):
    monkeypatch.setattr(torch_file, "_BASE_MEMORY_BYTES", 1 << 28)
    with pytest.raises(ValueError, match="nothing but weights"):
        convert.read_torch(folder / "plain.pth")


@needs_torch
def test_nothing_is_left_behind(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(torch_file.tempfile, "tempdir", str(tmp_path))
    convert.read_torch(folder / "plain.pth")
    with pytest.raises(ValueError):
        convert.read_torch(folder / "list.pth")
    assert list(tmp_path.iterdir()) == []


def test_without_pytorch_it_says_what_to_do(tmp_path, monkeypatch):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"anything")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"install tf_simmim\[torch\]"):
        convert.read_torch(path)
    with pytest.raises(ValueError, match="there is no such file"):
        convert.read_torch(tmp_path / "nowhere.pth")


def run_with_fake_torch(folder, code):
    """Runs the reader with a module in the place of PyTorch.

    `-I` keeps it from the search path, as it should; so it is put there.
    """
    (folder / "torch.py").write_text(code)
    program = (
        f"import runpy, sys; sys.path.insert(0, {str(folder)!r}); "
        f"sys.argv = [0, {__file__!r}, 'out', '', '{1 << 33}']; "
        f"runpy.run_path({str(READER)!r}, run_name='__main__')"
    )
    return subprocess.run(
        [sys.executable, "-I", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("version", ["1.13.1", "2.5.1", "2.9.1+cpu"])
def test_a_pytorch_with_known_holes_is_refused(tmp_path, version):
    result = run_with_fake_torch(
        tmp_path,
        f"__version__ = {version!r}\n"
        "import sys, types\n"
        "sys.modules['safetensors.torch'] = types.SimpleNamespace("
        "save_file=None)\n",
    )
    assert result.returncode == 1
    assert "PyTorch must be 2.10 or newer" in result.stderr
    assert f"it is {version}" in result.stderr


def test_the_process_is_isolated_and_limited(tmp_path, monkeypatch):
    """Its command: no search path of ours, no environment, only weights."""
    calls = []

    def run(command, **options):
        calls.append((command, options))
        return types.SimpleNamespace(returncode=1, stderr="X: why\n")

    path = tmp_path / "weights.pth"
    path.write_bytes(bytes(100))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)
    monkeypatch.setattr(torch_file.subprocess, "run", run)
    with pytest.raises(ValueError, match=r"weights.pth; X: why\."):
        convert.read_torch(path)
    ((command, options),) = calls
    assert command[:3] == [sys.executable, "-I", str(READER)]
    assert int(command[-1]) == torch_file._BASE_MEMORY_BYTES + 600
    assert options["env"].keys() == {"PATH", "OMP_NUM_THREADS"}
    assert options["stdin"] == subprocess.DEVNULL
    assert options["timeout"] == 900
    assert os.path.basename(options["cwd"]).startswith("tmp")
    monkeypatch.setattr(
        torch_file.subprocess,
        "run",
        lambda *_, **__: types.SimpleNamespace(returncode=-9, stderr=""),
    )
    with pytest.raises(ValueError, match="PyTorch ended with code -9"):
        convert.read_torch(path)


def test_a_file_that_takes_too_long_is_given_up(tmp_path, monkeypatch):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)
    monkeypatch.setattr(torch_file, "_TIMEOUT_SECONDS", 0.01)
    with pytest.raises(ValueError, match="took more than 0.01 s"):
        convert.read_torch(path)


def test_the_reader_imports_neither_tensorflow_nor_pytorch_at_first():
    """It is a program: what it imports before its limits must be harmless."""
    code = (
        f"import runpy, sys; runpy.run_path({str(READER)!r}); "
        "print('tensorflow' in sys.modules, 'torch' in sys.modules, "
        "'tf_simmim' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-I", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert result.stdout.split() == ["False"] * 3
