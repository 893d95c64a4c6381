"""Training of the network that places landmarks on an upright crop of a face."""
