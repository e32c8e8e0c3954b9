"""Exercises: whether what this project promises is kept, tried on real targets."""
