"""What takes more than one cloud at a time."""
