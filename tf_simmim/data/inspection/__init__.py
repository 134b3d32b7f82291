"""Looking at every image of a source before hours are spent on it."""

from tf_simmim.data.inspection.examination import Examined
from tf_simmim.data.inspection.examination import Examiner
from tf_simmim.data.inspection.finding import Finding
from tf_simmim.data.inspection.folder_survey import FolderSurvey
from tf_simmim.data.inspection.manifest_place import manifest_path
from tf_simmim.data.inspection.report import Report
from tf_simmim.data.inspection.source_items import open_items
from tf_simmim.data.inspection.tally import Tally

__all__ = [
    "Examined",
    "Examiner",
    "Finding",
    "FolderSurvey",
    "Report",
    "Tally",
    "manifest_path",
    "open_items",
]
