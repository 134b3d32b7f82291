"""Tests for serving.model_choice."""

import pytest

from serving import errors
from serving import model_choice


@pytest.fixture
def export(tmp_path):
    """A folder of versions 3 and 7."""
    for name in ("3", "7"):
        (tmp_path / "export" / name).mkdir(parents=True)
        (tmp_path / "export" / name / "saved_model.pb").write_bytes(b"")
    return tmp_path / "export"


def choose(*folders, base_path=None, config_file=None):
    return model_choice.of_command_line(
        [str(folder) for folder in folders], "m", base_path, config_file
    )


def test_a_folder_of_versions_is_served_as_a_model(export, monkeypatch):
    monkeypatch.chdir(export.parent)
    for folder in (export, "export", "export/"):
        (config,) = choose(folder)
        assert (config.name, config.base_path) == ("m", str(export))
        assert config.policy.choose([3, 7]) == {7}


def test_a_single_version_is_served_alone(export):
    (config,) = choose(export / "3")
    assert config.base_path == str(export)
    assert config.policy.choose([3, 7]) == {3}


def test_an_empty_file_of_models_is_of_none(tmp_path):
    (tmp_path / "models.config").write_text("")
    assert choose(config_file=tmp_path / "models.config") == []


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("none", "EXPORT_DIR must be a folder"),
        (".", "folders whose names are numbers"),
        ("export/new", "must have a number for its name"),
    ],
)
def test_another_folder_is_refused_with_a_hint(export, folder, message):
    (export / "3").rename(export / "new")
    with pytest.raises(errors.ServingError, match=message):
        choose(export.parent / folder)


def test_the_flags_of_tensorflow_serving_name_models_too(export, tmp_path):
    (config,) = choose(base_path=str(export))
    assert config.base_path == str(export)
    file = tmp_path / "models.config"
    file.write_text(
        f'model_config_list {{ config {{ name: "n" base_path: "{export}" '
        'model_platform: "tensorflow" } }'
    )
    (config,) = choose(config_file=str(file))
    assert config.name == "n"
    with pytest.raises(errors.ServingError, match="an absolute path or URI"):
        choose(base_path="export")


def test_exactly_one_of_them_is_wanted(export):
    for kwargs in ({}, {"base_path": "/a", "config_file": "/b"}):
        with pytest.raises(errors.ServingError, match="Give one of EXPORT_DIR"):
            choose(**kwargs)
    with pytest.raises(errors.ServingError, match="Give one of EXPORT_DIR"):
        choose(export, base_path="/a")
