"""Trainable assemblies: backbone + head + loss, each with its train_step."""

from tf_simmim.models.classifier import Classifier
from tf_simmim.models.detector import Detector
from tf_simmim.models.segmenter import Segmenter
from tf_simmim.models.simmim import SimMIM

__all__ = ["Classifier", "Detector", "Segmenter", "SimMIM"]
