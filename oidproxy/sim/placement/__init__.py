"""A simulated Placement."""
