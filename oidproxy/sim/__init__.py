"""Simulated OpenStack clouds: services as pure state machines, and the aiohttp applications that serve
them."""
