"""What limited the target: when it was saturated, and which resource shows most that it was waited for."""
