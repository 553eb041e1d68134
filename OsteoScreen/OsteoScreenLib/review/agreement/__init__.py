"""Agreement: how far readers agree with each other, with themselves, with the model and with the reference, and what it changes."""
