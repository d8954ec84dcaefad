"""Steps a second of one, five and twelve processes that share a GPU, all together.

    nvidia-cuda-mps-control -d        # lets the kernels of several processes run at the same time; without it they take turns
    python benchmarks/speed_gpu_processes.py

Captured steps of a full batch of noise, each process with a network of its own. Without CUDA it says so and exits with 2.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from typing import Any

import torch
from machine import describe, sentence
from speed_gpu import make_step, shapes_of

from ssd_cli.backbones.registry import backbones
from ssd_cli.training.engine.graphs import WARM_UP
from ssd_cli.training.engine.precision import set_arithmetic
from ssd_cli.training.recipe import Recipe

CONFIGURATIONS = (("resnet", "UCIHAR", "fp32"), ("resnet", "UCIHAR", "tf32"), ("inception", "GunPoint", "fp32"))
PROCESSES = (1, 5, 12)
SECONDS = 0.7
STEPS = 20
"""Between two looks at the clock."""
PATIENCE = 60


def work(rank: int, barrier: Any, rates: Any) -> None:
    """Take part in every round whose number of processes is above `rank`."""
    torch.set_num_threads(1)
    for backbone, dataset, precision in CONFIGURATIONS:
        set_arithmetic("cuda", precision)
        (shape,) = shapes_of([dataset])
        size = Recipe().for_backbone(backbone).batch(shape.n_cases)
        step = make_step(backbones.get(backbone)(), shape, "graph", size, "cuda", precision)
        step.begin_epoch()
        index = torch.arange(size, device="cuda")
        for _ in range(WARM_UP + 3):
            step(index)
        torch.cuda.synchronize()
        for n_processes in PROCESSES:
            barrier.wait(PATIENCE)
            n_steps, started = 0, time.perf_counter()
            while rank < n_processes and time.perf_counter() - started < SECONDS:
                for _ in range(STEPS):
                    step(index)
                torch.cuda.synchronize()
                n_steps += STEPS
            if n_steps:
                rates.put(((backbone, dataset, precision, n_processes), n_steps / (time.perf_counter() - started)))
            barrier.wait(PATIENCE)


def main() -> int:
    """Measure and print, or say why not."""
    if not torch.cuda.is_available():
        print("There is no CUDA device that torch can use here: nothing was measured.", file=sys.stderr)
        return 2
    machine = describe()
    context = multiprocessing.get_context("spawn")
    barrier, rates = context.Barrier(max(PROCESSES)), context.Queue()
    workers = [context.Process(target=work, args=(rank, barrier, rates), daemon=True) for rank in range(max(PROCESSES))]
    for worker in workers:
        worker.start()
    total: dict[tuple[Any, ...], float] = {}
    for _ in range(len(CONFIGURATIONS) * sum(PROCESSES)):
        key, rate = rates.get(timeout=PATIENCE)
        total[key] = total.get(key, 0.0) + rate
    for worker in workers:
        worker.join()
    for (backbone, dataset, precision, n_processes), rate in total.items():
        print(f"{backbone} {dataset} {precision}, {n_processes} processes: {rate:.0f} steps/s")
    print(f"\n{torch.cuda.get_device_name()}, torch {torch.__version__}; {sentence(machine)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
