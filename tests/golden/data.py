"""Small datasets in the .ts format, written without network and with the same bytes on every machine."""

import math
import random
from pathlib import Path

LABELS = ("rise", "saw", "wave")


def write_datasets(folder):
    """Write all datasets into a folder and return it."""
    folder = Path(folder)
    _write(folder, "Waves", 15, 12)
    _write(folder, "Pairs", 12, 9, n_channels=2)
    _write(folder, "Ragged", 15, 9, lengths=(17, 24))
    _write(folder, "Gaps", 12, 9, missing=True)
    _write(folder, "Subjects", 18, 12, subjects=True)
    _write(folder, "Few", 13, 6, n_of_class=(6, 6, 1))
    _write(folder, "Lacking", 8, 6, n_of_class=(4, 4, 0))
    return folder


def _write(folder, name, n_train, n_test, *, n_channels=1, lengths=(24, 24), missing=False, subjects=False, n_of_class=None):
    place = folder / name
    place.mkdir(parents=True)
    source = random.Random(name)
    for part, n_cases in (("TRAIN", n_train), ("TEST", n_test)):
        classes = [case % 3 for case in range(n_cases)]
        if part == "TRAIN" and n_of_class:
            classes = [label for label, n in enumerate(n_of_class) for _ in range(n)]
        lines = [f"@problemName {name}", "@timestamps false", f"@missing {str(missing).lower()}"]
        lines += [f"@univariate {str(n_channels == 1).lower()}", f"@equalLength {str(lengths[0] == lengths[1]).lower()}"]
        lines += [f"@dimensions {n_channels}"] if n_channels > 1 else []
        lines += [f"@seriesLength {lengths[1]}"] if lengths[0] == lengths[1] else []
        lines += ["@classLabel true " + " ".join(LABELS), "@data"]
        for case, label in enumerate(classes):
            length = lengths[1] if case == 0 else source.randint(*lengths)
            channels = [_series(source, label + channel, length, missing) for channel in range(n_channels)]
            lines.append(":".join([*channels, LABELS[label]]))
        (place / f"{name}_{part}.ts").write_text("\n".join(lines) + "\n")
        if subjects:
            first = 0 if part == "TRAIN" else 5
            rows = [f"{case},{first + case // 4},{LABELS[label]}" for case, label in enumerate(classes)]
            (place / f"{name}_subjects_{part.lower()}.csv").write_text("\n".join(["row,subject,label", *rows]) + "\n")


def _series(source, label, length, missing):
    start, values = source.randint(0, 11), []
    for step in range(length):
        phase = (step + start) % 12
        value = (phase / 6 - 1, 1 if phase < 6 else -1, math.sin(math.pi * phase / 6), abs(phase - 6) / 3 - 1)[label]
        noisy = f"{value + source.uniform(-0.7, 0.7):.3f}"
        values.append("?" if missing and source.random() < 0.15 else noisy)
    return ",".join(values)
