"""HTTP and batching: from a request's bytes to faces and their emotions."""
