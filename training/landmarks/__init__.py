"""Training of the network that places landmarks on a face cut out upright."""
