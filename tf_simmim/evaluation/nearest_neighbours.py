"""k-nearest-neighbour classification: how good are features as they are?

Dimension key:
  N: training images   M: test images   D: width of the features
  k: neighbours   L: number of classes
"""

import numpy as np

from tf_simmim.evaluation import features
from tf_simmim.evaluation import label_checks


def knn_predictions(
    train_features,
    train_labels,
    test_features,
    num_classes,
    *,
    k=20,
    temperature=0.07,
) -> np.ndarray:
    """Classifies features by a weighted cosine k-NN classifier.

    With s_i the cosine similarity of a test image to its i-th neighbour and
    y_i that neighbour's label, the predicted class is

        argmax over c of   sum over i of  exp(s_i / temperature) [y_i == c]

    and the lower class of two that are equal. The similarities are computed
    in blocks, so that memory does not grow with N * M.

    Args:
        train_features: float [N, D].
        train_labels: int [N], in [0, num_classes).
        test_features: float [M, D].
        num_classes: int, L.
        k: int in [1, N]. DINO's evaluation uses 10 to 200, 20 being best.
        temperature: float > 0. 0.07 in both sources.

    Returns:
        int64 [M]: classes of the test images.

    Raises:
        ValueError: `k` or `temperature` is out of range, or a training label
            is.

    Source: Wu et al., Unsupervised Feature Learning via Non-Parametric
        Instance Discrimination, 2018, https://arxiv.org/abs/1805.01978,
        section 3.4; Caron et al., DINO, 2021,
        https://arxiv.org/abs/2104.14294, appendix F.
    """
    train_labels = np.asarray(train_labels)
    if not 1 <= k <= len(train_labels):
        raise ValueError(
            "`k` must lie between 1 and the number of training images, "
            f"{len(train_labels)}. Received: {k}."
        )
    if not temperature > 0:
        raise ValueError(
            f"`temperature` must be positive. Received: {temperature}."
        )
    train_labels = label_checks.require_labels(train_labels, num_classes)
    # Imported here because it takes half a second.
    from sklearn import neighbors

    index = neighbors.NearestNeighbors(
        n_neighbors=k, metric="cosine", algorithm="brute"
    ).fit(train_features)
    distances, rows = index.kneighbors(test_features)  # [M, k]
    # Cosine distance is 1 - s. A factor that is common to all neighbours of an
    # image is left out: the nearest one's weight, so that it becomes 1, and
    # no temperature makes all of them 0.
    further = distances.astype(np.float64) - distances.min(axis=1)[:, None]
    weights = np.exp(-further / temperature)

    votes = np.zeros([len(distances), num_classes])  # [M, L]
    image = np.arange(len(distances))[:, np.newaxis]
    np.add.at(votes, (image, train_labels[rows]), weights)
    return votes.argmax(axis=1)


def knn_accuracy(
    train_features,
    train_labels,
    test_features,
    test_labels,
    num_classes,
    *,
    k=20,
    temperature=0.07,
) -> float:
    """Returns the accuracy of a weighted cosine k-NN classifier.

    Args:
        train_features: float [N, D].
        train_labels: int [N], in [0, num_classes).
        test_features: float [M, D].
        test_labels: int [M].
        num_classes: int, L.
        k: int in [1, N].
        temperature: float > 0.

    Returns:
        float in [0, 1]: fraction of test images whose class is right.

    Raises:
        ValueError: as `knn_predictions`.
    """
    predictions = knn_predictions(
        train_features,
        train_labels,
        test_features,
        num_classes,
        k=k,
        temperature=temperature,
    )
    return float(np.mean(predictions == np.asarray(test_labels)))


def knn_accuracy_by_block(
    backbone, train, test, num_classes, *, k=20, temperature=0.07
) -> dict[int, float]:
    """Returns the k-NN accuracy of the frozen features of every block.

    Args:
        backbone: a backbone of `tf_simmim.backbones`.
        train: finite tf.data.Dataset of batched, labelled elements that vote.
        test: as `train`, of the elements to classify.
        num_classes: int, L.
        k: int in [1, N].
        temperature: float > 0.

    Returns:
        {block: float in [0, 1]}, for all blocks.

    Raises:
        ValueError: as `extract_features` and `knn_accuracy`.
    """
    blocks = range(backbone.num_blocks)
    train_features, train_labels = features.extract_features(
        backbone, train, blocks
    )
    test_features, test_labels = features.extract_features(
        backbone, test, blocks
    )
    return {
        block: knn_accuracy(
            train_features[block],
            train_labels,
            test_features[block],
            test_labels,
            num_classes,
            k=k,
            temperature=temperature,
        )
        for block in blocks
    }
