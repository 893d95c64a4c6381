"""Tests of `tensorrtx`."""
