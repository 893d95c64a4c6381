"""Detectors side by side, on pictures whose faces are labelled."""
