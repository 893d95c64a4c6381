"""Labelled data sets, and how well the networks do on them."""
