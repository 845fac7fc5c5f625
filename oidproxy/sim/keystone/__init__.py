"""A simulated Keystone."""
