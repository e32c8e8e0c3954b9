"""The run record: one folder per run, appended to while the run lasts, read back to be judged."""
