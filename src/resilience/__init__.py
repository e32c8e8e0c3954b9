"""Declarative chaos and load experiments with a verdict that can be trusted."""

__version__ = "0.1.0"
