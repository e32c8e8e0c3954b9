"""A TCP proxy with toxiproxy's control API and toxics, which also understands Redis and PostgreSQL.

A program of its own (`python -m resilience.wire`): the rest of the package does not import it, and it imports nothing
of the rest but what patterns may be.
"""
