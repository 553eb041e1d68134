"""The inference process: owns torch and the models, answers framed messages over its pipes. Importing this room is cheap."""
