"""Independent OpenStack clouds on one machine, each with the proxy's address beside it."""
