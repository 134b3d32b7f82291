"""What must happen before and right after TensorFlow is imported, in one place.

Importing this module has four effects, each done only where the user has not
decided otherwise through the same environment variable:

* TensorFlow's C++ start-up log lines are silenced (`TF_CPP_MIN_LOG_LEVEL=3`;
  Python exceptions are unaffected).
* oneDNN kernels are switched on (`TF_ENABLE_ONEDNN_OPTS=1`): the default on
  Intel, and a large gain on AMD, where TensorFlow leaves them off.
* `tf.keras` is Keras 2 (`TF_USE_LEGACY_KERAS=1`) on Python 3.12 and newer,
  whose TensorFlow has Keras 3 unless it is told. Other programs that this one
  starts inherit it.
* The end-of-life and version notices that tensorflow-addons prints at import
  are ignored; we pin the version that works with our TensorFlow.

All four need `import tf_simmim` to come before `import tensorflow`.
"""

import contextlib
import faulthandler
import os
import re
import sys
import tempfile
import warnings

# The stack of Python 3.12 and newer; see requirements.txt.
_IS_NEW_STACK = sys.version_info >= (3, 12)

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
if _IS_NEW_STACK:
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
warnings.filterwarnings(
    "ignore",
    message=r"\s*(TensorFlow Addons|Tensorflow Addons supports)",
    category=UserWarning,
)

# Beginnings of log lines by TF_CPP_MIN_LOG_LEVEL, which drops those of lower
# levels: `I0000 00:00:1796089018.3 18652 port.cc:153] oneDNN is on.`
_LEVELS = {"1": b"I", "2": b"IW", "3": b"IWE"}


@contextlib.contextmanager
def silenced_log_lines():
    """Keeps log lines from stderr while TensorFlow is being imported.

    TensorFlow 2.21 writes some while its libraries load, before it looks at
    `TF_CPP_MIN_LOG_LEVEL`. Whatever else is written in the meantime follows at
    the end. If the process aborts, Python prints where;
    `TF_CPP_MIN_LOG_LEVEL=0` shows TensorFlow's reason. Nothing is kept where
    Python was started with `-X faulthandler`, which writes to stderr itself.
    """
    dropped = _LEVELS.get(os.environ["TF_CPP_MIN_LOG_LEVEL"])
    if (
        not _IS_NEW_STACK
        or dropped is None
        or "tensorflow" in sys.modules
        or faulthandler.is_enabled()
    ):
        yield
        return
    with contextlib.ExitStack() as stack:
        try:
            spool = stack.enter_context(tempfile.TemporaryFile())
            stderr = os.dup(2)
        except OSError:  # No folder for it, or no stderr.
            yield
            return
        stack.callback(os.close, stderr)
        faulthandler.enable(stderr)
        stack.callback(faulthandler.disable)
        os.dup2(spool.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            spool.seek(0)
            rest = _without_log_lines(spool.read(), dropped)
            # A full disk or a closed pipe is no reason to fail; it refuses
            # even to write nothing.
            with contextlib.suppress(OSError):
                os.write(2, rest)


def _without_log_lines(text, dropped):
    """Returns what was written to stderr, without lines of these levels."""
    is_log_line = re.compile(
        rb"WARNING: All log messages before absl::InitializeLog|"
        rb"[%s]\d{4} [\d:.]+ +\d+ \S+:\d+\] " % dropped
    )
    lines = text.splitlines(keepends=True)
    return b"".join(each for each in lines if not is_log_line.match(each))


def require_keras_2(keras) -> None:
    """Refuses any Keras but 2: `model.fit` and checkpoints differ in Keras 3.

    Args:
        keras: module. `tf.keras`; only Keras 3 gives it a `__version__`.

    Raises:
        ImportError: it is Keras 3 or newer.
    """
    version = getattr(keras, "__version__", "2")
    if not version.startswith("2"):
        raise ImportError(
            "tf_simmim needs Keras 2 as `tf.keras`: install the packages of "
            "requirements.txt (`pip install -r requirements.txt`), import "
            "tf_simmim before TensorFlow, and leave TF_USE_LEGACY_KERAS unset "
            f"or at 1. Received: Keras {version}."
        )
