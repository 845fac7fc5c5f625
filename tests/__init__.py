"""Tests, laid out as the package is; wire/ has the proxy between raw sockets."""
