"""The plan, the labels of executions, and a convolution that is added in one file."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from ssd_cli.backbones import backbones
from ssd_cli.backbones.base import Network
from ssd_cli.backbones.fcn import FCNBackbone
from ssd_cli.backbones.lite import LITEBackbone
from ssd_cli.backbones.resnet import ResNetBackbone
from ssd_cli.core.executions import Execution, convolutions, labels
from ssd_cli.engine.planner import bind, plan
from ssd_cli.engine.precision import check_execution
from ssd_cli.errors import MisuseError
from ssd_cli.running.suite import parse_suite
from tests.small import SHORT, fingerprint, workbench

PLANTED = '''
"""The first layer twice as large."""
from typing import ClassVar

from ssd_cli.backbones.fcn import FCNNetwork
from ssd_cli.core.executions import convolutions
from ssd_cli.engine.convolution.base import Convolution


class DoubledFCN(FCNNetwork):
    """FCN with a doubled stem."""

    def stem(self, x):
        """Run layer 1, doubled."""
        return 2 * super().stem(x)


@convolutions.register("planted")
class Planted(Convolution):
    """A planted convolution."""

    views: ClassVar = {FCNNetwork: DoubledFCN}
    preference = 9
    precisions = ("fp32", "bf16")

    @classmethod
    def longest(cls, network):
        """Return 100 steps."""
        return 100
'''


@pytest.fixture
def planted(tmp_path):
    """A convolution in a file outside the package."""
    (tmp_path / "planted.py").write_text(PLANTED)
    assert convolutions.add_plugin(tmp_path / "planted.py") == ["planted"]
    yield
    convolutions.forget("planted")


def test_labels_are_those_of_the_records():
    assert labels() == ["plain", "fast", "bilinear", "batched", "graph"]
    axes = [(one.convolution, one.batching) for one in map(Execution.of, labels())]
    assert axes == [("plain", "off"), ("fft", "off"), ("bilinear", "off"), ("plain", "joint"), ("plain", "graph")]
    assert [Execution.of(label).label for label in labels()] == labels()


@pytest.mark.parametrize("label", ["fft", "joint", "off", "auto", ""])
def test_other_labels_are_misuse(label):
    with pytest.raises(MisuseError, match="execution cannot be"):
        Execution.of(label)


@pytest.mark.parametrize("axes", [("fast", "off"), ("plain", "on"), ("fft", "joint"), ("bilinear", "graph")])
def test_impossible_executions_are_misuse(axes):
    with pytest.raises(MisuseError):
        Execution(*axes)


def test_listing_the_labels_does_not_import_torch():
    code = "import sys; from ssd_cli.core.executions import labels; labels(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=os.environ, check=False).returncode == 0


def test_a_planted_convolution_is_known_everywhere(planted):
    assert labels() == ["plain", "fast", "bilinear", "planted", "batched", "graph"]
    network = FCNBackbone(width=4).build(1, 3).eval()
    x = torch.randn(2, 1, 30)
    bound = bind(network, "planted")
    torch.testing.assert_close(bound.stem(x), 2 * network.stem(x))
    assert plan(network, 100) == Execution("planted")
    assert plan(network, 100, precision="bf16") == Execution("planted")
    assert plan(network, 101) == Execution("bilinear")
    with pytest.raises(MisuseError, match="fp64") as failure:
        check_execution(Execution("planted"), "fp64")
    assert "auto, plain, fast, bilinear, batched, graph" in str(failure.value)
    with pytest.raises(MisuseError, match="ResNetNetwork has no execution 'planted'") as failure:
        bind(ResNetBackbone(width=4).build(1, 3), "planted")
    assert "auto, plain, fast, bilinear." in str(failure.value)


def test_the_command_takes_a_planted_convolution(planted, tmp_path):
    suite = parse_suite(None, {"dataset": ["GunPoint"], "method": ["single"], "engine": "planted"})
    assert suite.engine == "planted"
    with pytest.raises(MisuseError, match="auto, plain, fast, bilinear, planted, batched, graph"):
        replace(suite, engine="quick")


def test_a_planted_convolution_trains(planted):
    bench = workbench(recipe=SHORT, backbone=FCNBackbone(width=4), execution="planted")
    plain = workbench(recipe=SHORT, backbone=FCNBackbone(width=4))
    one, other = bench.base_network(), plain.base_network()
    assert type(one) is type(other)
    assert fingerprint(one) != fingerprint(other)
    assert bench.ledger.entries[0].key != plain.ledger.entries[0].key


def test_the_plan_is_one_of_the_known_executions():
    for name in ("inception", "h-inception", "resnet", "fcn", "lite"):
        network = backbones.get(name)().build(1, 2)
        assert plan(network, 150).label == ("bilinear" if name in ("resnet", "fcn") else "fast")
        assert plan(network, 80).label == ("fast" if name == "lite" else "bilinear")
        assert plan(network, 81) == plan(network, 150)
        assert plan(network, 150, device="cuda").label == "graph"
        assert bind(network, "plain") is network


class Unknown(Network):
    """A network from a plug-in: no fast execution knows it."""

    def stem(self, x):
        return x

    def body(self, maps):
        return maps


def test_a_network_without_a_fast_execution_runs_plainly():
    network = Unknown(1, 2)
    assert plan(network, 10).label == "plain"
    with pytest.raises(MisuseError, match="Unknown has no execution 'fast'"):
        bind(network, "fft")
    with pytest.raises(MisuseError, match=r"LITENetwork has no execution 'bilinear'") as failure:
        bind(LITEBackbone().build(1, 2), "bilinear")
    assert "auto, plain, fast." in str(failure.value)
    with pytest.raises(MisuseError, match="convolution cannot be 'quick'"):
        bind(network, "quick")
