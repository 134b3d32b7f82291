"""What to serve: one model, or the models of a `models.config`."""

import dataclasses
import os
import urllib.parse
from collections.abc import Iterable
from collections.abc import Mapping

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from serving import errors
from serving import text_messages
from serving import version_policy

_PLATFORM = "tensorflow"


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """One model of the server.

    Attributes:
        name: str. What clients call it; a key, never part of a path.
        base_path: str. Folder of its versions.
        policy: `VersionPolicy`.
        labels: {label: version}.
    """

    name: str
    base_path: str
    policy: version_policy.VersionPolicy = version_policy.VersionPolicy()
    labels: Mapping[str, int] = dataclasses.field(default_factory=dict)


def read(path: str | os.PathLike) -> list[ModelConfig] | None:
    """Reads a `--model_config_file`.

    Args:
        path: file with a `tensorflow.serving.ModelServerConfig` as text.

    Returns:
        list of `ModelConfig`; None as of `from_message`.

    Raises:
        ServingError: the file cannot be read (NOT_FOUND), is no such text or
            breaks a rule of TensorFlow Serving (INVALID_ARGUMENT).
    """
    return from_message(
        text_messages.read(path, model_server_config_pb2.ModelServerConfig)
    )


def parse(text: str) -> list[ModelConfig] | None:
    """Returns the models of a `ModelServerConfig` in text form.

    Args:
        text: str.

    Raises:
        google.protobuf.text_format.ParseError: it is no such text.
        ServingError: it breaks a rule of TensorFlow Serving
            (INVALID_ARGUMENT).
    """
    return from_message(
        text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    )


def from_message(
    message: model_server_config_pb2.ModelServerConfig,
) -> list[ModelConfig] | None:
    """Returns the models of a `ModelServerConfig`.

    Args:
        message: `tensorflow.serving.ModelServerConfig`.

    Returns:
        list of `ModelConfig`; None where nothing is said of models, as by an
        empty file, by which TensorFlow Serving changes nothing.
        `model_config_list {}` are no models.

    Raises:
        ServingError: it breaks a rule of TensorFlow Serving
            (INVALID_ARGUMENT), or needs what this server has not
            (UNIMPLEMENTED).
    """
    if message.HasField("custom_model_config"):
        raise errors.invalid_argument(
            "Missing custom_model_config_loader in ServerCore Options"
        )
    if not message.HasField("model_config_list"):
        return None
    configs = []
    for model in message.model_config_list.config:
        platform = _platform(model)
        if platform != _PLATFORM:
            raise errors.invalid_argument(
                f"Model {model.name} requests unsupported platform {platform}"
            )
        configs.append(
            ModelConfig(
                name=model.name,
                base_path=model.base_path,
                policy=_policy(model.model_version_policy),
                labels=dict(model.version_labels),
            )
        )
    validate(configs)
    return configs


def validate(configs: Iterable[ModelConfig]) -> None:
    """Holds a list of models to TensorFlow Serving's rules.

    Args:
        configs: `ModelConfig`s.

    Raises:
        ServingError: a name is there twice, or a base path is relative, not
            on this machine or none (INVALID_ARGUMENT).
    """
    names = set()
    for config in configs:
        if config.name in names:
            raise errors.invalid_argument(
                f"Illegal to list model {config.name} multiple times in "
                "config list"
            )
        names.add(config.name)
        if _is_remote(config):
            raise errors.invalid_argument(
                f"Expected model {config.name} to lie in a local folder, the "
                "only kind that this server reads; got base_path()="
                f"{config.base_path}"
            )
        if not os.path.isabs(config.base_path):
            raise errors.invalid_argument(
                f"Expected model {config.name} to have an absolute path or "
                f"URI; got base_path()={config.base_path}"
            )


def _is_remote(config):
    try:
        if "\0" in config.base_path:
            raise ValueError("it has a null character")
        return bool(urllib.parse.urlsplit(config.base_path).scheme)
    except ValueError as error:
        raise errors.invalid_argument(
            f"Expected model {config.name} to have the path of a folder; got "
            f"base_path()={config.base_path!r} ({error})"
        ) from error


def _platform(model):
    unspecified = model_server_config_pb2.MODEL_TYPE_UNSPECIFIED
    if model.model_type != unspecified:
        if model.model_platform:
            raise errors.invalid_argument(
                "Illegal setting both ModelServerConfig::model_type "
                "(deprecated) and ModelServerConfig::model_platform."
            )
        if model.model_type != model_server_config_pb2.TENSORFLOW:
            raise errors.invalid_argument(
                "ModelServerConfig::model_type choice "
                f"{model.model_type} not supported."
            )
        return _PLATFORM
    if not model.model_platform:
        raise errors.invalid_argument(
            "Illegal setting neither ModelServerConfig::model_type "
            "(deprecated) nor ModelServerConfig::model_platform."
        )
    return model.model_platform


def _policy(message):
    kind = message.WhichOneof("policy_choice") or "latest"
    if kind not in ("latest", "all", "specific"):
        raise errors.ServingError(
            "UNIMPLEMENTED",
            f"The version policy {kind} is not one of this server: latest, "
            "all or specific.",
        )
    return version_policy.VersionPolicy(
        kind=kind,
        num_versions=message.latest.num_versions,
        versions=tuple(message.specific.versions),
    )
