"""Launches tf_simmim/programs/write_images.py; see its --help."""

import sys

from tf_simmim.programs import write_images

if __name__ == "__main__":
    write_images.launch(sys.argv)
