"""What leaves OsteoScreen: the overlay picture and the self-contained report."""
