"""What the benchmarks measure with: a server, its processes, its metrics, tables and pictures."""
