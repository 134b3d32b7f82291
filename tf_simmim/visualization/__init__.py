"""Pictures that show what a model does."""

from tf_simmim.visualization.reconstruction_grid import reconstruction_grid
from tf_simmim.visualization.reconstruction_grid import write_png

__all__ = ["reconstruction_grid", "write_png"]
