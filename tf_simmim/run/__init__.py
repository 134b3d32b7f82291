"""What describes a run: run.json, and the files of older runs."""

from tf_simmim.run.data_record import DataRecord
from tf_simmim.run.input_record import InputRecord
from tf_simmim.run.input_record import describe_crop
from tf_simmim.run.model_record import ModelRecord
from tf_simmim.run.record import RunRecord
from tf_simmim.run.record_file import read_record
from tf_simmim.run.record_file import read_settings
from tf_simmim.run.record_file import write_record
from tf_simmim.run.release_0_1 import settings_of_checkpoint

__all__ = [
    "DataRecord",
    "InputRecord",
    "ModelRecord",
    "RunRecord",
    "describe_crop",
    "read_record",
    "read_settings",
    "settings_of_checkpoint",
    "write_record",
]
