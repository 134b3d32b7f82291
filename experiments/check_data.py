"""Launches tf_simmim/programs/check_data.py; see its --help."""

import sys

from tf_simmim.programs import check_data

if __name__ == "__main__":
    check_data.launch(sys.argv)
