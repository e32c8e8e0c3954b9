"""What holds a run together: clock, debts, leases, the guard of the reaper, preflight and the session itself."""
