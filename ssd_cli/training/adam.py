"""torch's Adam without torch's compiler, which its wrappers load at the first step although nothing here is compiled."""

import inspect

import torch


class Adam(torch.optim.Adam):
    """torch's Adam with the methods below those wrappers.

    Loading ``torch._dynamo`` takes 70 MB and about half of the time that a process needs before its first training.
    """

    add_param_group = inspect.unwrap(torch.optim.Adam.add_param_group)
    zero_grad = inspect.unwrap(torch.optim.Adam.zero_grad)
    step = torch.no_grad()(inspect.unwrap(torch.optim.Adam.step))
