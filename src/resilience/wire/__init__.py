"""A TCP proxy with toxiproxy's control API and toxics, which also understands Redis and PostgreSQL.

A program of its own (`python -m resilience.wire`): nothing here is imported by the rest of the package, and nothing here
imports it but errors and values.
"""
