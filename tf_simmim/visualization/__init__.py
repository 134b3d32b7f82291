"""Pictures that show what a model does."""

from tf_simmim.visualization.accuracy_chart import accuracy_chart
from tf_simmim.visualization.accuracy_curves import accuracy_curves
from tf_simmim.visualization.attention_maps import attention_maps
from tf_simmim.visualization.colours import heat_colours
from tf_simmim.visualization.colours import heat_overlay
from tf_simmim.visualization.colours import shown_channels
from tf_simmim.visualization.colours import to_rgb
from tf_simmim.visualization.confusion_matrix import confusion_matrix
from tf_simmim.visualization.detection_grid import detection_grid
from tf_simmim.visualization.feature_colours import feature_colours
from tf_simmim.visualization.kept_widths import kept_widths
from tf_simmim.visualization.mask_gallery import mask_gallery
from tf_simmim.visualization.picture_table import picture_table
from tf_simmim.visualization.reconstruction_grid import reconstruction_grid
from tf_simmim.visualization.reconstruction_grid import write_png
from tf_simmim.visualization.segmentation_grid import class_colours
from tf_simmim.visualization.segmentation_grid import segmentation_grid
from tf_simmim.visualization.trade_off_chart import trade_off_chart

__all__ = [
    "accuracy_chart",
    "accuracy_curves",
    "attention_maps",
    "class_colours",
    "confusion_matrix",
    "detection_grid",
    "feature_colours",
    "heat_colours",
    "heat_overlay",
    "kept_widths",
    "mask_gallery",
    "picture_table",
    "reconstruction_grid",
    "segmentation_grid",
    "shown_channels",
    "to_rgb",
    "trade_off_chart",
    "write_png",
]
