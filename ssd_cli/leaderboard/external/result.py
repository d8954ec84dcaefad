"""One external result: its protocol, its scores, and the matching of its dataset names with ours."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from ssd_cli.errors import SsdBenchError, shortened
from ssd_cli.leaderboard.missing import numbers
from ssd_cli.statistics.rounding import EXACT


@dataclass(frozen=True)
class Protocol:
    """How a result was computed: a description, and whether only the archive's own split was used (None: unknown)."""

    text: str
    default: bool | None


default_split = Protocol("default split", True)
resample_mean = Protocol("mean of 30 resamples", False)
unknown_protocol = Protocol("protocol not stated", None)

_SUFFIX = re.compile(r"(_eq|_nmv|_disc|Eq|Nmv)$")

_OTHER_CASES = "they were trained and tested on other cases, and their difference is not one between methods alone."


@dataclass(frozen=True)
class External:
    """The accuracies of one method of others, "published" or "foreign" by `kind`.

    `name` is its name in the leaderboard, `label` that in its `source`. `scores` has fractions by dataset, `gaps` the reason why a
    dataset has no number, where the source gives one. The source rounds to `decimals`. `doubts` has a reason by dataset where the
    number is probably wrong at its source, `notes` sentences about what was not read.
    """

    name: str
    label: str
    kind: str
    protocol: Protocol
    scores: dict[str, float] = field(repr=False)
    source: str
    gaps: dict[str, str] = field(default_factory=dict, repr=False)
    decimals: int = EXACT
    doubts: dict[str, str] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()


def resamples_protocol(resamples: set[int]) -> Protocol:
    """Return the protocol of a mean over resamples with the numbers of tsml."""
    if resamples == {0}:
        return default_split
    if resamples == set(range(30)):
        return resample_mean
    return Protocol(f"mean of resamples {numbers(resamples)}, beyond 0 not the same draws as ours", False)


def doubts_and_notes(externals: list[External], datasets: list[str]) -> list[str]:
    """Return the sentences for what was not read, and for numbers on these datasets that are probably wrong at their source."""
    reasons: dict[str, list[str]] = {}
    known = set(map(plain, datasets))
    for one in externals:
        for dataset, reason in one.doubts.items():
            if plain(dataset) in known:
                reasons.setdefault(f"{dataset}: {reason}", []).append(one.name)
    notes = dict.fromkeys(note for one in externals for note in one.notes)
    return [*notes, *(f"Probably an error of the source, {reason} ({', '.join(names)})." for reason, names in reasons.items())]


def rounding_note(externals: list[External]) -> list[str]:
    """Return the sentence of the caption about rounded accuracies, if there are any."""
    names = [one.name for one in externals if one.decimals < EXACT]
    if not names:
        return []
    return [
        f"Rounded by their sources: {shortened(names)}. Counts of correct cases decide there, round(accuracy × n_test); where that "
        "is not possible, all methods are compared at the fewest decimals on the dataset."
    ]


def check_names(externals: list[External], names: list[str]) -> None:
    """Raise SsdBenchError if two methods have one name, among `externals` and `names`."""
    taken = set(names)
    for one in externals:
        if one.name in taken:
            raise SsdBenchError(f"Two methods are called '{one.name}'.", "Expected different names.", "Rename the file or folder.")
        taken.add(one.name)


def matched(externals: list[External], datasets: list[str]) -> tuple[list[External], list[str]]:
    """Rename the datasets to our names; also return a sentence that states the rule and the renamed datasets.

    ``X_eq``, ``XEq``, ``X_nmv``, ``X_disc`` (the archive's versions of equal length, without missing values, with classes made of a
    continuous target) count as ``X`` if ours is X and the source has no X, and the reverse. Of several versions the first counts.
    """
    # prefer X to X_eq if ours has both
    known = {plain(name): name for name in sorted(datasets, key=len, reverse=True)}
    renamed: dict[str, str] = {}
    unused: set[str] = set()
    result = []
    for one in externals:
        scores, gaps = dict(one.scores), dict(one.gaps)
        for name in sorted((*one.scores, *one.gaps)):
            ours = known.get(plain(name))
            if ours is None or name in datasets:
                continue
            if ours in scores:
                unused.add(f"{name} of {one.name}")
            elif name in scores:
                scores[ours] = scores.pop(name)
                renamed[name] = ours
            elif ours not in gaps:
                gaps[ours] = gaps.pop(name)
        result.append(replace(one, scores=scores, gaps=gaps))
    if not renamed:
        return result, []
    pairs = ", ".join(f"{theirs} as {ours}" for theirs, ours in sorted(renamed.items()))
    rule = "Names that differ by _eq, Eq, _nmv, _disc or capitals are taken for the same dataset, though the arrays may differ"
    spare = f" Not used, since another version stands for the same dataset: {', '.join(sorted(unused))}." if unused else ""
    return result, [f"{rule}: {pairs}.{spare}"]


def protocol_warnings(externals: list[External], resamples: set[int]) -> list[str]:
    """Return a sentence for every mixture of protocols that makes numbers incomparable.

    Only the archive's own split is the same everywhere; resamples of others may be other draws, even with the same numbers.
    """
    default, drawn, unknown = (
        ", ".join(one.name for one in externals if one.protocol.default is kind) for kind in (True, False, None)
    )
    own = f"own results of resample{'s' * (len(resamples) > 1)} {numbers(resamples)}" if resamples else ""
    own_drawn = own if resamples - {0} else ""
    warnings = []
    if default and (drawn or own_drawn):
        warnings.append(
            f"Default-split results ({default}) stand beside means over resamples ({', '.join(filter(None, (drawn, own_drawn)))}): "
            f"{_OTHER_CASES}"
        )
    if drawn and own and not own_drawn:
        warnings.append(f"Means over resamples ({drawn}) stand beside own results on the default split: {_OTHER_CASES}")
    if drawn and own_drawn:
        warnings.append(
            f"Means over resamples ({drawn}) stand beside {own_drawn}: beyond resample 0 the draws are not known to be the same. "
            f"Where they differ, {_OTHER_CASES}"
        )
    if unknown:
        warnings.append(f"The protocol of {unknown} is not stated in the file: make sure that the splits are the same.")
    return warnings


def plain(name: str) -> str:
    """Return the name of a dataset without the endings of the archive's versions, in lower case."""
    while (short := _SUFFIX.sub("", name)) != name and short:
        name = short
    return name.lower()
