"""Launches tf_simmim/programs/export.py; see its --help."""

import sys

from tf_simmim.programs import export

if __name__ == "__main__":
    export.launch(sys.argv)
