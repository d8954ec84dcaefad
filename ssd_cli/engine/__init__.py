"""Fast executions of the backbones: other arithmetic for the same function, from the same parameters.

The readable network is the definition, what is exported and documented. An execution computes the same outputs, gradients and
running statistics to rounding error, sooner. `plan` chooses one, `bind` makes it; `fold` makes the form in
which a frozen network predicts.
"""

from ssd_cli.engine.folding import Deployed, fold
from ssd_cli.engine.kernels import kept_spectra
from ssd_cli.engine.memory import kept_memory
from ssd_cli.engine.planner import BATCHES_MEMBERS, EXECUTIONS, NetworkLike, bind, longest, plan

__all__ = [
    "BATCHES_MEMBERS",
    "EXECUTIONS",
    "Deployed",
    "NetworkLike",
    "bind",
    "fold",
    "kept_memory",
    "kept_spectra",
    "longest",
    "plan",
]
