"""Break-point searches and capacity runs, conducted on a running session."""
