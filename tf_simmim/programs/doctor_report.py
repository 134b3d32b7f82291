"""What doctor.py makes of what it finds: rows to read, and warnings.

A warning names the flag and the value to use instead.
"""

import math
import os

from tf_simmim import masking
from tf_simmim.programs.flags import optimization_flags

# AvgDist that the paper finds best, px, on images of 192 px (SimMIM, 2021,
# section 4.1.3). It says nothing of images much smaller.
_GOOD_DISTANCES = (10.0, 20.0)
_MIN_IMAGE_SIZE_OF_DISTANCES = 128
# A mask that is further from what was asked for is worth a warning.
_MAX_RATIO_ERROR = 0.03
# Peak below which AdamW moves a network but little; the paper's is 4e-4.
_LOW_LEARNING_RATE = 5e-5
_RECIPE_LEARNING_RATE = 4e-4
_FEW_STEPS = 500
_GIGA = 1e9


class Report:
    """Rows of (name, text), and warnings."""

    def __init__(self):
        self.rows = []
        self.warnings = []

    def add(self, name: str, text: str) -> None:
        """Adds a row."""
        self.rows.append((name, text))

    def warn(self, text: str) -> None:
        """Adds a warning."""
        self.warnings.append(text)


def add_mask(report, model, distance: float) -> None:
    """Adds the mask after rounding, and its AvgDist."""
    mask = model.random_mask
    fraction = mask.num_hidden / mask.num_mask_patches
    low, high = _GOOD_DISTANCES
    report.add(
        "Mask",
        f"{mask.num_hidden} of {mask.num_mask_patches} squares of "
        f"{mask.mask_patch_size} px: {fraction:.1%}, for --mask_ratio="
        f"{mask.mask_ratio:g}",
    )
    report.add(
        "AvgDist",
        f"{distance:.1f} px from a hidden pixel to a visible one "
        f"(the paper's range: {low:.0f}-{high:.0f} px, at 192 px)",
    )
    others = _other_masks(model)
    if _ratio_error(mask) > _MAX_RATIO_ERROR:
        fine = [m for m in others if _ratio_error(m) <= _MAX_RATIO_ERROR]
        advice = "A larger --image_size has more squares."
        if fine:
            closest = max(m.mask_patch_size for m in fine)
            advice = f"--mask_patch_size={closest} can."
        report.warn(
            f"{mask.num_mask_patches} squares cannot hide "
            f"{mask.mask_ratio:.0%}: {fraction:.1%} are hidden. {advice}"
        )
    is_large = min(model.backbone.image_size) >= _MIN_IMAGE_SIZE_OF_DISTANCES
    if is_large and not low <= distance <= high:
        middle = (low + high) / 2
        distances = {m: masking.expected_distance(m, 64) for m in others}
        best = min(others, key=lambda m: abs(distances[m] - middle))
        better = abs(distances[best] - middle) < abs(distance - middle)
        advice = (
            f"--mask_patch_size={best.mask_patch_size} has "
            f"{distances[best]:.1f} px."
            if better
            else "No --mask_patch_size comes closer at this --mask_ratio."
        )
        report.warn(
            f"AvgDist {distance:.1f} px is outside {low:.0f}-{high:.0f} px, "
            f"where the paper found features best: prediction is too "
            f"{'easy' if distance < low else 'hard'}. {advice}"
        )


def _ratio_error(mask):
    return abs(mask.num_hidden / mask.num_mask_patches - mask.mask_ratio)


def _other_masks(model):
    """Returns masks of the same ratio, of every size of square that fits."""
    mask, backbone = model.random_mask, model.backbone
    masks = []
    for size in range(backbone.patch_size, min(backbone.image_size) + 1):
        try:
            masks.append(
                masking.create(
                    model.mask_strategy,
                    backbone.image_size,
                    backbone.patch_size,
                    size,
                    mask.mask_ratio,
                )
            )
        except ValueError:
            continue  # it does not fit the image or the patches
    return masks


def add_learning_rate(report) -> None:
    """Adds the rate after scaling."""
    base = optimization_flags.BASE_LEARNING_RATE.value
    batch_size = optimization_flags.GLOBAL_BATCH_SIZE.value
    reference = optimization_flags.REFERENCE_BATCH_SIZE.value
    peak = optimization_flags.peak_learning_rate()
    report.add(
        "Learning rate",
        f"{peak:.1e} at the peak = {base:g} * {batch_size} / {reference}",
    )
    if peak < _LOW_LEARNING_RATE:
        wanted = _RECIPE_LEARNING_RATE / 2 * reference / batch_size
        report.warn(
            f"For batches of {batch_size}, the learning rate is scaled down to "
            f"{peak:.1e}; the paper's recipe peaks at "
            f"{_RECIPE_LEARNING_RATE:g}. --base_learning_rate={wanted:.2g} "
            "gives half of that."
        )


