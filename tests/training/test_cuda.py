"""What only a CUDA device can show: captured steps, joint steps and whole methods on it.

python -m pytest tests/training/test_cuda.py
"""

import pytest
import torch

from ssd_cli.backbones.base import Dropout
from ssd_cli.engine.batching.graphs import Captured
from ssd_cli.engine.precision import set_arithmetic
from ssd_cli.methods import methods
from ssd_cli.training.loop import train
from ssd_cli.training.objective import CrossEntropy
from ssd_cli.training.schedule import Schedule
from ssd_cli.training.seeds import generator
from ssd_cli.training.step import DeviceStep
from tests.small import BACKBONES, EXACT, training_spec, waves, waves_training_set, workbench

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

METHODS = {
    "single": {},
    "single-dropout": {"dropout_sites": "embed+mid"},
    "finetune": {},
    "feat-kd": {},
    "kd": {},
    "ens-avg": {},
    "swa": {},
    "soup-greedy": {},
    "ssd": {},
    "ssd-mid": {},
    "ssd-random-k": {},
    "ssd-uniform": {},
    "ens-kd": {"members": 2},
    "ban-k": {"generations": 1},
    "snapshot": {},
    "fge": {},
    "ls": {},
    "tfkd-reg": {},
    "dsr": {},
    "drg-dsr": {},
    "kd-small": {},
    "embed-distill": {},
}
SCHEDULE = Schedule(6, 6, 1e-2, "cosine", "last", 4)
RANDOM = ("single-dropout", "finetune", "feat-kd", "embed-distill")
DETERMINISTIC = [name for name in METHODS if name not in RANDOM and not name.startswith("ssd")]
"""Without dropout or a choice among views: a device draws others than another."""


def trained(backbone, kind):
    torch.manual_seed(0)
    network = backbone.build(1, 3, Dropout(0.2, 0.3)).cuda()
    for number, site in enumerate(network.sites()):
        site.generator = generator(number, "cuda")
    set_arithmetic("cuda", "fp32")
    cases, objective = waves_training_set(11), CrossEntropy()
    step = kind(network, objective, torch.as_tensor(cases.X, device="cuda"), torch.as_tensor(cases.y, device="cuda"))
    (curve,) = train([training_spec(network, SCHEDULE, cases, objective)], step)
    return {name: value.cpu() for name, value in network.state_dict().items()}, curve


@pytest.mark.parametrize("name", BACKBONES)
def test_a_replayed_step_gives_the_bits_of_the_step_itself(name):
    """Dropout masks included: they come from streams that the graph moves on. The last batch, of 3 cases, is short."""
    one, curve = trained(BACKBONES[name], DeviceStep)
    other, same = trained(BACKBONES[name], lambda *data: Captured(DeviceStep(*data)))
    assert all(torch.equal(value, other[key]) for key, value in one.items())
    assert curve == same


def probabilities(name, **options):
    bench = workbench(recipe=EXACT, **options)
    return methods.get(name)(**METHODS[name]).fit(bench.training_set, bench).predict_proba(waves(30, seed=1)[0])


@pytest.mark.parametrize("name", METHODS)
def test_every_method_gives_the_same_captured_and_step_by_step(name):
    plain, graph = (probabilities(name, device="cuda", execution=execution) for execution in ("plain", "graph"))
    assert plain == pytest.approx(graph, abs=1e-6)


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_methods_without_dropout_give_the_same_on_the_processor(name):
    assert probabilities(name, device="cpu") == pytest.approx(probabilities(name, device="cuda"), abs=1e-6)
