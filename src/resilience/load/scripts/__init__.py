"""Scripts of other load programs as the load of a run: the process that runs one, and the readers of what it tells.

Nothing in here imports Locust. Only `load.drivers` is imported by the rest of the program.
"""
