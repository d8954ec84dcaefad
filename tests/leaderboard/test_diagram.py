import numpy as np
import pytest

from ssd_cli.leaderboard.caption import caption, warning
from ssd_cli.leaderboard.figures import write_figures
from ssd_cli.leaderboard.figures.cd import draw
from tests.leaderboard.builders import compared

LONG = "ssd[representations=10,dropout_sites=embed+mid,student_init=random,guidance=label,kl_weight=0.25]"


def table(n_methods, n_datasets, spread=0.02):
    rng = np.random.default_rng(n_methods)
    names = [LONG, "single", "$x_1$", *(f"method-number-{i}" for i in range(60))]
    return {
        name: np.clip(0.5 + spread * i + rng.normal(0, 0.02, n_datasets), 0, 1).tolist() for i, name in enumerate(names[:n_methods])
    }


def texts(figure, gid):
    return [text for text in figure.axes[0].texts if text.get_gid() == gid]


def boxes(figure, which):
    renderer = figure.canvas.get_renderer()
    return [text.get_window_extent(renderer) for text in which]


@pytest.mark.parametrize(
    ("n_methods", "n_datasets", "spread"), [(2, 4, 0), (5, 8, 0.02), (13, 30, 0.01), (20, 40, 0), (20, 40, 0.02), (60, 20, 0.008)]
)
def test_no_two_texts_overlap_and_none_leaves_the_figure(tmp_path, n_methods, n_datasets, spread):
    figure = draw(compared(tmp_path, table(n_methods, n_datasets, spread)))
    found = boxes(figure, figure.axes[0].texts)
    page = figure.bbox
    for i, box in enumerate(found):
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= page.width and box.y1 <= page.height
        assert not any(box.overlaps(other) for other in found[i + 1 :])


def test_every_name_and_rank_and_the_whole_caption_are_on_the_figure(tmp_path):
    found = compared(tmp_path, table(13, 30))
    figure = draw(found)
    labels = "".join(text.get_text() for text in texts(figure, "label"))
    for name, rank in zip(found.names, found.average_ranks, strict=True):
        assert f"{name}  {rank:.2f}" in labels
    assert " ".join(text.get_text() for text in texts(figure, "note")) == " ".join([*warning(found), *caption(found)])


def test_there_is_a_bar_for_every_clique_and_it_covers_its_methods_and_no_others(tmp_path):
    found = compared(tmp_path, table(20, 40, 0.004))
    groups = [(first, last) for first, last in found.cliques if first < last]
    assert len(groups) > 1
    figure = draw(found)
    lines = [line for line in figure.axes[0].lines if str(line.get_gid()).startswith("clique")]
    ticks = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_gid() == "tick"]
    order = sorted(ticks, reverse=True)  # best first
    assert len(lines) == len(groups)
    for line, (first, last) in zip(lines, groups, strict=True):
        start, end = line.get_xdata()
        assert [i for i, x in enumerate(order) if start <= x <= end] == list(range(first, last + 1))


def test_bars_on_one_level_do_not_touch(tmp_path):
    figure = draw(compared(tmp_path, table(20, 40, 0.004)))
    bars = [(line.get_ydata()[0], *line.get_xdata()) for line in figure.axes[0].lines if str(line.get_gid()).startswith("clique")]
    for i, (y, start, end) in enumerate(bars):
        assert not any(y == level and start < there and here < end for level, here, there in bars[i + 1 :])


def test_the_same_comparison_gives_the_same_files(tmp_path):
    found = compared(tmp_path, table(3, 8))
    first = {path.name: path.read_bytes() for path in write_figures(found, tmp_path / "one")}
    second = {path.name: path.read_bytes() for path in write_figures(found, tmp_path / "two")}
    assert first == second
    assert set(first) == {"cd.svg", "cd.png"}
    assert first["cd.png"].startswith(b"\x89PNG")
    assert b"<svg" in first["cd.svg"]
