"""A simulated Cinder."""
