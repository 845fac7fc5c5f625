"""What differs between two results, and how sure that is."""
