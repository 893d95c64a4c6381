"""The autoscaling rule and rolling updates, tried with real processes instead of a cluster.

`python -m bench.scaling` changes the load in steps while a loop scales pods as Kubernetes would, by
the queries and the behaviour in `docker/kubernetes/components/autoscaling`. Prometheus and nginx
are real, and so is the service. With `--update` all pods are replaced under load instead.

A pod is one `emotions serve` with one worker, whose networks sleep for a fixed time per image. So
its capacity is known, and many pods fit on two cores. All times of the rule, and the deadline of
the service, are divided by one factor, so that minutes become seconds. Two times are not divided:
that of an image, and the start of a pod.
"""
