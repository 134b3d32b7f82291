"""The models that the golden exchanges ask for, as files."""

import pathlib

NAMES = ("half_plus_two", "kinds")
CONFIG_NAME = "models.config"
_CONFIG = """\
model_config_list {{
  config {{
    name: "half_plus_two"
    base_path: "{folder}/half_plus_two"
    model_platform: "tensorflow"
    model_version_policy {{ all {{}} }}
    version_labels {{ key: "stable" value: 123 }}
  }}
  config {{
    name: "kinds"
    base_path: "{folder}/kinds"
    model_platform: "tensorflow"
  }}
}}
"""


def write(folder) -> pathlib.Path:
    """Writes the models and a file for --model_config_file.

    Args:
        folder: str or path. Made where it is missing.

    Returns:
        path, absolute.
    """
    # The models belong to the tests, which ask the embedded server the same.
    from tests.serving import saved_models

    folder = pathlib.Path(folder).resolve()
    saved_models.write(folder)
    config = _CONFIG.format(folder=folder)
    (folder / CONFIG_NAME).write_text(config, "utf-8")
    # The server in a container runs as another user.
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


def server_flags(folder: pathlib.Path) -> list[str]:
    """Returns the flags with which a server serves the models.

    Args:
        folder: path. What `write` returned.
    """
    return [
        f"--model_config_file={folder / CONFIG_NAME}",
        "--allow_version_labels_for_unavailable_models=true",
    ]
