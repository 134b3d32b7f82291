"""Whether Prometheus is answered, and where: TensorFlow Serving's file."""

import os

from serving import errors
from serving import monitoring
from serving import text_messages

_MESSAGE = text_messages.message_class(
    "MonitoringConfig",
    {
        "MonitoringConfig": {"prometheus_config": (1, "PrometheusConfig")},
        "PrometheusConfig": {"enable": (1, "bool"), "path": (2, "string")},
    },
)


def read(path: str | os.PathLike) -> str | None:
    """Reads a `--monitoring_config_file`.

    Args:
        path: file with a `tensorflow.serving.MonitoringConfig` as text.

    Returns:
        str, the path on the port of REST; None where it is not enabled.

    Raises:
        ServingError: the file cannot be read (NOT_FOUND), is no such text, or
            its path is none of HTTP (INVALID_ARGUMENT).
    """
    found = text_messages.read(path, _MESSAGE).prometheus_config
    if not found.enable:
        return None
    where = found.path or monitoring.DEFAULT_PATH
    if not where.startswith("/") or set(where) & set("{}?# "):
        raise errors.invalid_argument(
            f"prometheus_config.path must begin with / and be plain: {where}"
        )
    return where
