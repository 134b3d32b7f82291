"""Exports: a model as TensorFlow Serving loads it, and checks of one."""

from tf_simmim.export.check import Check
from tf_simmim.export.preprocessing import Preprocessing
from tf_simmim.export.run_export import export_run
from tf_simmim.export.run_export import read_run
from tf_simmim.export.run_versions import is_current
from tf_simmim.export.served_model import ServedModel
from tf_simmim.export.signatures import Signatures
from tf_simmim.export.tflite_options import TFLiteOptions
from tf_simmim.export.verification import verify_export
from tf_simmim.export.verification import verify_in_new_process
from tf_simmim.export.writer import write_export

__all__ = [
    "Check",
    "Preprocessing",
    "ServedModel",
    "Signatures",
    "TFLiteOptions",
    "export_run",
    "is_current",
    "read_run",
    "verify_export",
    "verify_in_new_process",
    "write_export",
]
