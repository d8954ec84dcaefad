"""Convolutions of maps (channels, n_cases, n_timepoints), padding "same": by spectra, or by windows for few inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from ssd_cli.backbones.convolution import padding_around
from ssd_cli.backbones.handmade import HandMadeFilters
from ssd_cli.backbones.layers import SameConv1d, SeparableConv1d
from ssd_cli.engine.convolution.transform import Transform, spectrum_of, transform_for

_GAP = 16
"""Unused numbers between the bins of a product (`_product`)."""


class SpectralConvolution(Function):
    """A dense convolution: one batched matrix product over bins, between two transforms."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, kernel: Tensor, bias: Tensor | None, transform: Transform) -> Tensor:
        """Map (inputs, n_cases, n_timepoints) to (filters, n_cases, n_timepoints) with a kernel (bins, filters, inputs)."""
        spectrum = _bins_first(transform.spectrum(maps))
        ctx.save_for_backward(spectrum, kernel)
        ctx.transform = transform
        product = _product(kernel, spectrum)
        if bias is not None:  # bin 0 is the constant
            product[0] += transform.size * bias[:, None]
        return transform.series(_bins_last(product))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        spectrum, kernel = ctx.saved_tensors
        transformed = _bins_first(ctx.transform.gradient_spectrum(gradient))
        of_maps = of_kernel = of_bias = None
        if ctx.needs_input_grad[0]:
            of_maps = ctx.transform.gradient_series(_bins_last(_product(kernel.transpose(1, 2).conj(), transformed)))
        if ctx.needs_input_grad[1]:
            of_kernel = torch.bmm(transformed, spectrum.transpose(1, 2).conj())
        if ctx.needs_input_grad[2]:
            of_bias = transformed[0].real.sum(1)
        return of_maps, of_kernel, of_bias, None


