"""Images of which two implementations must have the same L1 gradient.

Dimension key:
  B: batch   H W: image, px   C: channels   h w: grid of model patches
"""

import numpy as np

from tf_simmim import masking

# Nearer to its prediction, a hidden pixel's sign may be rounding's.
_CLOSE = 1e-3  # in deviations of an image


def without_exact_pixels(model, images, patch_mask):
    """Returns images of which no hidden pixel is predicted (almost) exactly.

    The gradient of such a pixel's L1 is a sign that rounding decides, so two
    correct sides may differ in it. Hidden pixels are targets only: to move them
    changes no prediction.

    Args:
        model: `models.SimMIM`.
        images: float32 array [B, H, W, C], normalised.
        patch_mask: int32 [B, h, w]. 1 = hidden, 0 = visible.

    Returns:
        float32 array [B, H, W, C].
    """
    prediction = model.reconstruct(images, patch_mask)["reconstruction"].numpy()
    hidden = masking.to_pixel_mask(
        patch_mask, model.backbone.patch_size
    ).numpy()
    is_close = np.abs(images - prediction) < _CLOSE
    moved = is_close & (hidden[..., np.newaxis] == 1)
    return images + np.float32(2 * _CLOSE) * moved
