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
    from ssd_cli.engine import BATCHES_MEMBERS, bind, plan
    from ssd_cli.engine.precision import autocasting, check_precision

    check_precision(device, recipe.precision)
    network, execution = backbone.build(shape.n_channels, 2), suite.engine
    if execution != "auto":
        autocasting(bind(network, execution), device, recipe.precision)
    else:
        execution = plan(network, shape.n_timepoints, device=device, precision=recipe.precision)
    if not suite.together:
        return {"execution": execution}
    if execution not in BATCHES_MEMBERS:
        raise MisuseError(
            f"--together: the execution '{execution}' trains one network at a time.",
            f"Expected one of: {', '.join(BATCHES_MEMBERS)}.",
            f"Leave --together out, or use --engine {BATCHES_MEMBERS[0]} (on a CPU it is slower than apart).",
        )
    return {"execution": execution, "together": {"resamples": list(suite.resamples), "seeds": list(suite.seeds)}}
