"""Runners in a process of their own, which can be killed and started anew; docs/adr/0006."""
