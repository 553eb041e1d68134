"""Case review: worklists, blind and second reads that are never lost, checks of bone masks, and how far readers agree."""
