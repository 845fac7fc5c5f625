"""A simulated Neutron."""
