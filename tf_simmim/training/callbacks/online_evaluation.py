"""What the backbone's features are worth, while it learns."""

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

    Every worker of a strategy takes part: each computes the same numbers from
    its own copy of the weights. So the workers stay together also where
    reading a variable (batch norm's moving statistics) needs all of them.

    Args:
        train: finite tf.data.Dataset of batched elements: dicts with `image`
            float32 [B, H, W, C], normalised, and `label` int [B].
        test: as `train`, of held-out images.
        num_classes: int.
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
        [0, 1]; empty at a step that is not due.

    Raises:
        ValueError: `every_steps` is below 1; when it is first called, a block
            is not in [0, num_blocks), or a class has no training image.
    """

    def __init__(
        self,
        train,
        test,
        num_classes,
        every_steps,
        last_step=None,
        blocks=None,
        knn_k=20,
    ):
        if every_steps < 1:
            raise ValueError(
                f"`every_steps` must be at least 1. Received: {every_steps}."
            )
        self.train = train
        self.test = test
        self.num_classes = num_classes
        self.every_steps = every_steps
        self.last_step = last_step
        self.blocks = None if blocks is None else tuple(blocks)
        self.knn_k = knn_k
        self._extractor = None

    def __call__(self, model, step):
        if step % self.every_steps and step != self.last_step:
            return {}
        if self._extractor is None:
            blocks = self.blocks
            if blocks is None:
                blocks = spread_blocks(model.backbone.num_blocks)
            # Kept: a new one would be traced anew every time.
            self._extractor = evaluation.FeatureExtractor(
                model.backbone, blocks
            )
        train, train_labels = self._extractor(self.train)
        test, test_labels = self._extractor(self.test)
        settings = evaluation.ProbeSettings(
            self.num_classes, _PROTOCOLS, min(self.knn_k, len(train_labels))
        )
        values = {}
        for block in self._extractor.blocks:
            scores = evaluation.probe_features(
                *(train[block], train_labels, test[block], test_labels),
                settings,
            )
            for name, score in scores.items():
                values[f"{name}_block_{block}"] = score.accuracy
        return values


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
