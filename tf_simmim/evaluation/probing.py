"""Every protocol on one set of features.

Dimension key:
  N: training images   M: test images   D: width of the features
"""

import dataclasses

from tf_simmim.evaluation import few_shot
from tf_simmim.evaluation import logistic
from tf_simmim.evaluation import nearest_neighbours
from tf_simmim.evaluation import ridge
from tf_simmim.evaluation import sgd_probe
from tf_simmim.evaluation.score import Score

PROTOCOLS = ("knn", "linear", "linear_lbfgs", "linear_sgd", "few_shot")


@dataclasses.dataclass(frozen=True)
class ProbeSettings:
    """What is measured on features, and how.

    Attributes:
        num_classes: int.
        protocols: sequence of `PROTOCOLS`:
            knn           weighted cosine k-NN, see `knn_predictions`
            linear        `RidgeProbe` of the strength that is best when each
                          training image is left out in turn
            linear_lbfgs  `LogisticProbe` of the strength that is best on a
                          fifth of the training images
            linear_sgd    gradient descent, see `sgd_predictions`
            few_shot      `RidgeProbe` on a few labels, see
                          `few_shot_accuracies`
        knn_k: int >= 1. Neighbours that vote.
        knn_temperature: float > 0.
        few_shot_labels: sequence of int >= 1. Labels of each class; one
            column of results for each.
        num_draws: int >= 1. Draws of these labels.
        seed: int. Of draws, of the fifth, and of the gradient descent.

    Raises:
        ValueError: a protocol is unknown, or there is none.
    """

    num_classes: int
    protocols: tuple[str, ...] = ("knn", "linear", "few_shot")
    knn_k: int = 20
    knn_temperature: float = 0.07
    few_shot_labels: tuple[int, ...] = (1, 5, 10)
    num_draws: int = 20
    seed: int = 0

    def __post_init__(self):
        unknown = set(self.protocols) - set(PROTOCOLS)
        if unknown or not self.protocols:
            raise ValueError(
                f"`protocols` must be some of {PROTOCOLS}. Received: "
                f"{tuple(self.protocols)}."
            )

    def describe(self) -> dict[str, dict[str, str]]:
        """Returns {column of results: its `title` and `description`}."""
        texts = {}
        if "knn" in self.protocols:
            texts["knn"] = (
                "k-NN",
                f"{self.knn_k} nearest neighbours by cosine, weighted with "
                f"temperature {self.knn_temperature}",
            )
        if "linear" in self.protocols:
            texts["linear"] = (
                "linear",
                "ridge regression on all training images, of the strength "
                "that is best when each is left out in turn",
            )
        if "linear_lbfgs" in self.protocols:
            texts["linear_lbfgs"] = (
                "linear, L-BFGS",
                "logistic regression on all training images, of the strength "
                "that is best on a fifth of them",
            )
        if "linear_sgd" in self.protocols:
            texts["linear_sgd"] = (
                "linear, SGD",
                "linear classifier by SGD on all training images, 90 epochs",
            )
        if "few_shot" in self.protocols:
            for k in self.few_shot_labels:
                texts[f"few_shot_{k}"] = (
                    f"{k} label{'s' * (k > 1)}/class",
                    f"ridge regression on {k} training images of each class, "
                    f"mean of {self.num_draws} draws",
                )
        return {
            column: {"title": title, "description": description}
            for column, (title, description) in texts.items()
        }


def probe_features(
    train_features, train_labels, test_features, test_labels, settings
) -> dict[str, Score]:
    """Measures one set of features by every protocol of the settings.

    Args:
        train_features: float [N, D].
        train_labels: int [N].
        test_features: float [M, D].
        test_labels: int [M].
        settings: `ProbeSettings`.

    Returns:
        {column of `settings.describe()`: Score}, in that order.

    Raises:
        ValueError: a class is missing among the training images, or has fewer
            than one of `few_shot_labels`; or `knn_k` is more than there are.
    """
    train = (train_features, train_labels)
    classes = settings.num_classes
    scores = {}

    def add(column, predictions, **details):
        scores[column] = Score.from_predictions(
            predictions, test_labels, **details
        )

    if "knn" in settings.protocols:
        add(
            "knn",
            nearest_neighbours.knn_predictions(
                *train,
                test_features,
                classes,
                k=settings.knn_k,
                temperature=settings.knn_temperature,
            ),
        )
    if "linear" in settings.protocols:
        probe = ridge.RidgeProbe(*train, classes)
        strength = probe.best_strength()
        predictions = probe.predict(test_features, strength)
        add("linear", predictions, strength=strength)
    if "linear_lbfgs" in settings.protocols:
        probe = logistic.LogisticProbe(*train, classes)
        strength = probe.best_strength(seed=settings.seed)
        predictions = probe.predict(test_features, strength)
        add("linear_lbfgs", predictions, strength=strength)
    if "linear_sgd" in settings.protocols:
        add(
            "linear_sgd",
            sgd_probe.sgd_predictions(
                *train, test_features, classes, seed=settings.seed
            ),
        )
    if "few_shot" in settings.protocols:
        for k in settings.few_shot_labels:
            accuracies = few_shot.few_shot_accuracies(
                *train,
                test_features,
                test_labels,
                num_classes=classes,
                num_labels=k,
                num_draws=settings.num_draws,
                seed=settings.seed,
            )
            scores[f"few_shot_{k}"] = Score.from_draws(accuracies)
    return scores
