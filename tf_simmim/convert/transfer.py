"""Weights and training, carried to another image size, window or mask."""

import functools

import tensorflow as tf

from tf_simmim import backbones
from tf_simmim import layers
from tf_simmim.convert import position_resampling
from tf_simmim.convert.transfer_report import TransferReport

# Of weights that do not fit, in a message.
_NUM_NAMED = 6
_POSITIONS = (layers.RelativePositionBias, layers.LearnedPositionEmbedding)


def transfer_weights(
    source, target, method: str = "geometric"
) -> TransferReport:
    """Sets every weight of a backbone from one of another size, or none.

    Positions that depend on the image size or the window are resampled: tables
    of relative position biases and learned absolute positions. All other
    weights are copied. The continuous position bias of `Swin` version 2 fits
    any window as it is; it is stretched over the new one.

        pretrained = tf_simmim.training.load_pretrained("runs/mine").backbone
        larger = tf_simmim.backbones.create("swin_base", image_size=224)
        tf_simmim.convert.transfer_weights(pretrained, larger)

    From a ViT as it is pretrained to one that is fine-tuned, see
    `backbones.for_classification`, two more things may differ, as in the
    reference: a relative position bias for all blocks is cloned to each of
    them, and a final norm is left behind. A class token belongs to the blocks
    and their biases: both networks have one, or neither.

    Args:
        source: a backbone of `tf_simmim.backbones`; or a model with one, such
            as `models.SimMIM`, of which nothing else is taken.
        target: another, which may differ in `image_size` and `window_size`
            (and in what has no weights, such as `drop_path_rate`); or a model
            with one, such as `models.Classifier`, whose other weights stay.
        method: "geometric" or "geometric_crop"; see
            `resample_relative_position_bias`.

    Returns:
        TransferReport, with the name of every weight.

    Raises:
        ValueError: the backbones differ in more than that; the message lists
            the weights. Or `method` is unknown. No weight has been changed.
    """
    fresh = target.head.weights if hasattr(target, "backbone") else []
    source, target = (getattr(m, "backbone", m) for m in (source, target))
    clones = _clones(source, target)
    left = _left_behind(source, target)
    weights = _resampled_weights(source, target, method, clones, left)
    for variable, value in weights:
        variable.assign(value)
    resampled = _position_resamplers(source, target, method, clones).keys()
    ours = _by_name(target).keys()
    taken = [name for name in ours if name not in clones]
    return TransferReport(
        copied=tuple(name for name in taken if name not in resampled),
        resampled=tuple(name for name in taken if name in resampled),
        cloned=tuple(clones),
        left=tuple(left),
        fresh=tuple(v.name.partition(":")[0] for v in fresh),
    )


def transfer_training(source, target, method: str = "geometric") -> None:
    """Carries a model that is being trained to another image size or mask.

    After it, `target` goes on training where `source` stopped: its backbone
    has the weights of `transfer_weights`, and its head, optimizer (with
    `iterations` and a loss scale) and metrics have the state of the source's.

    Slots of positions that are resampled, such as Adam's moments, are
    resampled along with them, but by straight lines between their neighbours
    where a weight takes a cubic spline. So they are averages, second moments
    m2 stay positive, and since an average m1 of first moments obeys

        m1^2 <= average(first moments^2),

    no update |m1| / sqrt(m2) is larger than the largest of its neighbours.

    The result is a function of the two models alone: a run that continues
    from a checkpoint of `source` gets the same.

    Args:
        source: a compiled `models.SimMIM`, whose optimizer is built.
        target: another, made from the same settings but for the image size,
            the window and the mask.
        method: "geometric" or "geometric_crop"; see
            `resample_relative_position_bias`.

    Raises:
        ValueError: the models differ in more than that, or their optimizers
            do; the message lists what. Or `method` is unknown. Nothing has
            been changed.
    """
    pairs = _resampled_weights(source.backbone, target.backbone, method)
    resample = _position_resamplers(source.backbone, target.backbone, method)
    pairs += _paired(source.head.weights, target.head.weights, "head")
    slots = (
        _optimizer_state(source.optimizer),
        _optimizer_state(target.optimizer),
    )
    pairs += _paired(*slots, "optimizer", resample)
    metrics = (
        [v for metric in model.metrics for v in metric.variables]
        for model in (source, target)
    )
    pairs += _paired(*metrics, "metrics")
    for variable, value in pairs:
        variable.assign(value)


