"""Flags for judging a pretrained backbone by its frozen features."""

import numpy as np
from absl import flags
from absl import logging

from tf_simmim import evaluation
from tf_simmim.programs.flags import data_flags
from tf_simmim.programs.flags import input_flags
from tf_simmim.programs.flags import run_flags
from tf_simmim.programs.flags import source_flags

_PROTOCOLS = flags.DEFINE_list(
    "protocols",
    ["knn", "linear", "few_shot"],
    "Measure features by these protocols: knn, linear (ridge regression in "
    "closed form), linear_lbfgs (logistic regression; slower), linear_sgd "
    "(the literature's gradient descent; slower) and few_shot. See "
    "docs/evaluation.md.",
)
_BLOCKS = flags.DEFINE_list(
    "blocks",
    ["all"],
    "Measure the features of these blocks, counted from 0, as in 0,3,5; or of "
    "all.",
)
_FEW_SHOT_LABELS = flags.DEFINE_list(
    "few_shot_labels",
    None,
    "Learn from these numbers of labels for each class in few_shot. By "
    "default they are 1, 5 and 10, as far as the smallest class has so many.",
)
_NUM_DRAWS = flags.DEFINE_integer(
    "num_draws",
    20,
    "Draw the few labels this many times; a result is the mean over the draws.",
    lower_bound=2,
)
_KNN_K = flags.DEFINE_integer(
    "knn_k",
    None,
    "Let this many nearest neighbours vote. By default it is 20, or all "
    "training images where they are fewer.",
    lower_bound=1,
)
_KNN_TEMPERATURE = flags.DEFINE_float(
    "knn_temperature",
    0.07,
    "Divide similarities by this temperature before neighbours vote; a lower "
    "one favours the nearest.",
    lower_bound=1e-6,
)
_NUM_PROBE_IMAGES = flags.DEFINE_integer(
    "num_probe_images",
    20000,
    "Use at most this many training images as neighbours and to train probes.",
    lower_bound=1,
)
_EVALUATION_BATCH_SIZE = flags.DEFINE_integer(
    "evaluation_batch_size",
    64,
    "Compute the features of this many images at a time.",
    lower_bound=1,
)
_CACHE_FEATURES = flags.DEFINE_bool(
    "cache_features",
    True,
    "Keep features in the run's folder, features/, so that a second "
    "evaluation of the same checkpoint does not compute them again. A file of "
    "images that has other content under its old name is not noticed.",
)

_DEFAULT_LABELS = (1, 5, 10)
_DEFAULT_KNN_K = 20

flags.register_validator(
    "protocols",
    lambda names: bool(names) and set(names) <= set(evaluation.PROTOCOLS),
    message=f"must be some of {', '.join(evaluation.PROTOCOLS)}",
)


def _are_numbers(lowest):
    def check(values):
        if values is None:
            return True
        # Digits alone: int() would also take "1_0".
        numbers = [int(v) if v.isdecimal() else -1 for v in values]
        return bool(numbers) and min(numbers) >= lowest

    return check


flags.register_validator(
    "few_shot_labels",
    _are_numbers(1),
    message="must be numbers of at least 1",
)
flags.register_validator(
    "blocks",
    lambda values: values == ["all"] or _are_numbers(0)(values),
    message="must be numbers of blocks, from 0, or all",
)


def blocks(backbone) -> list[int]:
    """Returns the blocks to measure.

    Raises:
        ValueError: the backbone has no such block.
    """
    if _BLOCKS.value == ["all"]:
        return list(range(backbone.num_blocks))
    numbers = sorted({int(value) for value in _BLOCKS.value})
    if numbers[-1] >= backbone.num_blocks:
        raise ValueError(
            f"--blocks must be from 0 to {backbone.num_blocks - 1}: the "
            f"backbone has {backbone.num_blocks} blocks. "
            f"Received: {','.join(_BLOCKS.value)}."
        )
    return numbers


def settings(labels, class_names) -> evaluation.ProbeSettings:
    """Returns what to measure on a training set.

    Args:
        labels: int [N]. Of the training images.
        class_names: sequence of str.

    Raises:
        ValueError: the training images are too few of a class, which the
            message names, or fewer than --knn_k.
    """
    counts = np.bincount(labels, minlength=len(class_names))
    smallest = int(counts.argmin())
    of_smallest = (
        f"{counts[smallest]} training images are of class "
        f"{class_names[smallest]!r}"
    )
    protocols = _PROTOCOLS.value
    if counts[smallest] < 1 and protocols != ["knn"]:
        raise ValueError(
            "Linear and few-shot probes need training images of every class: "
            f"more of them (--num_probe_images), or --protocols=knn. Received: "
            f"{of_smallest}."
        )
    few = tuple(k for k in _DEFAULT_LABELS if k <= counts[smallest])
    if _FEW_SHOT_LABELS.value is not None:
        few = tuple(sorted({int(value) for value in _FEW_SHOT_LABELS.value}))
        if "few_shot" in protocols and few[-1] > counts[smallest]:
            raise ValueError(
                "--few_shot_labels must be no more than the smallest class "
                f"has. Received: {few[-1]}, and {of_smallest}."
            )
    elif "few_shot" in protocols and few != _DEFAULT_LABELS:
        logging.info("--few_shot_labels=%s: %s.", few, of_smallest)
    knn_k = _KNN_K.value
    if knn_k is None:
        knn_k = min(_DEFAULT_KNN_K, len(labels))
    elif "knn" in protocols and knn_k > len(labels):
        raise ValueError(
            "--knn_k must be no more than there are training images, "
            f"{len(labels)}. Received: {knn_k}."
        )
    return evaluation.ProbeSettings(
        len(class_names),
        tuple(protocols),
        knn_k,
        _KNN_TEMPERATURE.value,
        few,
        _NUM_DRAWS.value,
        run_flags.SEED.value,
    )


def open_data(
    train_source,
    test_source,
    *,
    normalization,
    random_mask,
    image_size,
    folder,
    streams,
) -> tuple:
    """Opens the images of an evaluation.

    Args:
        train_source: `data.Source`.
        test_source: `data.Source`.
        normalization: `data.Normalization`.
        random_mask: `masking.PatchMask`.
        image_size: (height, width), px.
        folder: path for the features.
        streams: `open_streams.OpenStreams`, which gets those that it reads.

    Returns:
        (evaluation.ProbeData, data set of the test images, with masks).
    """
    settings_of_images = {
        flag.name: flag.value
        for group in (data_flags, input_flags, source_flags)
        for flag in flags.FLAGS.get_flags_for_module(group)
    } | input_flags.decided(normalization)
    sources = (
        ("train", train_source, _NUM_PROBE_IMAGES.value),
        ("test", test_source, data_flags.NUM_VALIDATION_IMAGES.value),
    )
    batches, keys = [], []
    for split, source, num_images in sources:
        stream = input_flags.evaluation_stream(
            source,
            normalization,
            random_mask=random_mask,
            seed=run_flags.SEED.value,
            replace_bad_images=False,
            size=image_size,
        )
        streams.add(stream)
        batches.append(
            input_flags.first_batches(
                stream, _EVALUATION_BATCH_SIZE.value, num_images
            )
        )
        keys.append(
            {
                "split": split,
                "source": source.name,
                "digest": source.digest(),
                "num_images": num_images,
                "seed": run_flags.SEED.value,
                "image_size": image_size,
                "flags": settings_of_images,
            }
        )
    cache = evaluation.FeatureCache(folder if _CACHE_FEATURES.value else None)
    return evaluation.ProbeData(*batches, *keys, cache), batches[1]
