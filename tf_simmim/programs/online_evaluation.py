"""The frozen features of a run are judged while it trains."""

from tf_simmim.programs.flags import data_flags
from tf_simmim.programs.flags import input_flags
from tf_simmim.programs.flags import online_evaluation_flags
from tf_simmim.training import callbacks

# Features have to be computed anew every time; more would hold training up.
_MAX_TRAIN_IMAGES = 5000
_BATCH_SIZE = 64


def create(context, stage):
    """Returns the evaluation that `MetricsLog` asks for, or None for none.

    The first training images are the neighbours of the held-out ones.

    Args:
        context: `RunContext`.
        stage: `Stage` of a model with a backbone.

    Raises:
        ValueError: --evaluate_every is set, and there are no labels of the
            same classes in both sources; or there is no such block. Where the
            training images have no names of classes, numbers are compared.
    """
    if not online_evaluation_flags.EVALUATE_EVERY.value:
        return None
    _require_classes(context.source, context.held_out)
    blocks = _blocks(stage.model.backbone.num_blocks)
    return callbacks.OnlineEvaluation(
        _batches(context, stage, context.source, _MAX_TRAIN_IMAGES),
        _batches(
            context,
            stage,
            context.held_out,
            data_flags.NUM_VALIDATION_IMAGES.value,
        ),
        online_evaluation_flags.EVALUATE_EVERY.value,
        context.total_steps,
        blocks,
    )


def _require_classes(source, held_out):
    if held_out is None:
        raise ValueError(
            "--evaluate_every needs held-out images: leave it out for a run "
            "without. Received: --validation_split=."
        )
    data_flags.refuse_shared_images()
    names = source.class_names
    if names is not None and len(names) < 2:
        raise ValueError(
            "--evaluate_every needs two classes or more: leave it out for "
            f"images of one. Received: {source.name}, {names[0]!r} alone."
        )
    if names is not None and names != held_out.class_names:
        raise ValueError(
            "--evaluate_every needs held-out images of the classes of the "
            "training images: leave it out for others. Received classes: "
            f"{names}, {held_out.class_names}."
        )


def _blocks(num_blocks):
    """Returns the numbers of --evaluate_blocks, rising, or None."""
    given = online_evaluation_flags.EVALUATE_BLOCKS.value
    if not given:
        return None
    blocks = sorted({int(value) for value in given})
    if blocks[-1] >= num_blocks:
        raise ValueError(
            f"--evaluate_blocks must be from 0 to {num_blocks - 1}: the "
            f"backbone has {num_blocks} blocks. Received: {','.join(given)}."
        )
    return blocks


def _batches(context, stage, source, num_images):
    stream = context.streams.add(
        input_flags.evaluation_stream(
            source,
            context.normalization,
            seed=context.seed,
            size=stage.phase.image_size,
        )
    )
    batches = input_flags.first_batches(stream, _BATCH_SIZE, num_images)
    if "label" not in batches.element_spec:
        raise ValueError(
            "--evaluate_every needs labels: leave it out for images "
            f"without. Received: {source.name}, which has none."
        )
    return batches
