"""Two runs, or a run and its baseline, compared: what was measured, whether it may be compared, what changed."""
