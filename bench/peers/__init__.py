"""The same networks and functions in other servers.

`python -m bench.peers setup` makes an environment for each, `python -m bench.peers` measures.
"""
