"""Labelled data sets, and the accuracy of the networks on them."""
