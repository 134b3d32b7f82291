"""Tests for tf_simmim.convert.weights_file."""

import json

import numpy as np
import pytest

from tf_simmim import convert
from tf_simmim.convert import weights_file

WEIGHTS = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3)}


def assert_read(file, path):
    assert file.path == path
    assert file.weights.keys() == WEIGHTS.keys()
    np.testing.assert_array_equal(
        file.weights["a.weight"], list(*WEIGHTS.values())
    )


def test_a_safetensors_file(tmp_path):
    path = tmp_path / "some.safetensors"
    convert.write_safetensors(path, WEIGHTS)
    file = convert.open_weights(path)
    assert_read(file, path)
    assert file.others == {}
    assert file.facts == convert.ModelFacts()


def test_a_folder_of_hugging_face(tmp_path):
    path = tmp_path / "model.safetensors"
    (tmp_path / "pytorch_model.bin").write_bytes(b"not read")
    convert.write_safetensors(path, WEIGHTS)
    config = {"model_type": "vit", "num_attention_heads": 3}
    (tmp_path / "config.json").write_text(json.dumps(config))
    for name in (tmp_path, path):
        file = convert.open_weights(name)
        assert_read(file, path)
        assert file.facts == convert.ModelFacts(num_heads=3)


@pytest.mark.parametrize("ending", [".pth", ".pt", ".bin"])
def test_a_file_of_pytorch_is_read_by_pytorch(tmp_path, monkeypatch, ending):
    def read_torch(path, entry):
        return WEIGHTS, {"optimizer": f"beside {entry} of {path.name}"}

    monkeypatch.setattr(weights_file.torch_file, "read_torch", read_torch)
    path = tmp_path / f"x{ending}"
    path.write_bytes(b"")
    file = convert.open_weights(path, "ema")
    assert_read(file, path)
    assert file.others == {"optimizer": f"beside ema of x{ending}"}


def test_what_cannot_be_opened(tmp_path):
    with pytest.raises(ValueError, match="model.safetensors or pytorch_model"):
        convert.open_weights(tmp_path)
    for name in ("weights.npz", "none.safetensors"):
        with pytest.raises(ValueError, match=f"{name}; there is no such file"):
            convert.open_weights(tmp_path / name)
    path = tmp_path / "some.safetensors"
    convert.write_safetensors(path, WEIGHTS)
    with pytest.raises(ValueError, match="`entry` is for .pth.*'ema' and"):
        convert.open_weights(path, "ema")
