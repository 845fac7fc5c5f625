"""One call to one cloud: pools, connections, TLS, retry, ejection."""
