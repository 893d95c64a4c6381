"""Recipes that train the networks which the service runs."""
