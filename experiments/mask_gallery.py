"""Launches tf_simmim/programs/mask_gallery.py; see its --help."""

import sys

from tf_simmim.programs import mask_gallery

if __name__ == "__main__":
    mask_gallery.launch(sys.argv)
