"""Mutation testing of modules that decide: what is changed, which tests see it, and how a test run is given it."""
