"""The proxy itself: listeners, what is done with a decision, workers, reload and drain."""
