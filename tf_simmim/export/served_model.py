"""A SavedModel as TensorFlow Serving runs it: in a Session, without XLA."""

import ctypes
from pathlib import Path

import tensorflow as tf

from tf_simmim.export import graph_lint

_LIBRARY = "libtensorflow_cc.so.2"
_DISABLE_XLA = "_ZN10tensorflow21DisableXlaCompilationEv"


def disable_xla() -> bool:
    """Switches XLA off in this process, for good, as the server does.

    A function that must be compiled then fails, here as there.

    Returns:
        bool: whether it could. TensorFlow has no public switch, and its
        libraries have other names on other systems than Linux.
    """
    try:
        library = ctypes.CDLL(str(Path(tf.sysconfig.get_lib()) / _LIBRARY))
        getattr(library, _DISABLE_XLA)()
    except (OSError, AttributeError):
        return False
    return True


class ServedModel:
    """Loads a SavedModel and answers requests.

    Through the server's own path: TensorFlow's C++ session and the tensors
    that the signatures name, without the Python objects that
    TensorFlow's other loader makes, under which some models run that a server
    cannot. It runs the graph: look at it first (`graph_lint`).

    Args:
        folder: path of the SavedModel.

    Attributes:
        signatures: {name: SignatureDef}.

    Raises:
        ValueError: it cannot be loaded.

    State: the weights, until `close`.
    """

    def __init__(self, folder):
        graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=graph)
        try:
            with graph.as_default():
                meta_graph = tf.compat.v1.saved_model.loader.load(
                    self._session, ["serve"], str(folder)
                )
        except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
            self.close()
            raise ValueError(
                f"`folder` must be a SavedModel. Received: {folder} ({error})."
            ) from error
        self.signatures = graph_lint.signatures_of(meta_graph)

    def run(self, name: str, inputs: dict) -> dict:
        """Calls a signature.

        Args:
            name: str.
            inputs: {alias: array}, all that it has.

        Returns:
            {alias: array}.

        Raises:
            ValueError: there is no such signature, or it has other inputs.
            tf.errors.OpError: of the graph; InvalidArgumentError for an image
                that is none.
        """
        if name not in self.signatures:
            raise ValueError(
                f"`name` must be one of {sorted(self.signatures)}. "
                f"Received: {name!r}."
            )
        signature = self.signatures[name]
        if set(inputs) != set(signature.inputs):
            raise ValueError(
                f"`inputs` of {name} must be {sorted(signature.inputs)}. "
                f"Received: {sorted(inputs)}."
            )
        feeds = {
            signature.inputs[alias].name: array
            for alias, array in inputs.items()
        }
        fetches = {a: info.name for a, info in signature.outputs.items()}
        return self._session.run(fetches, feeds)

    def close(self) -> None:
        """Frees the weights."""
        self._session.close()
