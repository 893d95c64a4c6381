"""Teaches the emotion network classes of the user's own."""
