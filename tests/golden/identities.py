"""Which identities, random streams and resamples are golden."""

from pathlib import Path

from tests.golden import adapter
from tests.golden.results import normalised, short
from tests.golden.runs import BACKBONES, EXTERNAL, METHODS

PLAIN_METHODS = [label.partition("[")[0] for label in METHODS]
SOME = ["single", "ssd", "ens-avg[members=3]", "kd", "swa"]
LABELS = [
    "ssd[representations=10,dropout=0.3]",
    "ssd[dropout_sites=embed+mid,quantile=0.5]",
    "ssd[student=narrow,student_init=random]",
    "ens-avg[members=3]",
    "ens-vote[members=4]",
    "ban-k[generations=2]",
    "kd[temperature=2]",
    "swa[start=0.5]",
    "ls[smoothing=0.2]",
    "single-dropout[dropout=0.5]",
]
WIDTHS = ["inception[depth=9,width=16]", "lite[width=16]", "fcn[width=64]", "resnet[width=32]", "h-inception[kernel=20]"]
SETS = {
    "every method on every backbone": {"method": [*PLAIN_METHODS, *EXTERNAL], "backbone": BACKBONES},
    "recipe paper": {"method": SOME, "backbone": BACKBONES, "recipe": "paper"},
    "recipe smoke": {"method": SOME, "backbone": BACKBONES, "recipe": "smoke"},
    "recipe with epochs": {"method": SOME, "backbone": BACKBONES, "recipe": "fast[epochs=50]"},
    "recipe of equal compute": {"method": PLAIN_METHODS, "backbone": BACKBONES, "recipe": "fast[budget=equal-compute]"},
    "recipe of equal compute, paper": {"method": SOME, "backbone": BACKBONES, "recipe": "paper[budget=equal-compute]"},
    "recipe with many options": {
        "method": SOME,
        "recipe": "paper[batch_divisor=4,batch_size=32,bn_momentum=0.2,initialisation=torch,keep=last,learning_rate=0.01]",
    },
    "precision fp64": {"method": SOME, "backbone": BACKBONES, "recipe": "fast[precision=fp64]"},
    "precision bf16": {"method": SOME, "backbone": BACKBONES, "recipe": "fast[precision=bf16]"},
    "methods with parameters": {"method": LABELS, "backbone": WIDTHS},
    "execution plain": {"method": SOME, "backbone": BACKBONES, "engine": "plain"},
    "execution batched": {"method": SOME, "backbone": BACKBONES, "engine": "batched"},
    "together": {"method": SOME, "engine": "batched", "together": True, "resamples": "3", "seeds": "2"},
    "resamples and seeds": {"method": ["single"], "resamples": "0,2", "seeds": "1,5"},
    "threads": {"method": ["single"], "threads": 2},
    "length noise, impute mask, scale none": {"method": ["single"], "length": "noise", "impute": "mask", "scale": "none"},
    "length resize, impute forward, scale train": {"method": ["single"], "length": "resize", "impute": "forward", "scale": "train"},
    "datasets": {"method": ["single"], "dataset": ["Waves", "Pairs", "Ragged", "Gaps", "Subjects", "GunPoint", "BasicMotions"]},
    "plugin": {"method": ["golden-plugin", "golden-plugin[strength=0.25]"], "plugin": True},
}
"""Options of ``ssd-bench run`` by field name."""

STREAMS = [
    (seed, dataset, resample, purpose, index)
    for seed, dataset, resample in ((0, "GunPoint", 0), (7, "Waves", 3))
    for purpose in (
        *("init", "order", "member order", "member torch", "member dropout mid", "member dropout embed", "student order"),
        *("validation", "batch norm", "teacher masks", "guidance", "guiding head", "linear map", "views", "view", "contestant"),
    )
    for index in (0, 4)
]
RESAMPLES = [(name, k) for name in ("GunPoint", "BasicMotions", "Waves", "Subjects") for k in (0, 1, 2)]


def planned(name, data):
    """Return the golden values of a set of cells; those of the first set with the whole identity."""
    options = {"dataset": ["Waves"], "recipe": "fast", "data_dir": [Path(data)], "device": "cpu", "download": False, **SETS[name]}
    plugins = [Path(__file__).with_name("plugin.py")] if options.pop("plugin", False) else []
    found = {}
    for cell, identity, identity_hash in adapter.planned_cells(options, plugins):
        key = " ".join([cell["dataset"], cell["method"], cell["backbone"], f"r{cell['resample']}", f"s{cell['seed']}"])
        assert short(identity) == identity_hash[:16], f"{key}: the hash is not that of the identity"
        found[key] = {"folder": cell["folder"], "recipe": cell["recipe"], "hash": short(normalised(identity))}
        if name == next(iter(SETS)):
            found[key] |= {"identity": normalised(identity)}
    return found


def streams():
    """Return the seed of every golden stream."""
    return {" ".join(map(str, stream)): adapter.seed_of_stream(*stream) for stream in STREAMS}


def resamples(data):
    """Return a digest of the positions of the training cases and of the test cases of every golden resample."""
    found = {}
    for name, k in RESAMPLES:
        train, test = adapter.positions_of_resample(name, data, k)
        found[f"{name} r{k}"] = [len(train), len(test), short([train, test])]
    return found


def everything(data):
    """Return all golden values of this file."""
    return {name: planned(name, data) for name in SETS} | {"streams": streams(), "resamples": resamples(data)}
