"""Our training step beside that of Hugging Face's models in PyTorch.

    pip install -e '.[bench]'
    python benchmarks/peers.py

For each of --models the same network, weights, images and masks on both sides:
`models.SimMIM` of TensorFlow, and `ViTForMaskedImageModeling` or
`SwinForMaskedImageModeling`, eager and compiled. Hugging Face's ViT has learned
positions and neither relative ones nor LayerScale, so ours has not either.

First the losses and all gradients are compared: without agreement there are no
timings. Then processes take steps in turn, in an order drawn for each round:
forward pass, loss, gradient, clipping by the global norm, AdamW; float32, the
same number of threads. The table has the images per second of each, and our
speed over each, round by round; above it stands the sgemm peak of these rounds.
"""

import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

import exact_pixels
import numpy as np
import turns
from absl import app
from absl import flags
from hugging_face import to_hugging_face
from spread import ratios
from spread import spread

import tf_simmim  # noqa: F401  (sets TensorFlow up; before TensorFlow itself)
from tf_simmim import backbones
from tf_simmim import convert
from tf_simmim import models
from tf_simmim import optimization

# isort: split
import tensorflow as tf

_MODELS = flags.DEFINE_list(
    "models", ["vit_small@224", "swin_tiny@192"], "Networks to train."
)
_BATCH_SIZE = flags.DEFINE_integer(
    "batch_size", 8, "Images of a step.", lower_bound=1
)
_NUM_ROUNDS = flags.DEFINE_integer(
    "num_rounds", 15, "Steps of each kind that count.", lower_bound=1
)
_NUM_THREADS = flags.DEFINE_integer(
    "num_threads", 2, "Of an operation, on both sides.", lower_bound=1
)
_WORKER = flags.DEFINE_string("worker", None, "Set by the program itself.")
_JIT_COMPILE = flags.DEFINE_bool("jit_compile", False, "XLA on our side.")

_PEER = pathlib.Path(__file__).with_name("peer_torch.py")
_SGEMM = pathlib.Path(__file__).with_name("sgemm.py")
_LOSS_TOLERANCE = 1e-5  # relative
_GRADIENT_TOLERANCE = 1e-4  # of each tensor, relative L2
# What Hugging Face's ViT has, where it differs from SimMIM's.
_VIT_OPTIONS = dict(
    absolute_position="learned",
    relative_position="none",
    layer_scale_init=None,
)


def has_peer(name):
    """Whether a name is PRESET@SIDE, of a network that is on both sides."""
    preset, _, side = name.partition("@")
    kinds = backbones.ViT, backbones.Swin
    return (
        preset in backbones.PRESETS
        and backbones.backbone_class(preset) in kinds
        and side.isdecimal()
    )


flags.register_validator(
    "models",
    lambda names: all(map(has_peer, names)),
    "must be PRESET@SIDE each, of a ViT or a Swin: vit_small@224,swin_tiny@192",
)


def create_model(name):
    """Returns our model of "PRESET@SIDE", and its options in their words."""
    preset, side = name.split("@")
    is_vit = backbones.backbone_class(preset) is backbones.ViT
    options = _VIT_OPTIONS if is_vit else {}
    backbone = backbones.create(preset, int(side), **options)
    theirs = {
        "family": "vit" if is_vit else "swin",
        "image_size": int(side),
        "patch_size": backbone.patch_size,
        "encoder_stride": backbone.stride,
        "layer_norm_eps": backbone.epsilon,
    }
    if is_vit:
        theirs |= {
            "hidden_size": backbone.embed_dim,
            "num_hidden_layers": backbone.depth,
            "num_attention_heads": backbone.num_heads,
            "intermediate_size": 4 * backbone.embed_dim,
        }
    else:
        theirs |= {
            "embed_dim": backbone.embed_dim,
            "depths": list(backbone.depths),
            "num_heads": list(backbone.num_heads),
            "window_size": backbone.window_size[0],
        }
    return models.SimMIM(backbone), theirs


def create_problem(name):
    """Returns (our model, its element, what PyTorch's side reads).

    The same whenever it is called.
    """
    tf.keras.utils.set_random_seed(0)
    model, options = create_model(name)
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        # Zeros and ones would hide a weight in the wrong place.
        noise = rng.normal(scale=0.02, size=variable.shape)
        variable.assign_add(noise.astype(np.float32))
    shape = [_BATCH_SIZE.value, *model.backbone.image_size, 3]
    images = rng.normal(size=shape).astype(np.float32)
    mask = model.random_mask.sample_batch(
        tf.constant([0, 0], tf.int64), _BATCH_SIZE.value
    )
    images = exact_pixels.without_exact_pixels(model, images, mask)
    theirs = {
        "options": json.dumps(options),
        "images": np.ascontiguousarray(images.transpose(0, 3, 1, 2)),
        "patch_mask": mask.numpy().reshape(len(images), -1),
    }
    for weight, array in convert.reference_weights(model).items():
        theirs[f"weights/{weight}"] = array
    return model, {"image": tf.constant(images), "patch_mask": mask}, theirs


