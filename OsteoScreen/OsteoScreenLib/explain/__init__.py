"""Saliency maps, occlusion (the bone toggles), `analyse` and the Analysis it returns."""
