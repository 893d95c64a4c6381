"""The `emotions` command."""
