"""Learning rates that fall from the head of a network to its first layer."""

from tf_simmim.optimization import warmup_cosine
from tf_simmim.optimization import warmup_multi_step

_SCHEDULES = (warmup_cosine.WarmupCosine, warmup_multi_step.WarmupMultiStep)


def layer_decay_scales(model, layer_decay: float) -> list[float]:
    """Returns what the learning rate of each variable is multiplied by.

        scale = layer_decay ** (num_blocks + 1 - id)

    with the id that `backbone.layer_id` gives: 0 for the patch embedding,
    i + 1 for block i, num_blocks + 1 for the final norm. All that is not of
    the backbone, such as a head, has the last id, and learns at the full rate.

    Args:
        model: a Keras model with a `backbone`, such as `models.Classifier`.
        layer_decay: float in (0, 1]. 0.65 for ViT-B and 0.8 or 0.9 for Swin-B
            in the reference; 1 for the same rate everywhere.

    Returns:
        list of float, in the order of `model.trainable_variables`.

    Raises:
        ValueError: `layer_decay` is not in (0, 1].

    Source: Bao et al., BEiT, 2021, https://arxiv.org/abs/2106.08254, section
        3.3, and https://github.com/microsoft/SimMIM, optimizer.py.
    """
    if not 0 < layer_decay <= 1:
        raise ValueError(
            f"`layer_decay` must lie in (0, 1]. Received: {layer_decay}."
        )
    backbone = model.backbone
    last = backbone.num_blocks + 1
    own = {variable.ref() for variable in backbone.trainable_variables}
    ids = [
        backbone.layer_id(variable) if variable.ref() in own else last
        for variable in model.trainable_variables
    ]
    return [layer_decay ** (last - layer_id) for layer_id in ids]


def rate_without_peak(learning_rate):
    """Returns the part of a schedule that layers share, or None without one.

    The reference scales the peak of a schedule from layer to layer, and keeps
    the first rate of the warm-up and the last of the cosine as they are. Our
    schedules are linear in these three rates, so that the rate of a layer is

        scale * schedule(t) + (1 - scale) * shared(t)

    with the same schedule but a peak of 0 as the shared part.

    Args:
        learning_rate: float or a Keras learning-rate schedule. Of one that is
            not ours, nothing is known to be shared.
    """
    if not isinstance(learning_rate, _SCHEDULES):
        return None
    config = {**learning_rate.get_config(), "learning_rate": 0.0}
    return type(learning_rate).from_config(config)
