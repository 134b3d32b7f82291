"""Launches tf_simmim/programs/prepare.py; see its --help."""

import sys

from tf_simmim.programs import prepare

if __name__ == "__main__":
    prepare.launch(sys.argv)
