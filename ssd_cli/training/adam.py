"""torch's Adam without torch's compiler, which its wrappers load at the first step though nothing here is compiled by it."""

from __future__ import annotations

import inspect

import torch


class Adam(torch.optim.Adam):
    """torch's Adam, its methods as they stand below the wrappers that tell the compiler to leave them alone.

    Loading ``torch._dynamo`` is about half of what a process needs before its first training, and 70 MB.
    """

    add_param_group = inspect.unwrap(torch.optim.Adam.add_param_group)
    zero_grad = inspect.unwrap(torch.optim.Adam.zero_grad)
    step = torch.no_grad()(inspect.unwrap(torch.optim.Adam.step))
