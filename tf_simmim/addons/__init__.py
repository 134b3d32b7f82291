"""What the project uses of tensorflow-addons: its own, or ours.

tensorflow-addons cannot be installed on Python 3.12 and newer. Below, its own
classes are used, and are the reference; above, those of this folder are, which
compute the same bits (tests/addons). Either is imported where a name is first
asked for: few programs need one.

* `LAMB`: an optimizer for global batches of many thousands.
* `TQDMProgressBar`: the callback that `training.callbacks.ProgressBar` extends.
* `sigmoid_focal_crossentropy`: the focal loss of a detector's classes.
"""

import importlib
import sys

HAS_ORIGINALS = sys.version_info < (3, 12)

# {name: (module of tensorflow-addons, module of this folder)}.
_MODULES = {
    "LAMB": ("tensorflow_addons.optimizers", "tf_simmim.addons.lamb"),
    "TQDMProgressBar": (
        "tensorflow_addons.callbacks",
        "tf_simmim.addons.tqdm_progress_bar",
    ),
    "sigmoid_focal_crossentropy": (
        "tensorflow_addons.losses",
        "tf_simmim.addons.focal_loss",
    ),
}


def __getattr__(name):
    if name not in _MODULES:
        raise AttributeError(f"{__name__!r} has no attribute {name!r}.")
    theirs, ours = _MODULES[name]
    module = importlib.import_module(theirs if HAS_ORIGINALS else ours)
    return getattr(module, name)
