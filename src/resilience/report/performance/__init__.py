"""Pages about performance, written from runs: results, baselines, capacity, and what an optimisation brought."""
