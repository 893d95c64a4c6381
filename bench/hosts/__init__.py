"""Images per second of whole hosts with GPUs, calculated from measured and published figures."""
