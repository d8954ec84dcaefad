"""How much memory a training takes on a device, estimated from shapes alone.

The network is run once on torch's meta device, where tensors have shapes and no content, and what autograd would keep is added up.
Beside it are the columns of its largest convolution (`backbones.convolution`): those of its inputs, and those of its gradient.
On an H100 it was, with half of `CONTEXT_BYTES`, above the most that torch had allocated in any training that was measured
(`benchmarks/speed_gpu.py`, results/speed/gpu/peaks.txt). What `ssd-mid` asks of a teacher's second half comes on top
(`second_half_bytes`; not measured on a device).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from ssd_cli.backbones.base import Backbone, Network
from ssd_cli.backbones.layers import SameConv1d

MARGIN = 1.5
"""Of what is kept for the backward pass: the pass itself needs gradients of the widest maps beside them, and workspaces."""
CONTEXT_BYTES = 2**30
"""What a process takes on a CUDA device beside its tensors: about half a gigabyte for its context with cuDNN and cuBLAS, and,
measured, up to 0.4 GB for their workspaces and the memory of two captured steps."""
PASS_BYTES = 2**33
"""Networks that are trained together may take this much together: eight gigabytes, a part of every current device. It is fixed, so
that who is trained with whom, and thus the bits, depend on shapes and not on what happens to be free."""


@lru_cache(maxsize=1024)
def training_bytes(backbone: Backbone, n_channels: int, n_timepoints: int, n_classes: int, batch_size: int) -> int:
    """Peak memory of training one network in float32, without the data and the process itself.

    Parameters
    ----------
    backbone : Backbone
    n_channels, n_timepoints, n_classes, batch_size : int
    """
    with torch.device("meta"):
        network = backbone.build(n_channels, n_classes).train()
        x = torch.empty(batch_size, n_channels, n_timepoints)
        kept, columns = _kept(network, lambda: network(x).logits.logsumexp(-1).sum())
    weights = sum(parameter.nbytes for parameter in network.parameters())
    return int(MARGIN * kept) + 2 * columns + 4 * weights  # weights, gradients, two moments


@lru_cache(maxsize=1024)
def second_half_bytes(backbone: Backbone, n_channels: int, n_timepoints: int, n_cases: int) -> int:
    """Peak memory of the second half of a frozen network: at most all maps that a training would keep, its input and columns.

    Parameters
    ----------
    backbone : Backbone
    n_channels, n_timepoints, n_cases : int
    """
    with torch.device("meta"):
        network = backbone.build(n_channels, 2).eval()
        filters = network.stem(torch.empty(1, n_channels, n_timepoints)).shape[1]
        maps = torch.empty(n_cases, filters, n_timepoints)
        kept, columns = _kept(network, lambda: network.pool(network.body(maps)))
    return maps.nbytes + kept + columns


def _kept(network: Network, forward: Callable[[], object]) -> tuple[int, int]:
    """Bytes that autograd keeps of a forward pass on the meta device, and those of the columns of its largest convolution."""
    kept: dict[int, int] = {}
    columns = [0]
    held = []  # a storage that was freed could give its address to the next

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage._cdata] = storage.nbytes()
        held.append(storage)
        return tensor

    def write_columns(convolution: SameConv1d, inputs: tuple[Tensor]) -> None:
        taps, channels = convolution.kernel_size[0], max(convolution.in_channels, convolution.out_channels)
        columns.append(4 * len(inputs[0]) * inputs[0].shape[2] * taps * channels)

    for module in network.modules():
        if isinstance(module, SameConv1d) and module.groups == 1:
            module.register_forward_pre_hook(write_columns)
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        forward()
    return sum(kept.values()), max(columns)


def members_at_once(n_members: int, bytes_each: int) -> int:
    """How many of so many networks are trained in one pass: as many as fit into `PASS_BYTES`, in passes of nearly equal size."""
    most = max(1, PASS_BYTES // bytes_each)
    n_passes = -(-n_members // most)
    return -(-n_members // n_passes)
