"""Images on their way to the model: sources, augmentation, and the stream."""

from tf_simmim.data.augmentation import PretrainingAugmentation
from tf_simmim.data.bad_images import BadImages
from tf_simmim.data.centre_crop import ResizeAndCentreCrop
from tf_simmim.data.distribution import distributed_batches
from tf_simmim.data.errors import DamagedRecordsError
from tf_simmim.data.errors import TooManyBadImagesError
from tf_simmim.data.evaluation_crop import EvaluationCrop
from tf_simmim.data.finetuning_augmentation import FinetuningAugmentation
from tf_simmim.data.mix_up_cut_mix import MixUpCutMix
from tf_simmim.data.normalization import IMAGENET_MEAN
from tf_simmim.data.normalization import IMAGENET_STD
from tf_simmim.data.normalization import Normalization
from tf_simmim.data.rand_augment import RandAugment
from tf_simmim.data.random_erasing import RandomErasing
from tf_simmim.data.service import served_batches
from tf_simmim.data.sources import ArraySource
from tf_simmim.data.sources import ChosenImages
from tf_simmim.data.sources import CocoSource
from tf_simmim.data.sources import DatasetSource
from tf_simmim.data.sources import DigitScenesSource
from tf_simmim.data.sources import DigitsSource
from tf_simmim.data.sources import FewImages
from tf_simmim.data.sources import FewLabels
from tf_simmim.data.sources import FolderSource
from tf_simmim.data.sources import PhotosSource
from tf_simmim.data.sources import SegmentationFolderSource
from tf_simmim.data.sources import Source
from tf_simmim.data.sources import TFDSSource
from tf_simmim.data.sources import TFRecordSource
from tf_simmim.data.sources import open_source
from tf_simmim.data.stream import IMAGE_DTYPES
from tf_simmim.data.stream import ImageStream

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "IMAGE_DTYPES",
    "ArraySource",
    "BadImages",
    "CocoSource",
    "DamagedRecordsError",
    "DatasetSource",
    "DigitScenesSource",
    "DigitsSource",
    "EvaluationCrop",
    "ChosenImages",
    "FewImages",
    "FewLabels",
    "FinetuningAugmentation",
    "FolderSource",
    "ImageStream",
    "MixUpCutMix",
    "Normalization",
    "PhotosSource",
    "PretrainingAugmentation",
    "RandAugment",
    "RandomErasing",
    "ResizeAndCentreCrop",
    "SegmentationFolderSource",
    "Source",
    "TFDSSource",
    "TFRecordSource",
    "TooManyBadImagesError",
    "distributed_batches",
    "open_source",
    "served_batches",
]
