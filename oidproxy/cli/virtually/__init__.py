"""Virtual time put together: the proxy's own code between simulated users and simulated clouds."""
