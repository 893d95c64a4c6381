"""Benchmarks, soak tests and fuzzers of the service; only tests import this package.

Commands, each with `--help`:

- `python -m bench`: the service beside the limit of the machine; latencies, memory, start-up
- `python -m bench.load URL`: clients for a service that already runs
- `python -m bench.host`: what HTTP, decoding and geometry cost when the networks cost nothing
- `python -m bench.peers`: other servers with the same networks
- `python -m bench.hosts`: what a host with GPUs would deliver, by calculation
- `python -m bench.gpu`: the first hour on a GPU, in stages that write one signed file
- `python -m bench.networks`: engines and precisions, network by network
- `python -m bench.overload`: more requests than the service can answer in time
- `python -m bench.soak`: requests for hours
- `python -m bench.recovery`: killed workers
- `python -m bench.scaling`: autoscaling and rolling updates of Kubernetes, without a cluster
- `python -m bench.mutated`, `python -m bench.fuzz`: damaged input

Shared by these: `inputs` (images and bodies), `load` (HTTP clients), `measure` (servers, processes,
tables), `fakes` (networks that cost no time), `limit` (the same work without HTTP).
"""
