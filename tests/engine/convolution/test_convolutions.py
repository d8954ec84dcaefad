import pytest
import torch
import torch.nn.functional as F

from ssd_cli.backbones.convolution import padding_around
from ssd_cli.backbones.layers import SeparableConv1d
from ssd_cli.engine.convolution import spectra
from ssd_cli.engine.convolution.matrices import by_matrices
from ssd_cli.engine.convolution.pooling import Entry, max_of_three
from ssd_cli.engine.convolution.transform import FACTORS, KernelSpectrum, Transform, good_size, transform_for


def plain(maps, kernel, dilation=1, groups=1):
    """The convolution of maps (channels, n_cases, n_timepoints) by the library."""
    return F.conv1d(
        F.pad(maps.transpose(0, 1), padding_around(kernel.shape[-1], dilation)), kernel, dilation=dilation, groups=groups
    ).transpose(0, 1)


def doubles(*shape):
    return torch.randn(shape, dtype=torch.float64, requires_grad=True)


def transforms(n_timepoints, left, right):
    yield Transform(n_timepoints, left, right, good_size(n_timepoints + max(left, right)), 1)
    for size in (2 * (left + right) + 2, 2 * (left + right) + 20):
        step = size - left - right
        if n_timepoints > step:
            yield Transform(n_timepoints, left, right, size, -(-n_timepoints // step))


@pytest.mark.parametrize("n_timepoints", [1, 5, 24, 61, 150])
@pytest.mark.parametrize("taps", [(10, 6, 2), (7,), (1,), (40, 20, 10)])
def test_dense_convolution_with_every_transform(taps, n_timepoints):
    maps, bias = doubles(3, 2, n_timepoints), doubles(4 * len(taps))
    kernels = [doubles(4, 3, k) for k in taps]
    expected = torch.cat([plain(maps, kernel) for kernel in kernels]) + bias[:, None, None]
    weights = torch.randn_like(expected)
    wanted = torch.autograd.grad((expected * weights).sum(), [maps, bias, *kernels])
    left, right = padding_around(max(taps))
    for transform in transforms(n_timepoints, left, right):
        found = spectra.SpectralConvolution.apply(maps, KernelSpectrum.apply(transform, 1, *kernels), bias, transform)
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
        for a, b in zip(torch.autograd.grad((found * weights).sum(), [maps, bias, *kernels]), wanted, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n_timepoints", [1, 5, 24, 61])
@pytest.mark.parametrize("taps", [(10, 6, 2), (7,), (1,), (40, 20, 10)])
def test_dense_convolution_by_mixing_matrices(taps, n_timepoints):
    maps, kernels = doubles(3, 2, n_timepoints), [doubles(4, 3, k) for k in taps]
    expected = torch.cat([plain(maps, kernel) for kernel in kernels])
    found = by_matrices(maps, kernels)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    weights = torch.randn_like(expected)
    wanted = torch.autograd.grad((expected * weights).sum(), [maps, *kernels])
    for a, b in zip(torch.autograd.grad((found * weights).sum(), [maps, *kernels]), wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n_timepoints", [1, 9, 130])
@pytest.mark.parametrize(("taps", "dilation"), [(20, 2), (10, 4), (5, 1)])
def test_depthwise_convolution_with_every_transform(taps, dilation, n_timepoints):
    maps, kernel = doubles(3, 2, n_timepoints), doubles(3, 1, taps)
    expected = plain(maps, kernel, dilation, groups=3)
    weights = torch.randn_like(expected)
    wanted = torch.autograd.grad((expected * weights).sum(), [maps, kernel])
    for transform in transforms(n_timepoints, *padding_around(taps, dilation)):
        found = spectra.DepthwiseConvolution.apply(maps, KernelSpectrum.apply(transform, dilation, kernel), transform)
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
        for a, b in zip(torch.autograd.grad((found * weights).sum(), [maps, kernel]), wanted, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("inputs", [1, 2, 40])
def test_convolve_gives_the_filters_in_order_by_windows_and_by_spectra(inputs):
    maps = doubles(inputs, 3, 33)
    kernels = [doubles(5, inputs, 12), doubles(2, inputs, 6)]
    expected = torch.cat([plain(maps, kernel) for kernel in kernels])
    torch.testing.assert_close(torch.cat(spectra.convolve(maps, kernels)), expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(torch.cat(spectra.by_windows(maps, kernels)), expected, rtol=1e-10, atol=1e-10)


def test_separable_convolution_is_the_layer():
    layer = SeparableConv1d(6, 4, 8, dilation=4).double()
    maps = doubles(6, 3, 50)
    torch.testing.assert_close(spectra.separable(maps, layer), layer(maps.transpose(0, 1)).transpose(0, 1), rtol=1e-10, atol=1e-10)


# Ties are frequent: maps behind a ReLU are zero in many places, and series have constant stretches.
@pytest.mark.parametrize("n_timepoints", [1, 2, 3, 20])
def test_gradients_of_the_maximum_of_three_break_ties_as_torch_does(n_timepoints):
    maps = torch.randint(3, (4, 5, n_timepoints)).double().requires_grad_()
    squeeze, pooled = doubles(2, 4, 1), doubles(3, 4, 1)
    narrow, maximum = Entry.apply(maps, squeeze, pooled)
    library = F.max_pool1d(maps, 3, 1, 1)
    assert torch.equal(max_of_three(maps), library)
    a, b = torch.randn_like(narrow), torch.randn_like(maximum)
    found = torch.autograd.grad((narrow * a).sum() + (maximum * b).sum(), [maps, squeeze, pooled])
    narrow, maximum = spectra.pointwise(maps, squeeze), spectra.pointwise(library, pooled)
    wanted = torch.autograd.grad((narrow * a).sum() + (maximum * b).sum(), [maps, squeeze, pooled])
    for u, v in zip(found, wanted, strict=True):
        torch.testing.assert_close(u, v, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(3, 1, 1), (2, 3, 2), (5, 2, 24), (64, 70, 240)])
def test_the_maximum_of_three_is_torchs_for_small_and_large_maps(shape):
    maps = torch.randn(shape)
    assert torch.equal(max_of_three(maps), F.max_pool1d(maps, 3, 1, 1))


def test_good_sizes_are_even_and_close():
    for n in range(1, 3000):
        size = good_size(n)
        assert n <= size <= max(1.2 * n, n + 4) and size % 4 == 0
        while size % 2 == 0:
            size //= 2
        assert size in FACTORS


@pytest.mark.parametrize("n_cases", [1, 5, 64])
@pytest.mark.parametrize("n_timepoints", [1, 7, 24, 150, 427, 1460, 17_984])
def test_the_chosen_transform_covers_the_series(n_timepoints, n_cases):
    transform = transform_for(n_timepoints, n_cases, (19, 20), 32, 96)
    assert transform.blocks * transform.step >= n_timepoints > (transform.blocks - 1) * transform.step
    assert transform.size >= transform.step + (39 if transform.blocks > 1 else 20)
    assert transform.size <= 768


@pytest.mark.parametrize(("taps", "n_timepoints"), [(258, 640), (258, 700), (300, 750), (400, 600), (600, 500)])
def test_kernels_about_as_long_as_the_series_are_convolved_in_one_block(taps, n_timepoints):
    left, right = (taps - 1) // 2, taps - 1 - (taps - 1) // 2
    transform = transform_for(n_timepoints, 16, (left, right), 32, 96)
    assert transform.blocks == 1 and transform.size >= n_timepoints + max(left, right)
    x, kernel = torch.randn(1, 1, n_timepoints).double(), torch.randn(1, 1, taps).double()
    expected = torch.nn.functional.conv1d(torch.nn.functional.pad(x, (left, right)), kernel)
    spectra = torch.fft.rfft(x, transform.size), torch.fft.rfft(kernel.flip(-1), transform.size)
    full = torch.fft.irfft(spectra[0] * spectra[1], transform.size)
    torch.testing.assert_close(full.roll(-right, -1)[..., :n_timepoints], expected)
