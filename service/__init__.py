"""The service: HTTP and telemetry around a pool of workers."""
