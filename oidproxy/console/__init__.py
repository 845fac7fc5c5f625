"""The admin listener: health, metrics, reload and drain, apart from the listeners that serve clients."""
