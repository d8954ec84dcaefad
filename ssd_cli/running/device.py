"""Choose the device of a suite and the execution of its networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssd_cli.core.cell_spec import JointCells
from ssd_cli.errors import MisuseError
from ssd_cli.hardware import devices

if TYPE_CHECKING:
    from ssd_cli.backbones.base import Backbone
    from ssd_cli.running.suite import Suite
    from ssd_cli.running.work import Shape
    from ssd_cli.training.recipe import ResolvedRecipe


def resolve_device(wanted: str) -> str:
    """Return the kind of device; "auto" is the best one of this machine.

    Raises
    ------
    MisuseError
        A device that this machine or this build of torch does not have.
    """
    there = devices()
    if wanted not in ("auto", *there):
        raise MisuseError(
            f"There is no device '{wanted}' that torch can use here.", f"Available: {', '.join(there)}.", "Use --device auto."
        )
    return there[0] if wanted == "auto" else wanted


def execution_of(
    backbone: Backbone, recipe: ResolvedRecipe, shape: Shape, device: str, suite: Suite
) -> tuple[str, JointCells | None]:
    """Return the execution of a cell's networks, the planner's choice or the suite's, and the cells of a joint training.

    Raises
    ------
    MisuseError
        The backbone lacks the execution, the device or the execution lacks the precision, or the execution lacks joint training.
    """
    from ssd_cli.core.executions import Execution, executions
    from ssd_cli.engine.planner import bind, plan
    from ssd_cli.engine.precision import check_execution, check_precision

    check_precision(device, recipe.precision)
    network = backbone.build(shape.n_channels, 2)
    if suite.engine != "auto":
        execution = Execution.of(suite.engine)
        bind(network, execution.convolution)
        check_execution(execution, recipe.precision)
    else:
        execution = plan(network, shape.n_timepoints, device=device, precision=recipe.precision)
    if not suite.together:
        return execution.label, None
    if execution.batching == "off":
        joint = [one.label for one in executions() if one.batching != "off"]
        raise MisuseError(
            f"--together: the execution '{execution.label}' trains one network at a time.",
            f"Expected one of: {', '.join(joint)}.",
            f"Leave --together out, or use --engine {joint[0]} (slower on a CPU).",
        )
    return execution.label, JointCells(suite.resamples, suite.seeds)
