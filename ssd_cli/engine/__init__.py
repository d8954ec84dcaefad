"""How networks are computed: in training (`planner`), and when they predict (`deployed`).

A network's own forward pass is the definition. Everything here computes the same outputs, gradients and running statistics, to
rounding error, from the same parameters.
"""
