"""What pruning keeps of a network: criteria and widths side by side.

    python benchmarks/compression.py --runs=runs/demo/finetuned,runs/other

prints for each share of hidden units that goes, and for each criterion, the KL
divergence from the original and the score on the held-out images of the runs
(one seed each): with compensation and without it, the mean over the runs. Then
widths of queries, keys and values, alone and with three quarters of the MLP
gone. The runs are of one kind: classifiers or segmenters. Processor time of
each pruning is in the last column.

    python benchmarks/compression.py --wide=50

prunes a ViT-B of random weights on random images by half of everything, and
prints its time and memory.
"""

import resource
import statistics
import time

import numpy as np
from absl import app
from absl import flags

import tf_simmim  # noqa: F401  (sets TensorFlow up; before TensorFlow itself)
from tf_simmim import backbones
from tf_simmim import models
from tf_simmim import run as run_files
from tf_simmim import training
from tf_simmim.compression import calibration
from tf_simmim.compression import fidelity
from tf_simmim.compression import narrowing
from tf_simmim.compression import ordering
from tf_simmim.compression import pruning
from tf_simmim.compression import tallies
from tf_simmim.programs import run_images

# isort: split
import tensorflow as tf

_RUNS = flags.DEFINE_list("runs", [], "Folders of fine-tuned runs.")
_NUM_CALIBRATION = flags.DEFINE_integer(
    "num_calibration_images", 512, "Images to calibrate with."
)
_SHARES = flags.DEFINE_list(
    "shares", ["0.5", "0.75", "0.875"], "Shares of hidden units that go."
)
_KEY_SHARES = flags.DEFINE_list(
    "key_shares", ["0.5", "0.25", "0.125"], "Shares of ranks that stay."
)
_WIDE = flags.DEFINE_integer(
    "wide", 0, "Prune a ViT-B to this percentage instead."
)


class Subject:
    """A run's network, measured by its held-out images."""

    def __init__(self, folder):
        self.model = training.load_pretrained(folder)
        record = run_files.read_record(folder)
        images, _ = run_images.batches(
            record, self.model, run_images.TRAINING, _NUM_CALIBRATION.value
        )
        self.images = [element["image"] for element in images]
        held_out, _ = run_images.batches(
            record, self.model, run_images.HELD_OUT, 2000
        )
        self.held_out = list(held_out)
        shown = [element["image"] for element in self.held_out]
        self.fidelity = fidelity.Fidelity(self.model, shown)
        self.found = calibration.calibrate(self.model.backbone, self.images)
        self.classes = fidelity.Fidelity(self.model, self.images).best()
        self._logits = tf.function(
            lambda images: fidelity.answers(self.model, images),
            reduce_retracing=True,
        )

    def narrowing(self, criterion, compensate=True, seed=0):
        orders = ordering.unit_orders(
            self.model,
            self.found,
            criterion,
            batches=self.images,
            classes=self.classes,
            seed=seed,
        )
        return narrowing.Narrowing(
            self.model, self.found, orders, compensate=compensate
        )

    def measure(self, found, widths):
        """Returns (KL, score, share of weights) at some widths."""
        with found.masked(widths):
            kl, score = self.fidelity.kl(), self.score()
        narrow = found.narrow(widths)
        return kl, score, narrow.count_params() / self.model.count_params()

    def score(self):
        tally = tallies.tally_for(self.model)
        for element in self.held_out:
            logits = self._logits(element["image"]).numpy()
            tally.add(element, {"logits": logits})
        return next(iter(tally.scores().values()))


def shares_of(full, shares):
    """Returns {part: widths} at {part: share that stays}."""
    return {
        part: tuple(max(1, round(share * width)) for width in full[part])
        for part, share in shares.items()
    }


def row(title, results):
    """Prints the means of (KL, score, share of weights) over runs."""
    kl, score, share = (statistics.fmean(c) for c in zip(*results, strict=True))
    each = "/".join(f"{result[0]:.5f}" for result in results)
    print(f"| {title} | {kl:.5f} | {each} | {score:.4f} | {share:.3f} |")


