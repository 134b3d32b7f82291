"""Launches tf_simmim/programs/feature_pictures.py; see its --help."""

import sys

from tf_simmim.programs import feature_pictures

if __name__ == "__main__":
    feature_pictures.launch(sys.argv)
