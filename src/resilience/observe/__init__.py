"""Looking at the target and at what it depends on, directly and without changing anything."""