def compare(subjects):
    """Prints the tables of all criteria, ranks and targets."""
    scores = [subject.score() for subject in subjects]
    print(f"Original: {statistics.fmean(scores):.4f}, {scores}\n")
    print("| what | KL, mean | each | score | weights |\n|---|---|---|---|---|")
    for compensate in (True, False):
        for criterion in ordering.CRITERIA:
            found = [s.narrowing(criterion, compensate) for s in subjects]
            for gone in map(float, _SHARES.value):
                results = [
                    s.measure(n, shares_of(n.full, {"mlp": 1 - gone}))
                    for s, n in zip(subjects, found, strict=True)
                ]
                how = "" if compensate else ", not compensated"
                row(f"{100 * gone:g} % of MLP, {criterion}{how}", results)
    found = [s.narrowing("logdet") for s in subjects]
    for share in map(float, _KEY_SHARES.value):
        for with_mlp in (False, True):
            shares = {"query_key": share, "value": share}
            if with_mlp:
                shares["mlp"] = 0.25
            results = [
                s.measure(n, shares_of(n.full, shares))
                for s, n in zip(subjects, found, strict=True)
            ]
            title = f"{100 * share:g} % of ranks"
            row(title + ", 25 % of MLP" * with_mlp, results)
    for target in ("params:0.4", "params:0.2", "kl:0.01"):
        for budget in pruning.BUDGETS:
            results, start = [], time.process_time()
            for s in subjects:
                pruned = pruning.prune(s.model, s.images, target, budget=budget)
                share = pruned.model.count_params() / s.model.count_params()
                kl = s.fidelity.kl_of(pruned.model)
                results.append((kl, score_of(s, pruned.model), share))
            spent = (time.process_time() - start) / len(subjects)
            row(f"{target}, {budget} ({spent:.0f} s)", results)


def score_of(subject, model):
    """Returns the score of another model on a subject's images."""
    tally = tallies.tally_for(model)
    for element in subject.held_out:
        logits = fidelity.answers(model, element["image"]).numpy()
        tally.add(element, {"logits": logits})
    return next(iter(tally.scores().values()))


def prune_wide():
    """Prunes a ViT-B of random weights, all of it by as much."""
    tf.keras.utils.set_random_seed(0)
    backbone = backbones.create("vit_base", 224)
    rng = np.random.default_rng(0)
    for weight in backbone.weights:
        if len(weight.shape) == 2:
            # Of a spectrum, so that units and heads depend on each other.
            left, _, right = np.linalg.svd(weight.numpy(), full_matrices=False)
            values = 2.0 * np.arange(1, len(right) + 1) ** -0.5
            weight.assign(left * values @ right)
    model = models.SimMIM(backbone)
    images = rng.normal(size=[256, 56, 56, 3]).astype(np.float32)
    images = tf.image.resize(images, [224, 224])
    start, processor = time.monotonic(), time.process_time()
    found = pruning.prune(
        model,
        [images[i : i + 8] for i in range(0, 256, 8)],
        f"params:{_WIDE.value / 100}",
        budget="uniform",
        num_kl_images=32,
        on_step=lambda done, total, what: print(
            f"{what} {done}/{total} {time.monotonic() - start:.0f} s",
            flush=True,
        ),
    )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"ViT-B, {_WIDE.value} %: {time.monotonic() - start:.0f} s, processor "
        f"{time.process_time() - processor:.0f} s, {memory:.2f} GB at most, "
        f"KL {found.kl:.5f}, {found.model.count_params():,} weights of "
        f"{model.count_params():,}."
    )


def main(argv):
    """Runs the benchmark."""
    del argv
    if _WIDE.value:
        prune_wide()
    else:
        compare([Subject(folder) for folder in _RUNS.value])


if __name__ == "__main__":
    app.run(main)
