"""Load on a server over HTTP: a lean client, closed and open loops, and what they send."""
