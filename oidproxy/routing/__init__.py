"""Routing: from a request's head (sometimes its body) and a snapshot to a decision. Pure."""