def add_length(report, schedule, num_images: int) -> None:
    """Adds the number of updates."""
    steps = optimization_flags.total_steps(num_images)
    per_epoch = optimization_flags.steps_per_epoch(num_images)
    report.add(
        "Updates",
        f"{steps:,}, {schedule.warmup_steps:,} of them warm-up; "
        f"{per_epoch:,} an epoch",
    )
    if steps < _FEW_STEPS:
        report.warn(
            f"{steps:,} updates are few to learn features in. "
            f"--train_epochs={math.ceil(_FEW_STEPS / per_epoch)} makes "
            f"{_FEW_STEPS:,} or more; a smaller --global_batch_size has more "
            "of them in an epoch."
        )


def add_cost(report, model, optimizer, cost) -> None:
    """Adds parameters, arithmetic and memory."""
    backbone = _count(model.backbone.weights)
    total = _count(model.backbone.weights + model.head.weights)
    report.add(
        "Parameters",
        f"{total / 1e6:.2f} M, {backbone / 1e6:.2f} M of them the backbone",
    )
    report.add(
        "Arithmetic",
        f"{cost.step_flops / _GIGA:.1f} GFLOP an image and step, "
        f"{cost.forward_flops / _GIGA:.1f} of them forward"
        + (
            "; less with --visible_only, as memory is"
            if getattr(model.backbone, "visible_only", False)
            else ""
        ),
    )
    batch_size = optimization_flags.GLOBAL_BATCH_SIZE.value
    images = batch_size // optimization_flags.accumulation_steps()
    # Weights, their gradient, and the optimizer's moments.
    fixed = 4 * (2 * total + _count(optimizer.variables))
    needed = fixed + images * cost.activation_bytes
    report.add(
        "Memory",
        f"about {needed / _GIGA:.1f} GB a device: {fixed / _GIGA:.1f} GB for "
        f"weights, gradient and optimizer, "
        f"{cost.activation_bytes / 1e6:.0f} MB for each of {images} images",
    )
    available = host_memory()
    if needed > 0.8 * available:
        fitting = (0.8 * available - fixed) / cost.activation_bytes
        report.warn(
            f"A step needs about {needed / _GIGA:.1f} GB, and this machine has "
            f"{available / _GIGA:.1f} GB. {_memory_advice(batch_size, fitting)}"
        )


def add_speed(report, speed, cost) -> None:
    """Adds what was measured."""
    report.add("Input", f"{speed.input_alone:,.1f} images/s read, by itself")
    rate = speed.step_alone * cost.step_flops / _GIGA
    report.add(
        "Step",
        f"{speed.step_alone:,.1f} images/s trained, by itself, "
        f"{speed.batch_size} in {speed.batch_size / speed.step_alone:.3g} s "
        f"({rate:,.0f} GFLOP/s)",
    )
    if speed.input_alone < 1.2 * speed.step_alone:
        report.warn(
            f"Images are read at {speed.input_alone:,.1f} a second, and the "
            f"device could train on {speed.step_alone:,.1f}: it will wait. "
            "experiments/prepare.py makes images small once, for faster "
            "reading."
        )


def add_time(report, num_images: int, parts) -> None:
    """Adds the time that training will take.

    Args:
        report: `Report`.
        num_images: int. Of an epoch.
        parts: list of (images to train on, images/s), one for each phase.
    """
    seconds = sum(images / rate for images, rate in parts)
    rate = sum(images for images, _ in parts) / seconds
    epochs = optimization_flags.num_epochs(num_images)
    report.add(
        "Time",
        f"{_duration(num_images / rate / 3600)} an epoch at {rate:,.1f} "
        f"images/s, {_duration(seconds / 3600)} for {epochs:g} epochs, on one "
        "device",
    )


def _memory_advice(batch_size, fitting):
    for steps in range(1, batch_size + 1):
        if batch_size % steps == 0 and batch_size // steps <= fitting:
            return (
                f"--accumulation_steps={steps} fits on one device, with the "
                "same result; --rematerialize needs less memory still."
            )
    return "Not one image fits: take a smaller --backbone or --image_size."


def _duration(hours):
    if hours < 1 / 60:
        return f"{3600 * hours:.0f} s"
    if hours < 1:
        return f"{60 * hours:.1f} min"
    return f"{hours:,.1f} h" if hours < 72 else f"{hours / 24:,.1f} days"


def _count(variables):
    return sum(variable.shape.num_elements() for variable in variables)


def host_memory():
    """Returns the bytes of memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
