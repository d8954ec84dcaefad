"""On which device a suite runs, and by which execution its networks are computed there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssd_cli.errors import MisuseError
from ssd_cli.hardware import devices

if TYPE_CHECKING:
    from ssd_cli.backbones.base import Backbone
    from ssd_cli.running.suite import Suite
    from ssd_cli.running.work import Shape
    from ssd_cli.training.recipe import Recipe


def resolve_device(wanted: str) -> str:
    """The kind of device; "auto" is the best one there is.

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


def execution_of(backbone: Backbone, recipe: Recipe, shape: Shape, device: str, suite: Suite) -> dict[str, Any]:
    """How the networks of a cell are computed, as it stands in the cell's identity.

    Parameters
    ----------
    backbone : Backbone
    recipe : Recipe
        Filled in for the backbone.
    shape : Shape
    device : str
    suite : Suite
        May force an execution, and want networks of all resamples and seeds trained together.

    Returns
    -------
    dict
        "execution", the planner's choice or the user's; "together", the resamples and seeds, where they share passes.

    Raises
    ------
    MisuseError
        The backbone has no such execution, the device or the execution no such precision, or the execution no passes.
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
        return {"execution": execution.label}
    if execution.batching == "off":
        joint = [one.label for one in executions() if one.batching != "off"]
        raise MisuseError(
            f"--together: the execution '{execution.label}' trains one network at a time.",
            f"Expected one of: {', '.join(joint)}.",
            f"Leave --together out, or use --engine {joint[0]} (on a CPU it is slower than apart).",
        )
    return {"execution": execution.label, "together": {"resamples": list(suite.resamples), "seeds": list(suite.seeds)}}