class DepthwiseConvolution(Function):
    """A convolution of each channel with its own kernel: one product of numbers per bin, between two transforms."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, kernel: Tensor, transform: Transform) -> Tensor:
        """Map (channels, n_cases, n_timepoints) to the same shape with a kernel (bins, channels, 1)."""
        spectrum = transform.spectrum(maps)
        kernel = kernel.permute(1, 2, 0).contiguous()
        ctx.save_for_backward(spectrum, kernel)
        ctx.transform = transform
        return transform.series(spectrum * kernel)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        spectrum, kernel = ctx.saved_tensors
        transformed = ctx.transform.gradient_spectrum(gradient)
        of_maps = of_kernel = None
        if ctx.needs_input_grad[1]:
            of_kernel = (spectrum.conj() * transformed).sum(1, keepdim=True).permute(2, 0, 1)
        if ctx.needs_input_grad[0]:
            of_maps = ctx.transform.gradient_series(transformed.mul_(kernel.conj()))
        return of_maps, of_kernel, None


def pointwise(maps: Tensor, weight: Tensor) -> Tensor:
    """Convolve with 1x1 kernels, weight (filters, inputs, 1): one matrix product over all cases and steps."""
    product = weight.squeeze(-1) @ maps.reshape(len(maps), -1)
    return product.view(-1, *maps.shape[1:])


def convolve(maps: Tensor, kernels: Sequence[Tensor]) -> list[Tensor]:
    """Convolve maps with kernels (filters, inputs, taps); the result has all filters in order, in one tensor or several."""
    return by_windows(maps, kernels) if windows_are_cheaper(kernels) else [by_spectra(maps, kernels)]


def by_spectra(maps: Tensor, kernels: Sequence[Tensor], bias: Tensor | None = None) -> Tensor:
    """Convolve as `convolve`, always by spectra; return maps (filters of all kernels, n_cases, n_timepoints)."""
    inputs, n_cases, n_timepoints = maps.shape
    reaches = [padding_around(kernel.shape[-1]) for kernel in kernels]
    widest = max(left for left, _ in reaches), max(right for _, right in reaches)
    transform = transform_for(n_timepoints, n_cases, widest, inputs, sum(map(len, kernels)))
    return SpectralConvolution.apply(maps, spectrum_of(transform, 1, *kernels), bias, transform)


def separable(maps: Tensor, layer: SeparableConv1d) -> Tensor:
    """Run a separable convolution: depthwise by spectra, pointwise by a matrix product."""
    depthwise: SameConv1d = layer.depthwise
    dilation = depthwise.dilation[0]
    transform = transform_for(maps.shape[2], maps.shape[1] * len(maps), padding_around(depthwise.kernel_size[0], dilation), 1, 1)
    kernel = spectrum_of(transform, dilation, depthwise.weight)
    return pointwise(DepthwiseConvolution.apply(maps, kernel, transform), layer.pointwise.weight)


def handmade(maps: Tensor, filters: HandMadeFilters) -> Tensor:
    """Apply the hand-made filters of raw series, and their ReLU; depthwise filters treat each channel as a separate series."""
    kernels = filters.weights()
    if filters.groups == 1:
        return F.relu(torch.cat(convolve(maps, kernels)))
    channels, n_cases, n_timepoints = maps.shape
    single = [kernel[: len(kernel) // channels] for kernel in kernels]
    responses = torch.cat(convolve(maps.reshape(1, channels * n_cases, n_timepoints), single))
    grouped = responses.view(-1, channels, n_cases, n_timepoints).split([len(kernel) for kernel in single])
    return F.relu(torch.cat([group.transpose(0, 1).flatten(0, 1) for group in grouped]))


def _bins_first(spectrum: Tensor) -> Tensor:
    """Copy (channels, columns, bins) to (bins, channels, columns), for products over bins."""
    return spectrum.reshape(-1, spectrum.shape[-1]).t().contiguous().view(-1, *spectrum.shape[:2])


def _bins_last(spectrum: Tensor) -> Tensor:
    """Copy (bins, channels, columns) to (channels, columns, bins), for transforms."""
    return spectrum.flatten(1).t().contiguous().view(*spectrum.shape[1:], -1)


def _product(kernel: Tensor, spectrum: Tensor) -> Tensor:
    """Multiply over bins: (bins, filters, columns), for `_bins_last`.

    A gap separates the bins. Without it their distances may be multiples of a large power of two, and numbers of all bins use the
    same cache lines. The copy of `_bins_last` then takes 1.3 to 2.5 times as long (measured).
    """
    bins, filters, _ = kernel.shape
    size = filters * spectrum.shape[2]
    apart = kernel.new_empty(bins, size + _GAP)
    return torch.bmm(kernel, spectrum, out=apart[:, :size].view(bins, filters, -1))


def by_windows(maps: Tensor, kernels: Sequence[Tensor]) -> list[Tensor]:
    """Convolve by one matrix product per kernel with all shifted copies of the maps (taps * inputs, n_cases * n_timepoints)."""
    inputs, n_cases, n_timepoints = maps.shape
    longest = max(kernel.shape[-1] for kernel in kernels)
    left, right = padding_around(longest)
    shifted = F.pad(maps, (left, right)).unfold(-1, n_timepoints, 1)  # (inputs, n_cases, taps, n_timepoints)
    rows = shifted.permute(2, 0, 1, 3).reshape(longest * inputs, n_cases * n_timepoints)
    results = []
    for kernel in kernels:
        filters, _, taps = kernel.shape
        first = (left - padding_around(taps)[0]) * inputs
        product = kernel.transpose(1, 2).reshape(filters, -1) @ rows[first : first + taps * inputs]
        results.append(product.view(filters, n_cases, n_timepoints))
    return results


def windows_are_cheaper(kernels: Sequence[Tensor]) -> bool:
    """Compare nanoseconds per step, measured on one core with AVX-512: a pure function of the kernels' shapes."""
    inputs = kernels[0].shape[1]
    filters = sum(map(len, kernels))
    products = sum(kernel.numel() for kernel in kernels)
    windows = 0.06 * products + 3 * inputs * max(kernel.shape[-1] for kernel in kernels)
    spectra = 4 * (inputs + filters) + 0.16 * inputs * filters
    return windows < spectra
