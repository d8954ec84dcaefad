import csv
from dataclasses import replace

import numpy as np
import pytest

from ssd_cli.errors import MisuseError
from ssd_cli.leaderboard.caption import caption
from ssd_cli.leaderboard.compare import compare
from ssd_cli.leaderboard.figures.cd import draw
from ssd_cli.leaderboard.table import write_csv
from ssd_cli.statistics.variance import split
from ssd_cli.store.results import ResultStore
from tests.leaderboard.builders import compared, put

RNG = np.random.default_rng(2)
MANY = {name: RNG.uniform(0.5 + 0.03 * i, 0.6 + 0.03 * i, 14).tolist() for i, name in enumerate("abcd")}


def replicated(root, gaps=(0.0, 0.001, 0.2), n_datasets=8, resamples=(0, 1), seeds=(0, 1, 2), pairs=None):
    """Results that differ between methods by `gaps`, and between seeds by a few cases of 1,000."""
    store, values = ResultStore(root), {}
    for d in range(n_datasets):
        for m, gap in enumerate(gaps):
            for r, s in pairs or [(r, s) for r in resamples for s in seeds]:
                accuracy = 0.5 + 0.02 * d + gap + np.random.default_rng([d, m, r, s]).integers(-9, 10) / 1000
                put(store, f"D{d:02}", "abc"[m], accuracy, 1000, resample=r, seed=s)
                values[d, m, r, s] = round(accuracy * 1000) / 1000
    return values


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_gap_within_seed_noise_is_said_so(tmp_path):
    replicated(tmp_path)
    found = compare([tmp_path])
    text = " ".join(caption(found))
    assert "THIS GAP IS WITHIN SEED NOISE: b and a (gap 0.0" in text or "THIS GAP IS WITHIN SEED NOISE: a and b (gap 0.0" in text
    assert text.count("noise ±") == 1  # c is far away
    write_csv(found, tmp_path / "out")
    assert sorted(row["within_seed_noise"] for row in rows(tmp_path / "out/pairwise.csv")) == ["no", "no", "yes"]
    assert "within seed noise" in " ".join(label.get_text() for label in draw(found).axes[0].texts).lower()


def test_the_gap_that_is_shown_is_the_one_that_was_tested(tmp_path):
    """The best method alone has a result on an easy dataset, which its own mean counts and the test does not."""
    replicated(tmp_path)
    for seed in (0, 1, 2):
        for resample in (0, 1):
            put(ResultStore(tmp_path), "Easy", "b", 1.0, 1000, resample=resample, seed=seed)
    found = compare([tmp_path], "worst-rank")
    text = " ".join(caption(found))
    gap = float(text.split("SEED NOISE: ")[1].split("(gap ")[1].split(",")[0])
    assert gap < 0.01 < np.ptp([found.mean_scores[found.names.index(name)] for name in "ab"])


def test_the_split_in_the_file_is_that_of_the_results(tmp_path):
    values = replicated(tmp_path)
    found = compare([tmp_path])
    write_csv(found, tmp_path / "out")
    for row in rows(tmp_path / "out/variance.csv"):
        m = "abc".index(row["name"])
        results = np.array([[[values[d, m, r, s] for s in range(3)] for r in range(2)] for d in range(8)])
        assert [float(row[key]) for key in ("datasets", "resamples", "seeds")] == pytest.approx(split(results), abs=1e-12)


@pytest.mark.parametrize("pairs", [[(0, 0)], [(0, 0), (1, 0)], [(0, 0), (1, 1), (2, 2)]])
def test_one_seed_leaves_seed_noise_unknown(tmp_path, pairs):
    replicated(tmp_path, pairs=pairs)
    found = compare([tmp_path])
    assert any("within seed noise is unknown" in text for text in caption(found))
    assert "seeds unknown" in " ".join(caption(found))
    write_csv(found, tmp_path / "out")
    assert {row["within_seed_noise"] for row in rows(tmp_path / "out/pairwise.csv")} == {"unknown"}


def test_the_caption_says_what_could_have_been_detected(tmp_path):
    found = compared(tmp_path, MANY)
    assert f"must differ by {found.noise.detectable_score:.4f} in mean accuracy" in " ".join(caption(found))
    assert "probability of 80%" in " ".join(caption(found))


def test_no_difference_is_detectable_where_none_can_be_significant_and_no_rank_beyond_the_last(tmp_path):
    few = compared(tmp_path / "few", {name: values[:7] for name, values in MANY.items()})
    assert not few.tests.enough
    assert not any("probability of" in text for text in caption(few))
    enough = compared(tmp_path / "enough", {name: values[:8] for name, values in MANY.items()})
    noise = replace(enough.noise, detectable_score=0.1, detectable_rank=3.5)
    text = " ".join(caption(replace(enough, noise=noise)))
    assert "must differ by 0.1000 in mean accuracy to be found" in text


def test_incomplete_datasets_do_not_spoil_the_split(tmp_path):
    found = compared(tmp_path, MANY | {"e": [None, *MANY["a"][1:]]}, "worst-rank")
    assert np.isfinite(found.noise.detectable_score)
    assert np.isfinite(found.effects.mean).all()


@pytest.mark.parametrize(
    ("convention", "words"), [("nemenyi", "critical difference"), ("aeon", "ONE-sided"), ("cd-diagram", "As cd-diagram does it")]
)
def test_a_convention_is_stated_under_the_table_and_in_the_file(tmp_path, convention, words):
    store_of = compared(tmp_path, MANY)
    found = compare([tmp_path], test=convention)
    text = " ".join(caption(found))
    assert words in text
    assert "step-down correction over 6 pairs; alpha 0.05." not in text or convention == "cd-diagram"
    assert "probability of 80%" not in text  # that is of the default's test and correction
    assert found.names == store_of.names
    write_csv(found, tmp_path / "out")
    assert {(row["convention"], row["exact"]) for row in rows(tmp_path / "out/pairwise.csv")} == {(convention, "")}


def test_wrong_conventions_and_ropes_are_misuse(tmp_path):
    compared(tmp_path, MANY)
    with pytest.raises(MisuseError, match="Unknown test"):
        compare([tmp_path], test="mcm")
    with pytest.raises(MisuseError, match="rope"):
        compare([tmp_path], rope=-1.0)


def test_a_rope_adds_the_bayesian_test(tmp_path):
    compared(tmp_path, MANY)
    found = compare([tmp_path], rope=0.01)
    write_csv(found, tmp_path / "out")
    for row in rows(tmp_path / "out/pairwise.csv"):
        assert sum(float(row[key]) for key in ("p_worse", "p_same", "p_better")) == pytest.approx(1)
    assert float(rows(tmp_path / "out/pairwise.csv")[2]["p_better"]) > 0.99
    assert any("rope of ±0.01" in text for text in caption(found))


def test_a_pair_has_its_effect_and_interval_in_the_file(tmp_path):
    found = compared(tmp_path, MANY)
    write_csv(found, tmp_path / "out")
    row = rows(tmp_path / "out/pairwise.csv")[0]
    assert float(row["mean_difference"]) == pytest.approx(found.mean_scores[0] - found.mean_scores[1])
    assert float(row["low_95"]) < float(row["mean_difference"]) < float(row["high_95"])
    assert -1 <= float(row["rank_biserial"]) <= 1
