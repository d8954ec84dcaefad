"""How networks are computed: in training (`planner`), and when they predict (`deployed`).

All outputs, gradients and running statistics equal those of the network's own forward pass, to rounding error.
"""
