"""Tests for tf_simmim.convert.hugging_face_config."""

import json

import pytest

from tf_simmim import convert

VIT = {
    "model_type": "vit",
    "hidden_act": "gelu",
    "image_size": [32, 48],
    "num_attention_heads": 6,
    "layer_norm_eps": 1e-12,
}
SWIN = {
    "model_type": "swin",
    "image_size": 192,
    "window_size": 6,
    "num_heads": [4, 8, 16, 32],
    "layer_norm_eps": 1e-05,
}


def read(tmp_path, content):
    path = tmp_path / "config.json"
    if not isinstance(content, str):
        content = json.dumps(content)
    path.write_text(content)
    return convert.read_hugging_face_config(path)


@pytest.mark.parametrize("kind", ["vit", "deit", "beit", "vit_mae", "dinov2"])
def test_it_tells_what_the_weights_of_a_vit_do_not(kind, tmp_path):
    want = convert.ModelFacts(image_size=(32, 48), num_heads=6, epsilon=1e-12)
    assert read(tmp_path, {**VIT, "model_type": kind}) == want


def test_it_tells_what_the_weights_of_a_swin_do_not(tmp_path):
    want = convert.ModelFacts(image_size=192, window_size=6, epsilon=1e-5)
    assert read(tmp_path, SWIN) == want


def test_one_of_timm_tells_nothing(tmp_path):
    content = {"architecture": "vit_base_patch16_224", "num_classes": 1000}
    assert read(tmp_path, content) == convert.ModelFacts()


@pytest.mark.parametrize(
    "content, reason",
    [
        ("{", "not JSON that can be read"),
        ("[" * 100_000, "not JSON that can be read"),
        ([1], "no JSON object"),
        (
            {"model_type": "dinov3_vit"},
            r"'dinov3_vit', and may be one of \('vit', 'swin', 'deit', 'beit'",
        ),
        (
            {**VIT, "hidden_act": "relu"},
            "hidden_act is 'relu', and may be 'gel",
        ),
        ({**SWIN, "layer_norm_eps": 1e-6}, "layer_norm_eps is 1e-06, and may"),
        ({**VIT, "num_attention_heads": 0}, "`num_heads` must be positive"),
        ({**VIT, "num_attention_heads": "6"}, "a number is not possible"),
        ({**VIT, "image_size": {"height": 4}}, "`image_size` must be"),
    ],
)
def test_what_is_no_such_config_is_refused(tmp_path, content, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        read(tmp_path, content)
    assert "config.json" in str(caught.value)
