"""Modules of `benchmarks/`, as its programs import them."""

import pathlib
import sys

# At the end: `serving` is the package, not the program of this name.
sys.path.append(str(pathlib.Path(__file__).parents[2] / "benchmarks"))
