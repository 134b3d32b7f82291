"""An accuracy that says how sure it is."""

import dataclasses
import math

import numpy as np

_CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True)
class Score:
    """An accuracy and the interval that holds the true one, at 95 %.

    Attributes:
        accuracy: float in [0, 1].
        low: float. Lower end of the interval.
        high: float. Upper end.
        details: dict, JSON-able: what the accuracy was counted from.
    """

    accuracy: float
    low: float
    high: float
    details: dict = dataclasses.field(default_factory=dict)

    @classmethod
    def from_predictions(cls, predictions, labels, **details):
        """Scores predictions by Wilson's interval of a proportion.

        With p of n right and z = 1.96:

            (p + z^2 / 2n  +-  z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2/n)

        It says what other test images of the same kind would give, not what
        another training run would.

        Args:
            predictions: int [M].
            labels: int [M], what they should have been.
            **details: JSON-able, kept beside the counts.

        Returns:
            Score with `num_correct` and `num_images` among its details.

        Raises:
            ValueError: the two differ in shape, or there is no image.

        Source: Wilson, Probable Inference, the Law of Succession, and
            Statistical Inference, 1927, through SciPy.
        """
        predictions, labels = np.asarray(predictions), np.asarray(labels)
        if predictions.shape != labels.shape or not labels.size:
            raise ValueError(
                "`predictions` must have one class for each of `labels`, and "
                f"there must be some. Received: {predictions.shape} and "
                f"{labels.shape}."
            )
        right = int((predictions == labels).sum())
        return cls.from_counts(right, int(labels.size), **details)

    @classmethod
    def from_counts(cls, num_correct, num_images, **details):
        """Scores counts of predictions, as `from_predictions` does.

        Args:
            num_correct: int in [0, num_images].
            num_images: int >= 1.
            **details: JSON-able, kept beside the counts.

        Raises:
            ValueError: there cannot be such counts.
        """
        if not 0 <= num_correct <= num_images or num_images < 1:
            raise ValueError(
                "`num_correct` must lie in [0, `num_images`], and there must "
                f"be images. Received: {num_correct} of {num_images}."
            )
        # Imported here because it takes a quarter of a second.
        from scipy import stats

        interval = stats.binomtest(num_correct, num_images).proportion_ci(
            _CONFIDENCE, method="wilson"
        )
        counts = {"num_correct": num_correct, "num_images": num_images}
        return cls(
            num_correct / num_images,
            float(interval.low),
            float(interval.high),
            {**counts, **details},
        )

    @classmethod
    def from_draws(cls, accuracies, **details):
        """Scores the mean over draws by Student's t.

        With mean m and sample standard deviation s of n draws:

            m  +-  t(0.975, n - 1) s / sqrt(n)

        It says what other draws of the labelled images would give on average,
        on the same test images. One draw alone gives [0, 1]: no interval.

        Args:
            accuracies: float [n] in [0, 1]. Of each draw.
            **details: JSON-able, kept beside the counts.

        Returns:
            Score with `num_draws` and `deviation`, s, among its details. The
            interval is cut at 0 and 1.

        Raises:
            ValueError: there is no draw.

        Source: Student, The Probable Error of a Mean, 1908, through SciPy.
        """
        accuracies = np.asarray(accuracies, np.float64)
        n = len(accuracies)
        if not n:
            raise ValueError(
                "`accuracies` must have at least one draw. Received: none."
            )
        mean, deviation, half = float(accuracies.mean()), 0.0, 1.0
        if n > 1:
            deviation = float(accuracies.std(ddof=1))
            from scipy import stats

            quantile = float(stats.t.ppf((1 + _CONFIDENCE) / 2, n - 1))
            half = quantile * deviation / math.sqrt(n)
        counts = {"num_draws": n, "deviation": deviation}
        return cls(
            mean,
            max(0.0, mean - half),
            min(1.0, mean + half),
            {**counts, **details},
        )

    def to_json(self) -> dict:
        """Returns a dict of `accuracy`, `low`, `high` and the details."""
        return {
            "accuracy": self.accuracy,
            "low": self.low,
            "high": self.high,
            **self.details,
        }
