import subprocess
import sys

import torch

from ssd_cli.training.adam import Adam

PROBE = """
import sys
from ssd_cli.costs.measure import measure
from ssd_cli.methods import methods
from ssd_cli.training.recipe import Recipe
from tests.small import workbench
bench = workbench(recipe=Recipe(epochs=2, schedule="plateau"))
measure(methods.get("single")().fit(bench.training_set, bench), bench.training_set)
print("torch" in sys.modules, "torch._dynamo" in sys.modules)
"""


def trained(kind):
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv1d(2, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(24, 3))
    optimiser = kind(network.parameters(), lr=1e-2, eps=1e-7, fused=True)
    rates = torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.9)
    x, y = torch.randn(6, 2, 8), torch.arange(6) % 3
    for _ in range(5):
        optimiser.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(network(x), y).backward()
        optimiser.step()
        rates.step()
    return network, optimiser


def test_it_is_torchs_adam_to_the_bit():
    (own, optimiser), (other, reference) = trained(Adam), trained(torch.optim.Adam)
    assert all(map(torch.equal, own.parameters(), other.parameters()))
    assert optimiser.param_groups[0]["lr"] == reference.param_groups[0]["lr"] < 1e-2
    assert all(weight.requires_grad and weight.grad_fn is None for weight in own.parameters())
    assert str(optimiser.state_dict()) == str(reference.state_dict())


def test_a_training_and_its_costs_load_no_compiler():
    found = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["True", "False"]
