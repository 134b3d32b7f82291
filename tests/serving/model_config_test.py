"""Tests for serving.model_config."""

import pytest

from serving import errors
from serving import model_config
from serving import version_policy

GOOD = """
model_config_list {
  config {
    name: "one" base_path: "/models/one" model_platform: "tensorflow"
    model_version_policy { specific { versions: 3 versions: 4 } }
    version_labels { key: "stable" value: 3 }
  }
  config {
    name: "two" base_path: "/models/two" model_platform: "tensorflow"
    model_version_policy { latest { num_versions: 2 } }
  }
  config {
    name: "three" base_path: "/models/three" model_type: TENSORFLOW
    model_version_policy { all {} }
  }
  config {
    name: "four" base_path: "/models/four" model_platform: "tensorflow"
  }
}
"""


def config(text):
    return f"model_config_list {{ config {{ {text} }} }}"


def test_a_file_of_models_is_read(tmp_path):
    path = tmp_path / "models.config"
    path.write_text(GOOD)
    one, two, three, four = model_config.read(path)
    assert one == model_config.ModelConfig(
        "one",
        "/models/one",
        version_policy.VersionPolicy("specific", 0, (3, 4)),
        {"stable": 3},
    )
    assert two.policy.choose([1, 2, 3]) == {2, 3}
    assert three.policy.choose([1, 2, 3]) == {1, 2, 3}
    assert four.policy.choose([1, 2, 3]) == {3}


def test_an_empty_file_says_nothing_and_an_empty_list_means_no_models():
    assert model_config.parse("") is None
    assert model_config.parse("model_config_list {}") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'custom_model_config { type_url: "x" }',
            "Missing custom_model_config_loader in ServerCore Options",
        ),
        (
            config('name: "m" base_path: "/m"'),
            "Illegal setting neither .*model_type .*nor .*model_platform",
        ),
        (
            config(
                'name: "m" base_path: "/m" model_platform: "tensorflow" '
                "model_type: TENSORFLOW"
            ),
            "Illegal setting both",
        ),
        (
            config('name: "m" base_path: "/m" model_type: OTHER'),
            "model_type choice 2 not supported",
        ),
        (
            config('name: "m" base_path: "/m" model_platform: "caffe"'),
            "Model m requests unsupported platform caffe",
        ),
        (
            config('name: "m" base_path: "m" model_platform: "tensorflow"'),
            r"Expected model m to have an absolute path or URI; got "
            r"base_path\(\)=m",
        ),
        (
            config(
                'name: "m" base_path: "gs://b/m" model_platform: "tensorflow"'
            ),
            "local folder",
        ),
        (
            config('name: "m" base_path: "//[m" model_platform: "tensorflow"'),
            r"the path of a folder; got base_path\(\)='//\[m' \(Invalid IPv6",
        ),
        (
            config(
                'name: "m" base_path: "/m\\000" model_platform: "tensorflow"'
            ),
            "it has a null character",
        ),
        (
            GOOD.replace('"two" ', '"one" '),
            "Illegal to list model one multiple times in config list",
        ),
    ],
)
def test_a_rule_of_tensorflow_serving_is_kept(text, message):
    with pytest.raises(errors.ServingError, match=message) as caught:
        model_config.parse(text)
    assert caught.value.code == "INVALID_ARGUMENT"


def test_another_text_is_refused_as_tensorflow_serving_does(tmp_path):
    path = tmp_path / "models.config"
    path.write_text("improper model config")
    with pytest.raises(
        errors.ServingError,
        match="Error parsing text-format tensorflow.serving.ModelServerConfig",
    ):
        model_config.read(path)
    path.write_bytes(b"\xff")
    with pytest.raises(errors.ServingError, match="Invalid protobuf file"):
        model_config.read(path)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(errors.ServingError, match="NOT_FOUND: .*No such file"):
        model_config.read(tmp_path / "none")
