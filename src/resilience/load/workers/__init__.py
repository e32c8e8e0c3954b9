"""One load carried by several processes, on one machine or many, on Locust's own master and workers."""
