"""Tests of weights to network."""
