"""Linear probe in closed form: ridge regression on one-hot classes.

Dimension key:
  N: training images   M: test images   D: width of the features
  L: number of classes   R: smaller of N and D
"""

import numpy as np

from tf_simmim.evaluation import label_checks

# Decades, relative to the mean variance of a feature.
STRENGTHS = tuple(10.0**power for power in range(-6, 4))
# So that features without any variance do not divide by zero.
_TINY = 1e-30


class RidgeProbe:
    """Ridge regression of one-hot classes on features, for any strength.

    With X the centred features, Y the centred one-hot labels and v the mean
    variance of a feature, v = sum(X^2) / (N D):

        W = (X^T X + strength N v I)^-1 X^T Y
        class of x = argmax((x - mean) W + mean of the one-hot labels)

    The strength is relative to the features' own variance, so that it means
    the same in every block. One decomposition serves all strengths: of X^T X,
    or of X X^T where there are fewer images than features. Computed in
    float64. Rotating or scaling all features together changes nothing.

    Args:
        features: float [N, D].
        labels: int [N], in [0, num_classes); every class at least once.
        num_classes: int, L.

    Raises:
        ValueError: the shapes do not fit, a label is out of range, or a class
            is missing.

    Source: Hoerl and Kennard, Ridge Regression, 1970; the two decompositions
        as in big_vision, evaluators/fewshot_lsr.py. Differs from it: one
        scale for all features in the place of one each, and an intercept that
        is not regularized at all.
    """

    def __init__(self, features, labels, num_classes):
        x, labels = label_checks.require_rows(features, labels, num_classes)
        y = np.eye(num_classes)[labels]  # [N, L]
        self._labels = labels
        self._mean = x.mean(axis=0)
        self._frequencies = y.mean(axis=0)
        x = x - self._mean
        y = y - self._frequencies
        self._scale = np.square(x).sum() / x.shape[1]  # N v
        if len(x) >= x.shape[1]:
            self._eigenvalues, self._to_basis = np.linalg.eigh(x.T @ x)
            self._train = left = x @ self._to_basis  # [N, R]
        else:
            self._eigenvalues, left = np.linalg.eigh(x @ x.T)
            self._to_basis = x.T @ left  # [D, R]
            self._train = left * self._eigenvalues  # [N, R]
        self._left = left
        self._right = left.T @ y  # [R, L]

    def predict(self, features, strength) -> np.ndarray:
        """Classifies features.

        Args:
            features: float [M, D].
            strength: float > 0.

        Returns:
            int64 [M]: the lowest class of those that are equal.

        Raises:
            ValueError: `strength` is not positive.
        """
        x = np.asarray(features, np.float64) - self._mean
        weights = self._to_basis @ self._shrunk(strength)  # [D, L]
        return (x @ weights + self._frequencies).argmax(axis=1)

    def leave_one_out_accuracy(self, strength) -> float:
        """Returns the accuracy on each image by a probe fitted without it.

        Exact, and without fitting again: with y' the fitted value of image i
        and h its leverage, the value without it is y - (y - y') / (1 - h).

        Args:
            strength: float > 0.

        Returns:
            float in [0, 1].

        Raises:
            ValueError: `strength` is not positive.

        Source: Allen, The Relationship between Variable Selection and Data
            Augmentation and a Method for Prediction, 1974 (PRESS).
        """
        fitted = self._train @ self._shrunk(strength) + self._frequencies
        inverse = 1 / (self._eigenvalues + self._ridge(strength))
        leverage = np.einsum("nr,r,nr->n", self._left, inverse, self._train)
        remaining = np.maximum(1 - leverage - 1 / len(fitted), 1e-12)  # [N]
        y = np.eye(len(self._frequencies))[self._labels]  # [N, L]
        without = y - (y - fitted) / remaining[:, np.newaxis]  # [N, L]
        return float(np.mean(without.argmax(axis=1) == self._labels))

    def best_strength(self, strengths=STRENGTHS) -> float:
        """Returns the strength of the highest leave-one-out accuracy.

        Of those that are equal, the greatest.

        Args:
            strengths: sequence of float > 0. Default: 1e-6 to 1e3, decades.
        """
        accuracies = {
            strength: self.leave_one_out_accuracy(strength)
            for strength in strengths
        }
        return max(accuracies, key=lambda s: (accuracies[s], s))

    def _ridge(self, strength):
        if not strength > 0:
            raise ValueError(
                f"`strength` must be positive. Received: {strength}."
            )
        return max(strength * self._scale, _TINY)

    def _shrunk(self, strength):
        inverse = 1 / (self._eigenvalues + self._ridge(strength))
        return inverse[:, np.newaxis] * self._right  # [R, L]
