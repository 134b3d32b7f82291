"""The weights of a backbone, carried to another image size or window."""

from tf_simmim import layers
from tf_simmim.convert import position_resampling

_POSITIONS = (layers.RelativePositionBias, layers.LearnedPositionEmbedding)


def transfer_weights(source, target, method: str = "geometric") -> None:
    """Sets every weight of a backbone from one of another size, or none.

    Positions that depend on the image size or the window are resampled: tables
    of relative position biases and learned absolute positions. All other
    weights are copied. The continuous position bias of `Swin` version 2 fits
    any window as it is; it is stretched over the new one.

        pretrained = tf_simmim.training.load_pretrained("runs/mine").backbone
        larger = tf_simmim.backbones.create("swin_base", image_size=224)
        tf_simmim.convert.transfer_weights(pretrained, larger)

    Args:
        source: a backbone of `tf_simmim.backbones`.
        target: another, which may differ in `image_size` and `window_size`
            (and in what has no weights, such as `drop_path_rate`).
        method: "geometric" or "geometric_crop"; see
            `resample_relative_position_bias`.

    Raises:
        ValueError: the backbones differ in more than that; the message lists
            the weights. Or `method` is unknown. No weight has been changed.
    """
    if method not in position_resampling.METHODS:
        raise ValueError(
            f"`method` must be one of {position_resampling.METHODS}. "
            f"Received: {method!r}."
        )
    ours, theirs = _by_name(target), _by_name(source)
    resampled = _resampled_positions(source, target, method)
    differing = sorted(ours.keys() ^ theirs.keys())
    differing += [
        name
        for name in sorted(ours.keys() & theirs.keys())
        if resampled.get(name, theirs[name]).shape != ours[name].shape
    ]
    if differing:
        raise ValueError(
            "`source` and `target` must be backbones that differ in the sizes "
            "of images and windows alone. Weights that one of them lacks, or "
            f"that have another shape: {differing}."
        )
    for name, variable in ours.items():
        variable.assign(resampled.get(name, theirs[name]))


def _by_name(backbone):
    """Returns {name below the backbone's own: variable}."""
    return {_inner(v.name): v for v in backbone.weights}


def _inner(name):
    return name.partition("/")[2]


def _resampled_positions(source, target, method):
    """Returns {name: array} of what depends on the grid or the window."""
    arrays = {}
    ours, theirs = (
        {
            _inner(layer.weights[0].name): layer
            for layer in backbone._flatten_layers()
            if isinstance(layer, _POSITIONS)
        }
        for backbone in (target, source)
    )
    for name in ours.keys() & theirs.keys():
        to, of = ours[name], theirs[name]
        array = of.weights[0].numpy()
        if isinstance(to, layers.RelativePositionBias):
            array = position_resampling.resample_relative_position_bias(
                array, of.grid_size, to.grid_size, method
            )
        elif source.grid_size != target.grid_size:
            array = position_resampling.resample_position_embedding(
                array, source.grid_size, target.grid_size
            )
        arrays[name] = array
    return arrays
