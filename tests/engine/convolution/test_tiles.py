"""Convolutions over tiles against the library's: in float64 to 1e-9; in float32 to a few roundings more than a direct one's."""

import math

import pytest
import torch
import torch.nn.functional as F

from ssd_cli.backbones.convolution import padding_around
from ssd_cli.engine.convolution.mixing import mix_back, mix_samples, mix_taps, n_products
from ssd_cli.engine.convolution.tiles import Tiling, by_tiles, cost, tiling_for


def library(maps, kernel, bias):
    """The convolution of maps (n_cases, n_timepoints, channels)."""
    return F.conv1d(F.pad(maps.transpose(1, 2), padding_around(kernel.shape[-1])), kernel, bias).transpose(1, 2)


def tilings(n_timepoints, taps):
    return [t for t in (Tiling(n_timepoints, taps, n) for n in (1, 2, 3, 7)) if t.tiles == 1 or t.n_outputs >= taps - 1]


@pytest.mark.parametrize(("taps", "first"), [(1, 0), (5, 0), (8, -3), (6, 2)])
@pytest.mark.parametrize("size", [1, 2, 3, 8, 24, 31])
def test_mixing_is_a_circular_convolution(size, taps, first):
    n_samples, n_outputs = max(1, size - 2), max(1, size - 1)
    samples, kernel = torch.randn(n_samples, dtype=torch.float64), torch.randn(taps, dtype=torch.float64)
    mixed = mix_samples(size, n_samples, torch.float64) @ samples, mix_taps(size, taps, first, torch.float64) @ kernel
    back = mix_back(size, n_outputs, torch.float64)
    around = F.pad(samples, (0, size - n_samples))
    expected = [sum(around[(t + first + k) % size] * kernel[k] for k in range(taps)) for t in range(n_outputs)]
    torch.testing.assert_close(back @ (mixed[0] * mixed[1]), torch.stack(expected), rtol=1e-10, atol=1e-10)
    assert len(mixed[0]) == n_products(size) <= max(1, 1.5 * size)
    assert (back[:, 0] == 1 / size).all()


@pytest.mark.parametrize("n_timepoints", [1, 2, 7, 24, 61, 150])
@pytest.mark.parametrize("taps", [1, 3, 5, 8])
def test_outputs_and_gradients_of_every_tiling(taps, n_timepoints):
    maps = torch.randn(5, n_timepoints, 3, dtype=torch.float64, requires_grad=True)
    kernel = torch.randn(4, 3, taps, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(4, dtype=torch.float64, requires_grad=True)
    expected = library(maps, kernel, bias)
    weights = torch.randn_like(expected)
    wanted = torch.autograd.grad((expected * weights).sum(), [maps, kernel, bias])
    for tiling in tilings(n_timepoints, taps):
        found = by_tiles(maps, kernel, bias, tiling)
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
        for a, b in zip(torch.autograd.grad((found * weights).sum(), [maps, kernel, bias]), wanted, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


def test_gradients_only_where_they_are_required():
    maps, kernel, bias = torch.randn(2, 20, 3), torch.randn(4, 3, 5, requires_grad=True), torch.randn(4)
    by_tiles(maps, kernel, bias, Tiling(20, 5, 1)).sum().backward()
    expected = torch.autograd.grad(library(maps, kernel, bias).sum(), kernel)[0]
    torch.testing.assert_close(kernel.grad, expected, rtol=1e-4, atol=1e-4)
    maps.requires_grad_()
    (gradient,) = torch.autograd.grad(by_tiles(maps, kernel.detach(), bias, Tiling(20, 5, 2)).square().sum(), maps)
    (expected,) = torch.autograd.grad(library(maps, kernel.detach(), bias).square().sum(), maps)
    torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-3)


def test_many_turns_are_one_convolution():
    operands = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in ((130, 40, 3), (4, 3, 8), (4,))]
    tiling = Tiling(40, 8, 3)
    assert 130 % tiling.cases_at_once(130) > 0  # the last turn is a shorter one
    found, expected = by_tiles(*operands, tiling), library(*operands)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    weights = torch.randn_like(expected)
    wanted = torch.autograd.grad((expected * weights).sum(), operands)
    for a, b in zip(torch.autograd.grad((found * weights).sum(), operands), wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


def test_nothing_is_stored_without_gradients():
    maps, kernel, bias = torch.randn(5, 20, 3, requires_grad=True), torch.randn(4, 3, 5, requires_grad=True), torch.randn(4)
    with torch.no_grad():
        assert by_tiles(maps, kernel, bias, Tiling(20, 5, 1)).grad_fn is None
    n_saved = [len(by_tiles(maps, k, bias, Tiling(20, 5, 1)).grad_fn.saved_tensors) for k in (kernel, kernel.detach())]
    assert n_saved == [2, 1]


@pytest.mark.parametrize("tiling", tilings(40, 8), ids=str)
def test_no_case_sees_another(tiling):
    maps = torch.randn(6, 40, 3)
    maps[2] = math.nan
    kernel, bias = torch.randn(4, 3, 8), torch.randn(4)
    result = by_tiles(maps, kernel, bias, tiling)
    others = [0, 1, 3, 4, 5]
    assert torch.isfinite(result[others]).all()
    torch.testing.assert_close(result[others], library(maps, kernel, bias)[others], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("taps", [5, 8])
def test_rounding_errors_stay_small(taps):
    torch.manual_seed(0)
    maps, kernel, bias = torch.randn(8, 150, 128), torch.randn(64, 128, taps), torch.randn(64)
    tiling = tiling_for(64, 150, taps, 128, 128)
    exact = library(maps.double(), kernel.double(), bias.double())
    error = (by_tiles(maps, kernel, bias, tiling).double() - exact).square().mean().sqrt() / exact.std()
    assert error < 2e-6  # measured here: 3.2e-7 and 3.4e-7; a direct convolution has 1.7e-7 and 2.1e-7


def test_tiles_are_used_where_they_need_fewer_operations():
    assert tiling_for(64, 150, 8, 128, 128) is not None
    assert tiling_for(64, 24, 5, 128, 128) == Tiling(24, 5, 1)
    assert tiling_for(64, 150, 8, 1, 64) is None  # one channel: nothing to multiply
    assert tiling_for(3, 24, 8, 128, 128) is None  # few cases: the kernels' own mixing costs more
    assert tiling_for(64, 150, 3, 128, 128) is None
    best = tiling_for(64, 2709, 8, 128, 128)
    assert 16 < best.n_outputs < 48
    assert cost(best, 64, 128, 128) <= min(cost(Tiling(2709, 8, n), 64, 128, 128) for n in (1, 10, 50, 200))
