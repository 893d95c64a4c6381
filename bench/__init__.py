"""Load and limits, measured side by side in one run; nothing imports this package."""
