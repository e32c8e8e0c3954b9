"""What runs the target and what it depends on. `factory.open_stack` is the way in; `settle` cleans up after a crash."""
