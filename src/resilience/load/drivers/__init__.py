"""Drivers: programs that send load, started from outside and asked for their account at the end."""
