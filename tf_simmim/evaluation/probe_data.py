"""The images that a backbone is judged by, and what is measured on them."""

import tqdm

from tf_simmim.evaluation import feature_cache
from tf_simmim.evaluation import features
from tf_simmim.evaluation import probing


class ProbeData:
    """Labelled training and test images, whose features are probed.

    Args:
        train: finite tf.data.Dataset of batched elements: dicts with `image`
            float32 [B, H, W, C], normalised, and `label` int [B].
        test: as `train`.
        train_key: JSON-able dict. What says which images `train` has; the
            features of others are not taken for theirs.
        test_key: the same of `test`.
        cache: `FeatureCache`, or None to compute everything.
    """

    def __init__(self, train, test, train_key=None, test_key=None, cache=None):
        self._parts = ((train, train_key or {}), (test, test_key or {}))
        self._cache = cache or feature_cache.FeatureCache(None)

    def raw_pixels(self) -> tuple:
        """Returns the pixels as features; see `raw_pixel_features`.

        Returns:
            (train features float32 [N, D], train labels int64 [N], test
            features float32 [M, D], test labels int64 [M]).

        Raises:
            ValueError: the elements have no labels, or there are none.
        """

        def compute(dataset, names):
            pixels, labels = features.raw_pixel_features(dataset)
            return dict.fromkeys(names, pixels), labels

        (split,) = self._splits({"network": None}, ["raw_pixels"], compute)
        return split

    def block_features(self, backbone, blocks) -> dict:
        """Returns the features of blocks; see `FeatureExtractor`.

        Args:
            backbone: a backbone of `tf_simmim.backbones`.
            blocks: sequence of int in [0, num_blocks), each once.

        Returns:
            {block: tuple as from `raw_pixels`}.

        Raises:
            ValueError: as `FeatureExtractor`.
        """
        # Refuses blocks that there are not, also when nothing is computed.
        extractor = features.FeatureExtractor(backbone, blocks)
        numbers = {f"block_{block}": block for block in extractor.blocks}

        def compute(dataset, names):
            found, labels = features.extract_features(
                backbone, dataset, [numbers[name] for name in names]
            )
            return {f"block_{b}": array for b, array in found.items()}, labels

        network = feature_cache.weights_digest(backbone)
        splits = self._splits({"network": network}, list(numbers), compute)
        return dict(zip(extractor.blocks, splits, strict=True))

    def forget_others(self) -> None:
        """Removes cached features that this object was not asked for."""
        self._cache.remove_old()

    def _splits(self, key, names, compute):
        found = [
            self._cache.get(
                {**key, "images": images},
                names,
                lambda missing, dataset=dataset: compute(dataset, missing),
            )
            for dataset, images in self._parts
        ]
        (train, train_labels), (test, test_labels) = found
        return [
            (train[name], train_labels, test[name], test_labels)
            for name in names
        ]


def probe_blocks(splits, settings, description="probes") -> dict:
    """Measures the features of every block by every protocol.

    Args:
        splits: {block: tuple of features and labels}, from
            `ProbeData.block_features`.
        settings: `ProbeSettings`.
        description: str. Name of the progress bar.

    Returns:
        {block: {column: Score}}.

    Raises:
        ValueError: as `probe_features`.
    """
    bar = tqdm.tqdm(splits.items(), desc=description, leave=False, disable=None)
    return {
        block: probing.probe_features(*split, settings) for block, split in bar
    }
