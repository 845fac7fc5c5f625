"""Virtual time: an event loop, a network and clouds in one process, in which a day takes minutes."""
