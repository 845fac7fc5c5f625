"""HTTP/1.1 as values and rules: heads, framing, hop-by-hop fields, limits. No sockets, no clock."""