def require_agreement(model, element, family, path):
    """Ends the program unless both sides have one loss and one gradient."""
    gradients_path = path.with_name("gradients.npz")
    arguments = [f"--problem={path}", f"--gradients={gradients_path}"]
    command = [sys.executable, _PEER, *arguments]
    if subprocess.run(command, check=False).returncode:
        sys.exit("PyTorch's side has failed; its own message is above.")
    theirs = dict(np.load(gradients_path))

    @tf.function
    def gradient():
        with tf.GradientTape() as tape:
            loss = model.full_loss(
                element["image"], element["patch_mask"], training=True
            )
        return loss, tape.gradient(loss, model.trainable_variables)

    loss, gradients = gradient()
    variables = [variable.ref() for variable in model.trainable_variables]
    by_variable = dict(zip(variables, gradients, strict=True))
    ours = to_hugging_face(
        {
            m.name: m.to_reference(by_variable[m.variable.ref()].numpy())
            for m in convert.reference_weight_maps(model)
        },
        family,
    )
    their_loss = theirs.pop("loss")
    difference = abs(float(loss) / their_loss - 1)
    # Biases on keys change nothing, so their gradients are rounding errors.
    worst, name = max(
        (_distance(ours[name], theirs[name]), name)
        for name in theirs
        if not name.endswith("k_proj.bias")
    )
    print(
        f"loss {float(loss):.6f}, {difference:.1e} from theirs; gradients "
        f"differ by {worst:.1e} at most, of {name}"
    )
    if difference > _LOSS_TOLERANCE or worst > _GRADIENT_TOLERANCE:
        sys.exit(
            "The two sides do not compute the same, so their times are not "
            f"compared: the loss may differ by {_LOSS_TOLERANCE}, a tensor's "
            f"gradient by {_GRADIENT_TOLERANCE}."
        )


def _distance(ours, theirs):
    return np.linalg.norm(ours - theirs) / np.linalg.norm(ours)


def measure(name):
    """Returns the rounds of one network."""
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "problem.npz"
        model, element, theirs = create_problem(name)
        np.savez(path, **theirs)
        family = json.loads(theirs["options"])["family"]
        require_agreement(model, element, family, path)
        common = [f"--num_threads={_NUM_THREADS.value}"]
        ours = [
            *common,
            f"--worker={name}",
            f"--batch_size={_BATCH_SIZE.value}",
        ]
        theirs = [*common, f"--problem={path}"]
        workers = {
            "tf_simmim": turns.Worker(__file__, *ours),
            "tf_simmim, XLA": turns.Worker(__file__, *ours, "--jit_compile"),
            "PyTorch, eager": turns.Worker(_PEER, *theirs),
            "PyTorch, compiled": turns.Worker(_PEER, *theirs, "--compiled"),
            "sgemm": turns.Worker(_SGEMM, "--worker"),
        }
        rounds = turns.take_turns(workers, _NUM_ROUNDS.value)
        for worker in workers.values():
            worker.end()
    return rounds


def report(name, rounds):
    """Prints the table of one network."""
    batch_size = _BATCH_SIZE.value
    ours = "tf_simmim"
    peak = statistics.median(r["sgemm"]["flops_per_second"] for r in rounds)
    print(
        f"\n{name}, batch {batch_size}, {_NUM_THREADS.value} threads, "
        f"{len(rounds)} rounds, sgemm {peak / 1e9:.0f} GFLOP/s\n\n"
        f"| step | images/s | speed of {ours} over it | by processor time "
        "| peak MB |\n|---|---|---|---|---|"
    )
    for kind in (kind for kind in rounds[0] if kind != "sgemm"):
        seconds = statistics.median(r[kind]["seconds"] for r in rounds)
        speeds = [
            spread(ratios(rounds, key, kind, ours))
            for key in ("seconds", "processor_seconds")
        ]
        print(
            f"| {kind} | {batch_size / seconds:.2f} | {speeds[0]} "
            f"| {speeds[1]} | {rounds[-1][kind]['peak_bytes'] / 1e6:,.0f} |"
        )


def take_steps(name):
    """Takes training steps of our own when told to."""
    model, element, _ = create_problem(name)
    model.compile(
        optimization.create_optimizer("adamw", model, 1e-4),
        jit_compile=_JIT_COMPILE.value,
    )
    turns.serve(lambda: model.train_on_batch(element, return_dict=True))


def main(argv):
    """Runs the program."""
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    tf.config.threading.set_intra_op_parallelism_threads(_NUM_THREADS.value)
    if _WORKER.value:
        take_steps(_WORKER.value)
        return
    for name in _MODELS.value:
        report(name, measure(name))


if __name__ == "__main__":
    app.run(main)
