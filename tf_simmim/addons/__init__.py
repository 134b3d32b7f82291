"""What the project uses of tensorflow-addons: its own, or ours.

tensorflow-addons cannot be installed on Python 3.12 and newer. On 3.10 and 3.11
its own classes are used, and are the reference; on 3.12 and newer those of this
folder are, which compute the same bits (tests/addons). Either is imported where
a name is first asked for: few programs need one.

* `LAMB`: an optimizer for global batches of many thousands.
* `TQDMProgressBar`: the callback that `training.callbacks.ProgressBar` extends.
* `sigmoid_focal_crossentropy`: the focal loss of a detector's classes.
"""

import sys

HAS_ORIGINALS = sys.version_info < (3, 12)
_NAMES = ("LAMB", "TQDMProgressBar", "sigmoid_focal_crossentropy")


def __getattr__(name):
    if name not in _NAMES:
        raise AttributeError(f"{__name__!r} has no attribute {name!r}.")
    if HAS_ORIGINALS:
        from tensorflow_addons.callbacks import TQDMProgressBar
        from tensorflow_addons.losses import sigmoid_focal_crossentropy
        from tensorflow_addons.optimizers import LAMB
    else:
        from tf_simmim.addons.focal_loss import sigmoid_focal_crossentropy
        from tf_simmim.addons.lamb import LAMB
        from tf_simmim.addons.tqdm_progress_bar import TQDMProgressBar
    found = (LAMB, TQDMProgressBar, sigmoid_focal_crossentropy)
    return dict(zip(_NAMES, found, strict=True))[name]
