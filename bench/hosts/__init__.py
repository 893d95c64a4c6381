"""What a whole host with GPUs would deliver: a calculation from measured and published figures."""
