"""Live views of a run, read only: they fold events and slices and hold no power over the target."""
