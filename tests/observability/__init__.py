"""Tests of metrics, logs, dashboard and alerts."""
