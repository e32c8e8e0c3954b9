"""Programs that hold a fault while they run, see `resilience.faults.holder`."""
