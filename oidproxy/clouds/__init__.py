"""What the operator declared: configuration to immutable registry, and which clouds a scope means in it."""
