"""torch's Adam without wrappers that load torch's compiler at the first step, although nothing is compiled here."""

import inspect

import torch


class Adam(torch.optim.Adam):
    """torch's Adam with unwrapped methods.

    Loading ``torch._dynamo`` takes 70 MB and about half of the time that a process needs before its first training.
    """

    add_param_group = inspect.unwrap(torch.optim.Adam.add_param_group)
    zero_grad = inspect.unwrap(torch.optim.Adam.zero_grad)
    step = torch.no_grad()(inspect.unwrap(torch.optim.Adam.step))
