"""Pictures that show what a model does."""

from tf_simmim.visualization.confusion_matrix import confusion_matrix
from tf_simmim.visualization.mask_gallery import mask_gallery
from tf_simmim.visualization.reconstruction_grid import reconstruction_grid
from tf_simmim.visualization.reconstruction_grid import write_png

__all__ = [
    "confusion_matrix",
    "mask_gallery",
    "reconstruction_grid",
    "write_png",
]
