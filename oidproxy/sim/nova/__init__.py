"""A simulated Nova."""
