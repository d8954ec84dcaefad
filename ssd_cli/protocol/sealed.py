"""The test set, which can be read only after the predictor is final."""

from __future__ import annotations

from ssd_cli.protocol.containers import Floats, Ints


class SealedTest:
    """Prepared test series (n_cases, n_channels, n_timepoints) and their class indices (n_cases,), which no method gets."""

    def __init__(self, X: Floats, y: Ints) -> None:
        self.__X = X
        self.__y = y

    @property
    def n_cases(self) -> int:
        """Number of test series."""
        return len(self.__X)

    def unseal(self, frozen: bool) -> tuple[Floats, Ints]:
        """Return the series and labels.

        `frozen` is true if the predictor is final: every network in evaluation mode, no parameter trainable. If it is not, a
        RuntimeError shows a defect of the program.
        """
        if frozen is not True:
            raise RuntimeError("The test set stays sealed until the predictor is frozen.")
        return self.__X, self.__y

    def __repr__(self) -> str:
        return f"SealedTest(n_cases={self.n_cases})"