def _resampled_weights(source, target, method, clones=None, left=()):
    """Returns [(variable of the target, value)], of all its weights.

    Args:
        source: a backbone.
        target: another.
        method: as of `transfer_weights`.
        clones: {name in the target: that in the source}, where they differ.
        left: names in the source that the target lacks.
    """
    if method not in position_resampling.METHODS:
        raise ValueError(
            f"`method` must be one of {position_resampling.METHODS}. "
            f"Received: {method!r}."
        )
    clones = clones or {}
    ours, theirs = _by_name(target), _by_name(source)
    origins = {name: clones.get(name, name) for name in ours}
    values = {
        name: theirs[origin]
        for name, origin in origins.items()
        if origin in theirs
    }
    resamplers = _position_resamplers(source, target, method, clones)
    for name, resample in resamplers.items():
        values[name] = resample(values[name].numpy())
    unused = theirs.keys() - set(origins.values()) - set(left)
    differing = sorted((ours.keys() - values.keys()) | unused)
    differing += [
        name
        for name in sorted(values)
        if values[name].shape != ours[name].shape
    ]
    if differing:
        raise ValueError(
            "`source` and `target` must be backbones that differ in the sizes "
            "of images and windows alone. Weights that one of them lacks, or "
            f"that have another shape: {_shortened(differing)}."
        )
    # Heads of other numbers and widths can have weights of the same shapes.
    of_source, of_target = _block_shapes(source), _block_shapes(target)
    for i, (one, other) in enumerate(zip(of_source, of_target, strict=True)):
        if one != other:
            raise ValueError(
                "`source` and `target` must have blocks of the same shapes. "
                f"Received: block {i} of {one}, and of {other}."
            )
    return [(variable, values[name]) for name, variable in ours.items()]


def _block_shapes(backbone):
    return type(backbone).plan(backbone.get_config()).shapes


def _shortened(names):
    shown = ", ".join(names[:_NUM_NAMED])
    rest = len(names) - _NUM_NAMED
    return f"{shown}, and {rest} more" if rest > 0 else shown


def _clones(source, target):
    """Returns {table of a block: the one table of all in the source}."""
    if not isinstance(source, backbones.ViT) or not isinstance(
        target, backbones.ViT
    ):
        return {}
    kinds = source.relative_position, target.relative_position
    if kinds != ("shared", "per_block"):
        return {}
    (shared,) = source.relative_position_biases
    return {
        _inner(bias.table.name): _inner(shared.table.name)
        for bias in target.relative_position_biases
    }


def _left_behind(source, target):
    """Returns the names of a final norm that the target does not have."""
    if getattr(source, "final_norm", False) and not getattr(
        target, "final_norm", True
    ):
        return [_inner(v.name) for v in source.norm.weights]
    return []


def _paired(theirs, ours, what, resample=None):
    """Returns [(variable of the target, value)] of two lists, in order."""
    pairs = []
    for of, to in zip(theirs, ours, strict=False):
        value = of.numpy()
        for name, function in (resample or {}).items():
            # `m/vi_t/NAME:0` of one optimizer, `vi_t/NAME/m:0` of another.
            if f"/{name}/" in f"/{of.name.partition(':')[0]}/":
                value = function(value, degree=1)
        pairs.append((to, value))
    shapes = [tuple(v.shape) for v in ours], [v.shape for _, v in pairs]
    if len(theirs) != len(ours) or shapes[0] != shapes[1]:
        raise ValueError(
            "`source` and `target` must be models that differ in the sizes of "
            f"images, windows and masks alone. Received: {what} with "
            f"{len(theirs)} and {len(ours)} variables, of which these have "
            "another shape: "
            f"{[v.name for v, s in pairs if v.shape != s.shape]}."
        )
    return pairs


def _optimizer_state(optimizer):
    """Returns all variables of an optimizer, of Keras' new kind or old."""
    variables = optimizer.variables
    variables = list(variables() if callable(variables) else variables)
    # What wraps an optimizer to scale the loss has some of its own.
    known = {id(v) for v in variables}
    return variables + [
        v
        for v in tf.train.TrackableView(optimizer).descendants()
        if isinstance(v, tf.Variable) and id(v) not in known
    ]


def _by_name(backbone):
    """Returns {name below the backbone's own: variable}."""
    return {_inner(v.name): v for v in backbone.weights}


def _inner(name):
    return name.partition(":")[0].partition("/")[2]


def _position_resamplers(source, target, method, clones=None):
    """Returns {name: function} of what differs with the grid or the window.

    A function takes an array of the source's and `degree`; see
    `position_resampling`.
    """
    ours, theirs = (
        {
            _inner(layer.weights[0].name): layer
            for layer in backbone._flatten_layers()
            if isinstance(layer, _POSITIONS)
        }
        for backbone in (target, source)
    )
    functions = {}
    for name, to in ours.items():
        of = theirs.get((clones or {}).get(name, name))
        if of is None:
            continue
        if isinstance(to, layers.RelativePositionBias):
            if of.grid_size == to.grid_size:
                continue
            functions[name] = functools.partial(
                position_resampling.resample_relative_position_bias,
                source_window=of.grid_size,
                target_window=to.grid_size,
                method=method,
            )
        elif source.grid_size != target.grid_size:
            functions[name] = functools.partial(
                position_resampling.resample_position_embedding,
                source_grid=source.grid_size,
                target_grid=target.grid_size,
            )
    return functions
