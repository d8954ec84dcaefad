import pytest
import torch
import torch.nn.functional as F
from torch.func import vmap

from ssd_cli.backbones import convolution
from ssd_cli.backbones.convolution import column_convolution, padding_around, same_convolution
from tests.small import BACKBONES

SHAPES = [(2, 3, 11, 5, 8, 1), (3, 1, 7, 2, 5, 2), (2, 4, 5, 3, 40, 1), (1, 2, 9, 2, 1, 1), (2, 2, 1, 2, 3, 4)]


def problem(shape, members=()):
    n_cases, inputs, n_timepoints, outputs, taps, _ = shape
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (
        torch.randn(*members, *size, generator=generator, dtype=torch.float64).requires_grad_()
        for size in ((n_cases, inputs, n_timepoints), (outputs, inputs, taps), (outputs,))
    )
    return x, weight, bias


@pytest.mark.parametrize("shape", SHAPES)
def test_columns_give_the_convolution_and_its_gradients(shape):
    x, weight, bias = problem(shape)
    dilation = shape[-1]
    direct = F.conv1d(F.pad(x, padding_around(shape[4], dilation)), weight, bias, dilation=dilation)
    columns = column_convolution(x, weight, bias, dilation)
    assert torch.allclose(columns, direct, rtol=0, atol=1e-12)
    pull = torch.randn(direct.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for one, other in zip(*(torch.autograd.grad(out, (x, weight, bias), pull) for out in (columns, direct)), strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-11)


@pytest.mark.parametrize("mapped", [(0, 0), (1, 0), (None, 0), (0, None)])
def test_mapped_over_members_each_has_its_own(mapped):
    shape = SHAPES[0]
    x, weight, _ = problem(shape, (4,))
    series = x[0].detach().requires_grad_() if mapped[0] is None else x.movedim(0, mapped[0]).detach().requires_grad_()
    kernels = weight[0].detach().requires_grad_() if mapped[1] is None else weight
    joined = vmap(column_convolution, in_dims=mapped)(series, kernels)
    rows = [series if mapped[0] is None else series.select(mapped[0], i) for i in range(4)]
    apart = torch.stack([same_convolution(row, kernels if mapped[1] is None else kernels[i]) for i, row in enumerate(rows)])
    assert torch.allclose(joined, apart, rtol=0, atol=1e-12)
    pull = torch.randn(apart.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for one, other in zip(*(torch.autograd.grad(out, (series, kernels), pull) for out in (joined, apart)), strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-11)


@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_computes_the_same_by_columns(name, monkeypatch):
    torch.manual_seed(0)
    network = BACKBONES[name].build(2, 3).double().train()
    x = torch.randn(5, 2, 20, dtype=torch.float64)
    results = []
    for columns in (False, True):
        monkeypatch.setattr(convolution, "by_columns", lambda x, columns=columns: columns)
        logits = network(x).logits
        results.append((logits, *torch.autograd.grad(logits.logsumexp(1).sum(), network.parameters())))
    for direct, columns in zip(*results, strict=True):
        assert torch.allclose(direct, columns, rtol=0, atol=1e-9)


def test_a_direct_convolution_is_used_on_a_processor():
    assert not convolution.by_columns(torch.zeros(1))


def test_columns_heed_autocast():
    x, weight, bias = (tensor.detach().float() for tensor in problem(SHAPES[0]))
    weight.requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        maps = column_convolution(x, weight, bias)
    assert maps.dtype == torch.bfloat16
    (gradient,) = torch.autograd.grad(maps.float().sum(), weight)
    direct = same_convolution(x, weight, bias)
    assert gradient.dtype == torch.float32
    assert torch.allclose(maps.float(), direct, atol=0.1)
    assert torch.allclose(gradient, torch.autograd.grad(direct.sum(), weight)[0], rtol=0.02, atol=0.1)
