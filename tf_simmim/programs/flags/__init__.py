"""Flags of the programs: one module for each group."""
