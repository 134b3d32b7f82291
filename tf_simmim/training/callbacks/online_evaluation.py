"""What the backbone's features are worth, while it learns.

Dimension key:
  B: batch   H W: image, px   C: channels   N: training images
  M: held-out images   L: classes of the training images
"""

import numpy as np
from absl import logging

from tf_simmim import evaluation

_PROTOCOLS = ("knn", "linear")
_DEFAULT_NUM_BLOCKS = 4


class OnlineEvaluation:
    """Probes the frozen features of a model in training, for `MetricsLog`.

    At every multiple of `every_steps`, and at the last step, the mean patch
    tokens of chosen blocks tell the classes of labelled images apart: by
    nearest neighbours and by ridge regression. Nothing of the model, its
    optimizer or any random stream changes, so that a run is bit for bit the
    same with it and without.

    The classes are those that training images have. Held-out images of other
    classes cannot be told, and count as wrong: a warning at the first
    evaluation says how many they are. So 5,000 images of 1,000 classes serve
    though they miss some.

    Every worker of a strategy takes part: each computes the same numbers from
    its own copy of the weights. So the workers stay together also where
    reading a variable (batch norm's moving statistics) needs all of them.

    Args:
        train: finite tf.data.Dataset of batched elements: dicts with `image`
            float32 [B, H, W, C], normalised, and `label` int [B].
        test: as `train`, of held-out images.
        every_steps: int >= 1.
        last_step: int or None. The step at which the run is over.
        blocks: sequence of int in [0, num_blocks), or None for four that are
            spread evenly, the last one among them.
        knn_k: int >= 1. Neighbours that vote; all training images where they
            are fewer.

    Call arguments:
        model: `models.SimMIM`, the same every time.
        step: int. Optimizer steps taken.

    Returns:
        {str: float}: `knn_block_3`, `linear_block_3` and so on, accuracies in
        [0, 1]; empty at a step that is not due, and without blocks whose
        features overflow.

    Raises:
        ValueError: `every_steps` is below 1, or the elements of `train` or
            `test` have no `label`; when it is first called, a block is not in
            [0, num_blocks).
    """

    def __init__(
        self,
        train,
        test,
        every_steps,
        last_step=None,
        blocks=None,
        knn_k=20,
    ):
        if every_steps < 1:
            raise ValueError(
                f"`every_steps` must be at least 1. Received: {every_steps}."
            )
        for name, part in (("train", train), ("test", test)):
            if "label" not in part.element_spec:
                raise ValueError(
                    f"`{name}` must have elements with the key `label`. "
                    f"Received: {part.element_spec}."
                )
        self.train = train
        self.test = test
        self.every_steps = every_steps
        self.last_step = last_step
        self.blocks = None if blocks is None else tuple(blocks)
        self.knn_k = knn_k
        self._extractor = None

    def __call__(self, model, step):
        if step % self.every_steps and step != self.last_step:
            return {}
        is_first = self._extractor is None
        if is_first:
            blocks = self.blocks
            if blocks is None:
                blocks = spread_blocks(model.backbone.num_blocks)
            # Kept: a new one would be traced anew every time.
            self._extractor = evaluation.FeatureExtractor(
                model.backbone, blocks
            )
        train, train_labels = self._extractor(self.train)
        test, test_labels = self._extractor(self.test)
        classes, train_labels = np.unique(train_labels, return_inverse=True)
        test_labels = _places(classes, test_labels)
        num_unknown = int(np.sum(test_labels < 0))
        if is_first and num_unknown:
            logging.warning(
                "%d of the %d held-out images that judge the features are of "
                "classes that none of the %d training images has: they count "
                "as wrong.",
                num_unknown,
                len(test_labels),
                len(train_labels),
            )
        settings = evaluation.ProbeSettings(
            len(classes), _PROTOCOLS, min(self.knn_k, len(train_labels))
        )
        values = {}
        for block in self._extractor.blocks:
            if not all(np.isfinite(x[block]).all() for x in (train, test)):
                logging.warning(
                    "The features of block %d are not all finite at step %d: "
                    "it is left out.",
                    block,
                    step,
                )
                continue
            scores = evaluation.probe_features(
                train[block], train_labels, test[block], test_labels, settings
            )
            for name, score in scores.items():
                values[f"{name}_block_{block}"] = score.accuracy
        return values


def _places(classes, labels):
    """Returns int64 [M]: where labels are among classes, or -1.

    Args:
        classes: int [L], rising.
        labels: int [M].
    """
    places = np.searchsorted(classes, labels).clip(max=len(classes) - 1)
    return np.where(classes[places] == labels, places, -1)  # [M]


def spread_blocks(num_blocks, number=_DEFAULT_NUM_BLOCKS) -> list[int]:
    """Returns blocks that are spread evenly over a backbone.

    Args:
        num_blocks: int >= 1. Blocks of the backbone.
        number: int >= 1. How many to return; all, where there are fewer.

    Returns:
        list of int, rising; the last one is the last block.
    """
    number = min(number, num_blocks)
    return [(i + 1) * num_blocks // number - 1 for i in range(number)]
