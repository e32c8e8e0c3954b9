"""Load: an open-model generator on Locust in a process of its own, and the drivers that start such processes.

Only `load.drivers` is imported by the rest of the program; everything else here runs in the load process, because
importing Locust replaces sockets, sleep and threads of the whole interpreter.
"""
