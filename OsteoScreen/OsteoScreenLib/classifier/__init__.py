"""Backbone families, the network, model bundles, device and precision."""
