from itertools import product

import torch

from ssd_cli.training.seeds import generator, sub_seed


def test_every_part_of_a_stream_s_name_makes_another_stream():
    names = product((0, 1), ("GunPoint", "Coffee"), (0, 1), ("init", "order"), (0, 1))
    seeds = {sub_seed(*name) for name in names}
    assert len(seeds) == 32
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_sub_seeds_do_not_change_between_versions():
    assert sub_seed(0, "GunPoint", 0, "init", 0) == 5542102362160347823


def test_a_generator_repeats_its_stream():
    assert torch.equal(torch.rand(5, generator=generator(3)), torch.rand(5, generator=generator(3)))
