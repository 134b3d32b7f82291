"""Linear probe by logistic regression, fitted to its optimum by L-BFGS.

Dimension key:
  N: training images   M: test images   D: width of the features
  L: number of classes
"""

import warnings

import numpy as np

from tf_simmim import randomness
from tf_simmim.data import order
from tf_simmim.evaluation import label_checks

# Decades. Softer than ridge regression's: cross-entropy has a curvature below
# 1/4 where the squared error's is 1.
STRENGTHS = tuple(10.0**power for power in range(-6, 2))
# Of each class, one image in so many chooses the strength.
_HELD_OUT = 5
_MOST_ITERATIONS = 1000  # as CLIP's probe
_TINY = 1e-30  # so that features without any variance do not divide by zero


class LogisticProbe:
    """Multinomial logistic regression on features, for any strength.

    With x the centred features divided by the root of their mean variance,
    labels y, weights W and intercept b, L-BFGS finds the least of

        mean of -log softmax(x W + b)[y]  +  strength / 2 sum(W^2)

    which is convex: unlike gradient descent with a schedule, the result
    depends on no learning rate, number of epochs, order or seed. It stops
    after 1,000 iterations at the latest, as weak strengths may. Computed in
    float64. Rotating or scaling all features together changes nothing.

    Args:
        features: float [N, D].
        labels: int [N], in [0, num_classes); every class at least once.
        num_classes: int >= 2, L.

    Raises:
        ValueError: the shapes do not fit, a label is out of range, a class is
            missing, or there is one class alone.

    Source: the linear probe of Radford et al., CLIP, 2021,
        https://arxiv.org/abs/2103.00020, appendix A.3: L-BFGS, at most 1,000
        iterations, the strength chosen on held-out training images; fitted by
        scikit-learn. Differs from it: features have one scale for all, and
        the strengths are decades that do not depend on the number of images.
    """

    def __init__(self, features, labels, num_classes):
        x, labels = label_checks.require_rows(features, labels, num_classes)
        if num_classes < 2:
            raise ValueError(
                f"`num_classes` must be at least 2. Received: {num_classes}."
            )
        self._mean = x.mean(axis=0)
        self._scale = max(np.sqrt(x.var(axis=0).mean()), _TINY)
        self._features = self._normalize(x)
        self._labels = labels

    def predict(self, features, strength) -> np.ndarray:
        """Classifies features.

        Args:
            features: float [M, D].
            strength: float > 0.

        Returns:
            int64 [M].

        Raises:
            ValueError: `strength` is not positive.
        """
        fitted = self._fit(np.arange(len(self._labels)), strength)
        return fitted.predict(self._normalize(features))

    def best_strength(self, strengths=STRENGTHS, seed=0) -> float:
        """Returns the strength that is best on a fifth of the training images.

        Of each class, one image in five judges what the others have taught;
        of strengths that are equal, the greatest. Where no class has two
        images, that is the greatest of all.

        Args:
            strengths: sequence of float > 0. Default: 1e-6 to 10, decades.
            seed: int. Of the choice of these images.

        Raises:
            ValueError: a strength is not positive.
        """
        held_out = self._held_out(seed)
        train, judges = np.flatnonzero(~held_out), np.flatnonzero(held_out)
        if not len(judges):
            return max(strengths)
        accuracies = {}
        for strength in strengths:
            predictions = self._fit(train, strength).predict(
                self._features[judges]
            )
            accuracies[strength] = np.mean(predictions == self._labels[judges])
        return max(accuracies, key=lambda s: (accuracies[s], s))

    def _held_out(self, seed):
        """Returns bool [N]: the second, seventh, ... of each class."""
        num_images = len(self._labels)
        rows = order.shuffled(
            np.arange(num_images),
            num_images,
            randomness.seed_for(seed, randomness.ORDER, 0),
        ).numpy()
        held_out = np.zeros(num_images, bool)
        for label in np.unique(self._labels):
            held_out[rows[self._labels[rows] == label][1::_HELD_OUT]] = True
        return held_out

    def _fit(self, rows, strength):
        if not strength > 0:
            raise ValueError(
                f"`strength` must be positive. Received: {strength}."
            )
        # scikit-learn weighs the sum of all images by C, and W^2 by a half.
        # Of two classes it fits the difference w of the two columns of W:
        # these are w / 2 and -w / 2, and sum(W^2) is w^2 / 2.
        if self._labels.max() == 1:
            strength = strength / 2
        # Imported here because it takes half a second.
        from sklearn import exceptions
        from sklearn import linear_model

        model = linear_model.LogisticRegression(
            C=1 / (strength * len(rows)), max_iter=_MOST_ITERATIONS
        )
        with warnings.catch_warnings():
            # Without a limit on W, its last digits can take for ever: by then
            # the classes stand.
            warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
            return model.fit(self._features[rows], self._labels[rows])

    def _normalize(self, features):
        return (np.asarray(features, np.float64) - self._mean) / self._scale
