"""What must happen before and right after TensorFlow is imported, in one place.

Importing this module has three effects, each done only where the user has not
decided otherwise through the same environment variable:

* TensorFlow's C++ start-up log lines are silenced (`TF_CPP_MIN_LOG_LEVEL=3`;
  Python exceptions are unaffected).
* oneDNN kernels are switched on (`TF_ENABLE_ONEDNN_OPTS=1`): the default on
  Intel, and a large gain on AMD, where TensorFlow leaves them off.
* The end-of-life and version notices that tensorflow-addons prints at import
  are ignored; we pin the version that works with our TensorFlow.

All three need `import tf_simmim` to come before `import tensorflow`.
"""

import os
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
warnings.filterwarnings(
    "ignore",
    message=r"\s*(TensorFlow Addons|Tensorflow Addons supports)",
    category=UserWarning,
)


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
            "tf_simmim needs Keras 2 as `tf.keras`: install tensorflow 2.15 "
            "(`pip install -r requirements.txt`), or with a newer TensorFlow "
            "`pip install tf-keras` and set TF_USE_LEGACY_KERAS=1 before "
            f"TensorFlow is imported. Received: Keras {version}."
        )
