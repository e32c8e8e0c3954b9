"""The one seam to this machine: processes, commands, durable files, folders of state. Knows nothing of experiments."""
