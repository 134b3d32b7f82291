"""Images made ready once: smaller, in few large files, with an index."""

from tf_simmim.data.preparation.image_record import FORMATS
from tf_simmim.data.preparation.image_record import ImageRecord
from tf_simmim.data.preparation.preparation import Preparation

__all__ = ["FORMATS", "ImageRecord", "Preparation"]
