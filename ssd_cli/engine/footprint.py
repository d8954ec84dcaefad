"""Estimates of the memory of a training on a device, from shapes alone.

The network runs once on torch's meta device, where tensors have shapes and no content; the tensors that autograd would store are
added. The columns of the largest convolution (`backbones.convolution`) count twice: for its input and for the gradient. On an H100
the estimate, with half of `CONTEXT_BYTES`, exceeded torch's peak in every measured training (results/speed/gpu/peaks.txt). The
teacher's second half in `ssd-mid` needs more (`second_half_bytes`; not measured on a device).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from ssd_cli.backbones.base import Backbone, Network
from ssd_cli.backbones.layers import SameConv1d

MARGIN = 1.5
"""Factor on the stored tensors: the backward pass also needs gradients of the widest maps, and workspaces."""
CONTEXT_BYTES = 2**30
"""Memory of a process on a CUDA device besides its tensors. The context with cuDNN and cuBLAS takes about 0.5 GB. Their workspaces
and two captured steps take up to 0.4 GB (measured)."""
PASS_BYTES = 2**33
"""Memory of all networks of one joint training: 8 GB, which every current device has. It is fixed, so that the networks of a joint
training, and thus the bits, do not depend on free memory."""


@lru_cache(maxsize=1024)
def training_bytes(backbone: Backbone, n_channels: int, n_timepoints: int, n_classes: int, batch_size: int) -> int:
    """Return the peak memory of training one network in float32, without the data and the process itself."""
    with torch.device("meta"):
        network = backbone.build_for(n_timepoints, n_channels, n_classes).train()
        x = torch.empty(batch_size, n_channels, n_timepoints)
        kept, columns = _kept(network, lambda: network(x).logits.logsumexp(-1).sum())
    weights = sum(parameter.nbytes for parameter in network.parameters())
    return int(MARGIN * kept) + 2 * columns + 4 * weights  # weights, gradients, two moments


@lru_cache(maxsize=1024)
def second_half_bytes(backbone: Backbone, n_channels: int, n_timepoints: int, n_cases: int) -> int:
    """Return the peak memory of the second half of a frozen network: at most all stored maps, its input and columns."""
    with torch.device("meta"):
        network = backbone.build_for(n_timepoints, n_channels, 2).eval()
        maps = torch.empty(n_cases, *network.stem(torch.empty(1, n_channels, n_timepoints)).shape[1:])
        kept, columns = _kept(network, lambda: network.pool(network.body(maps)))
    return maps.nbytes + kept + columns


def _kept(network: Network, forward: Callable[[], object]) -> tuple[int, int]:
    """Return the bytes that autograd stores in a forward pass on the meta device, and those of the largest columns."""
    kept: dict[int, int] = {}
    columns = [0]
    held = []  # a new storage could have the address of a freed one

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


def networks_at_once(n_networks: int, bytes_each: int) -> int:
    """Return how many networks are trained jointly: at most what fits into `PASS_BYTES`, in groups of nearly equal size."""
    n_groups = -(-n_networks // max(1, PASS_BYTES // bytes_each))
    return -(-n_networks // n_groups)
