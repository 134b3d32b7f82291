"""Version 2 of tf_simmim.backbones.swin against NumPy.

Written from the paper (Liu et al., 2021, https://arxiv.org/abs/2111.09883),
without windows as tensors: a cell attends to the cells of the image that its
shifted window holds, found by their coordinates.
"""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import backbones
from tf_simmim import convert

B, SIZE, C, P, D = 2, (24, 40), 2, 4, 6
OPTIONS = dict(
    image_size=SIZE,
    patch_size=P,
    embed_dim=D,
    depths=(2, 2),
    num_heads=(2, 3),
    channels=C,
    version=2,
)


def layer_norm(x, weights, name):
    x = x - x.mean(-1, keepdims=True)
    x = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5)
    return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def linear(x, weights, name):
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def gelu(x):
    return x * 0.5 * (1 + tf.math.erf(x / np.sqrt(2)).numpy())


def log_spaced(offset, largest):
    offset = 8 * offset / max(largest, 1)
    return np.sign(offset) * np.log2(1 + np.abs(offset)) / 3


def attend(x, weights, name, window, shift):
    """x: [h, w, D]. Every cell by itself, over the cells of its window."""
    h, w, width = x.shape
    scale = np.minimum(np.exp(weights[f"{name}.logit_scale"].ravel()), 100)
    heads = len(scale)
    qkv = x @ weights[f"{name}.qkv.weight"].T
    q, k, v = np.split(qkv, 3, axis=-1)
    q, v = q + weights[f"{name}.q_bias"], v + weights[f"{name}.v_bias"]
    q, k, v = (t.reshape(h, w, heads, -1) for t in (q, k, v))
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    k = k / np.linalg.norm(k, axis=-1, keepdims=True)

    def number(r, c):
        """Which window a cell is in; the first ones are cut by the shift."""
        return tuple(
            (place - by) // size
            for place, by, size in zip((r, c), shift, window, strict=True)
        )

    y = np.zeros([h, w, heads, width // heads])
    for r, c in np.ndindex(h, w):
        seen = [
            cell for cell in np.ndindex(h, w) if number(*cell) == number(r, c)
        ]
        logits = np.zeros([len(seen), heads])
        for i, (r2, c2) in enumerate(seen):
            offset = np.array(
                [
                    log_spaced(r - r2, window[0] - 1),
                    log_spaced(c - c2, window[1] - 1),
                ]
            )
            hidden = linear(offset, weights, f"{name}.cpb_mlp.0")
            bias = np.maximum(hidden, 0) @ weights[f"{name}.cpb_mlp.2.weight"].T
            cosines = (q[r, c] * k[r2, c2]).sum(-1)
            logits[i] = scale * cosines + 16 / (1 + np.exp(-bias))
        share = np.exp(logits - logits.max(0))
        share /= share.sum(0)
        values = np.stack([v[cell] for cell in seen])  # [cells, K, E]
        y[r, c] = (share[..., np.newaxis] * values).sum(0)
    return linear(y.reshape(h, w, width), weights, f"{name}.proj")


def embed(image, mask, weights):
    h, w = (side // P for side in SIZE)
    kernel = weights["patch_embed.proj.weight"]  # [D, C, P, P]
    x = np.zeros([h, w, D])
    for r, c in np.ndindex(h, w):
        patch = image[r * P : (r + 1) * P, c * P : (c + 1) * P]
        x[r, c] = (kernel * patch.transpose(2, 0, 1)).sum((1, 2, 3))
    x = layer_norm(x + weights["patch_embed.proj.bias"], weights, _NORM)
    x[mask == 1] = weights["mask_token"][0, 0]
    return x


_NORM = "patch_embed.norm"


def forward(image, mask, weights, window_size):
    """The features of one image."""
    x = embed(image, mask, weights)
    for stage in range(2):
        if stage:
            x = np.concatenate(
                [x[r::2, c::2] for c in range(2) for r in range(2)], axis=-1
            )
            name = "layers.0.downsample"
            x = x @ weights[f"{name}.reduction.weight"].T
            x = layer_norm(x, weights, f"{name}.norm")
        sides = x.shape[:2]
        window = [min(side, window_size) for side in sides]
        for block in range(2):
            shift = [
                window_size // 2 if block and side > window_size else 0
                for side in sides
            ]
            name = f"layers.{stage}.blocks.{block}"
            y = attend(x, weights, f"{name}.attn", window, shift)
            x = x + layer_norm(y, weights, f"{name}.norm1")
            y = gelu(linear(x, weights, f"{name}.mlp.fc1"))
            y = linear(y, weights, f"{name}.mlp.fc2")
            x = x + layer_norm(y, weights, f"{name}.norm2")
    return layer_norm(x, weights, "norm")


class SwinVersion2Test(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(
        (3, False),  # divides 6 rows, not 10 columns, nor 3 x 5
        (5, False),  # cut to 3 rows in the last stage
        (4, True),
    )
    def test_equals_numpy(self, window_size, jit_compile):
        rng = np.random.default_rng(0)
        swin = backbones.Swin(window_size=window_size, **OPTIONS)
        swin.set_weights([0.4 * rng.normal(size=w.shape) for w in swin.weights])
        for block in swin.stages[0] + swin.stages[1]:
            block.attention.logit_scale.assign_add(
                np.full(block.attention.logit_scale.shape, 2.0)
            )
        images = rng.normal(size=[B, *SIZE, C])
        mask = rng.integers(0, 2, [B, 6, 10])
        run = tf.function(
            lambda images, mask: swin(images, patch_mask=mask),
            jit_compile=jit_compile,
        )
        got = run(tf.constant(images, tf.float32), mask)
        weights = convert.reference_weights(swin)
        want = [
            forward(image, hidden, weights, window_size)
            for image, hidden in zip(images, mask, strict=True)
        ]
        self.assertAllClose(got, want, rtol=0, atol=2e-5)


if __name__ == "__main__":
    tf.test.main()
