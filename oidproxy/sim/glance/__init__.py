"""A simulated Glance."""
