"""Judging: a record in, a verdict out. Pure: no clock, files, randomness, network or environment."""
