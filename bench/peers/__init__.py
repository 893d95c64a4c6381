"""The same models and functions inside other servers, measured side by side.

`python -m bench.peers setup` makes an environment for each, `python -m bench.peers` measures.
"""
