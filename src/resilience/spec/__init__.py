"""Text → Experiment → Plan. Pure: no clock, randomness (but from seeds given), network, environment or files."""
