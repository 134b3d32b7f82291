"""How near the answers of a smaller network are to those of the original.

Dimension key:
  N: images   D E: features   L: classes
"""

import dataclasses

import numpy as np
from scipy import special

# Of similarities, in softmaxes of which the networks are compared.
TEMPERATURE = 0.1


@dataclasses.dataclass(frozen=True)
class Agreement:
    """What two networks make of the same images.

    Attributes:
        of: str. What is compared: "predictions" of images, "pixels" or
            "anchors", or "similarities" of images, of networks without a head.
        kl: float >= 0, nats. Kullback-Leibler divergence of the smaller
            network's answers from the original's, the mean over what is
            compared.
        agreement: float in [0, 1]. Share of it with the same best answer.
        cka: float in [0, 1]. Linear centred kernel alignment of the features;
            None of a network that gives none.
    """

    of: str
    kl: float
    agreement: float
    cka: float | None


def kl_divergence(logits, others) -> np.ndarray:
    """Returns how far distributions are from those of the original.

        KL(p || q) = sum_c p[c] (log p[c] - log q[c]),   p = softmax(logits)

    Args:
        logits: float [..., L]. Of the original.
        others: float [..., L].

    Returns:
        float64 [...], nats.
    """
    log_p, log_q = (
        special.log_softmax(np.asarray(each, np.float64), axis=-1)
        for each in (logits, others)
    )
    return np.sum(np.exp(log_p) * (log_p - log_q), axis=-1)


def sigmoid_kl_divergence(logits, others) -> np.ndarray:
    """Returns the same for classes of which each is there or not.

        sum_c p[c] log(p[c] / q[c]) + (1 - p[c]) log((1 - p[c]) / (1 - q[c]))

    with p = sigmoid(logits).

    Args:
        logits: float [..., L]. Of the original.
        others: float [..., L].

    Returns:
        float64 [...], nats.
    """
    logits, others = np.float64(logits), np.float64(others)
    # A class is there, or is not: a softmax over its logit and 0.
    pairs = [np.stack([x, np.zeros_like(x)], axis=-1) for x in (logits, others)]
    return np.sum(kl_divergence(pairs[0], pairs[1]), axis=-1)


def similarity_logits(features, temperature=TEMPERATURE) -> np.ndarray:
    """Returns how near each image is to every other, to softmax over.

        cos(f[i], f[j]) / temperature   for all j but i

    Args:
        features: float [N, D], N > 1.
        temperature: float > 0.

    Returns:
        float64 [N, N - 1].

    Source: Tung and Mori, Similarity-Preserving Knowledge Distillation, 2019,
        https://arxiv.org/abs/1907.09682. Differs from the paper: a softmax
        of the others, so that the measure is a divergence as of predictions.
    """
    features = np.asarray(features, np.float64)
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    unit = features / np.maximum(norms, np.finfo(np.float64).tiny)
    similarities = unit @ unit.T / temperature
    others = ~np.eye(len(features), dtype=bool)
    return similarities[others].reshape(len(features), -1)  # [N, N - 1]


def linear_cka(features, others) -> float:
    """Returns how alike two sets of features are, up to rotation and scale.

        ||Y^T X||^2 / (||X^T X|| ||Y^T Y||),   columns of X and Y centred

    Args:
        features: float [N, D].
        others: float [N, E].

    Returns:
        float in [0, 1]; 0 where one of them is constant.

    Source: Kornblith et al., Similarity of Neural Network Representations
        Revisited, 2019, https://arxiv.org/abs/1905.00414, section 3.
    """
    x, y = (
        each - np.mean(each, axis=0, keepdims=True)
        for each in (np.float64(features), np.float64(others))
    )
    scale = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return float(np.sum((y.T @ x) ** 2) / scale) if scale > 0 else 0.0
