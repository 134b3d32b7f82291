"""Sources of images, one per file; `open_source` finds one by its name."""

from tf_simmim.data.sources.arrays import ArraySource
from tf_simmim.data.sources.chosen_images import ChosenImages
from tf_simmim.data.sources.coco import CocoSource
from tf_simmim.data.sources.dataset import DatasetSource
from tf_simmim.data.sources.digit_scenes import DigitScenesSource
from tf_simmim.data.sources.digits import DigitsSource
from tf_simmim.data.sources.few_images import FewImages
from tf_simmim.data.sources.few_labels import FewLabels
from tf_simmim.data.sources.folder import FolderSource
from tf_simmim.data.sources.open import open_source
from tf_simmim.data.sources.photos import PhotosSource
from tf_simmim.data.sources.segmentation_folder import SegmentationFolderSource
from tf_simmim.data.sources.source import Source
from tf_simmim.data.sources.tfds import TFDSSource
from tf_simmim.data.sources.tfrecord import TFRecordSource

__all__ = [
    "ArraySource",
    "CocoSource",
    "DatasetSource",
    "DigitScenesSource",
    "DigitsSource",
    "ChosenImages",
    "FewImages",
    "FewLabels",
    "FolderSource",
    "PhotosSource",
    "SegmentationFolderSource",
    "Source",
    "TFDSSource",
    "TFRecordSource",
    "open_source",
]
