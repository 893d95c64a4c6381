"""The service on platforms of others: `emotions.ray` is an application of Ray Serve."""
