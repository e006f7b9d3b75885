"""Ways to choose one of several fit servers, beside the round robin of `routing/balancer.py`."""
