"""Which models a command line asks for."""

import os
import pathlib

from serving import errors
from serving import model_config
from serving import version_policy

_FILES = ("saved_model.pb", "saved_model.pbtxt")


def of_command_line(
    export_dirs: list[str],
    model_name: str,
    model_base_path: str | None,
    model_config_file: str | None,
) -> list[model_config.ModelConfig]:
    """Returns the models to serve.

    Args:
        export_dirs: list of str. What is no flag: at most one folder, of
            versions or of a single version.
        model_name: str. What clients call the one model.
        model_base_path: str or None. Folder of its versions.
        model_config_file: str or None. File that lists models.

    Raises:
        ServingError: not exactly one of the three is given, or it does not
            hold what it should (INVALID_ARGUMENT, NOT_FOUND).
    """
    given = [*export_dirs, *filter(None, [model_base_path, model_config_file])]
    if len(given) != 1:
        raise errors.invalid_argument(
            "Give one of EXPORT_DIR, --model_base_path and "
            f"--model_config_file. Received: {' '.join(given) or 'none'}."
        )
    if model_config_file:
        return model_config.read(model_config_file) or []
    if model_base_path:
        configs = [model_config.ModelConfig(model_name, model_base_path)]
        model_config.validate(configs)
        return configs
    return [_of_folder(model_name, pathlib.Path(export_dirs[0]))]


def _of_folder(name, folder):
    if not folder.is_dir():
        raise errors.ServingError(
            "NOT_FOUND", f"EXPORT_DIR must be a folder. Received: {folder}."
        )
    folder = folder.resolve()
    if not any((folder / file).exists() for file in _FILES):
        if not version_policy.find_versions(folder):
            raise errors.ServingError(
                "NOT_FOUND",
                "EXPORT_DIR must hold versions, folders whose names are "
                f"numbers, each with a saved_model.pb. Received: {folder}.",
            )
        return model_config.ModelConfig(name, os.fspath(folder))
    versions = version_policy.find_versions(folder.parent)
    numbers = [n for n, path in versions.items() if path == folder]
    if not numbers:
        raise errors.invalid_argument(
            "A model's folder must have a number for its name, the version: "
            f"rename it, to 1 for instance. Received: {folder}."
        )
    return model_config.ModelConfig(
        name,
        os.fspath(folder.parent),
        version_policy.VersionPolicy("specific", versions=tuple(numbers)),
    )
