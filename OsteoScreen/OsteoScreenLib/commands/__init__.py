"""What the command line does behind its options. Importing this room is cheap."""
