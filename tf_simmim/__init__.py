"""tf_simmim: SimMIM self-supervised vision pretraining in TensorFlow/Keras."""

# ruff: noqa: E402, I001  (the order of imports is the point of this file)
from tf_simmim import _startup

with _startup.silenced_log_lines():
    import tensorflow as tf

_startup.require_keras_2(tf.keras)

from tf_simmim import backbones
from tf_simmim import boxes
from tf_simmim import convert
from tf_simmim import data
from tf_simmim import evaluation
from tf_simmim import export
from tf_simmim import heads
from tf_simmim import layers
from tf_simmim import losses
from tf_simmim import masking
from tf_simmim import metrics
from tf_simmim import models
from tf_simmim import optimization
from tf_simmim import run
from tf_simmim import training
from tf_simmim import visualization
from tf_simmim.version import VERSION as __version__  # noqa: F401

__all__ = [
    "backbones",
    "boxes",
    "convert",
    "data",
    "evaluation",
    "export",
    "heads",
    "layers",
    "losses",
    "masking",
    "metrics",
    "models",
    "optimization",
    "run",
    "training",
    "visualization",
]
