"""Mask generators: pure functions of a seed. 1 = hidden, 0 = visible."""

from tf_simmim.masking.block_wise_mask import BlockWiseMask
from tf_simmim.masking.distance import average_distance
from tf_simmim.masking.distance import expected_distance
from tf_simmim.masking.free_form_mask import FreeFormMask
from tf_simmim.masking.grid_mask import GridMask
from tf_simmim.masking.hidden_cells import hidden_cells
from tf_simmim.masking.patch_mask import PatchMask
from tf_simmim.masking.patch_mask import count_hidden
from tf_simmim.masking.pixel_mask import to_pixel_mask
from tf_simmim.masking.random_patch_mask import RandomPatchMask
from tf_simmim.masking.single_patch_mask import SinglePatchMask
from tf_simmim.masking.strategies import STRATEGIES
from tf_simmim.masking.strategies import create
from tf_simmim.masking.strategies import strategy_of

__all__ = [
    "STRATEGIES",
    "BlockWiseMask",
    "FreeFormMask",
    "GridMask",
    "PatchMask",
    "RandomPatchMask",
    "SinglePatchMask",
    "average_distance",
    "count_hidden",
    "create",
    "expected_distance",
    "hidden_cells",
    "strategy_of",
    "to_pixel_mask",
]
