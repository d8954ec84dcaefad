import doctest

import pytest
import torch
from aeon.testing.estimator_checking import check_estimator as check_aeon
from sktime.utils.estimator_checks import check_estimator as check_sktime

from ssd_cli.estimators import aeon, sktime


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", aeon.__all__)
def test_aeons_checks_pass_in_full(name):
    results = check_aeon(getattr(aeon, name))
    assert len(results) >= 40 and {check: result for check, result in results.items() if result != "PASSED"} == {}


@pytest.mark.parametrize("name", sktime.__all__)
def test_sktimes_checks_pass_in_full(name):
    results = check_sktime(getattr(sktime, name), verbose=False)
    assert len(results) >= 200 and {check: result for check, result in results.items() if result != "PASSED"} == {}


@pytest.mark.parametrize("module", [aeon, sktime])
def test_examples_in_the_documentation_run(module):
    failed, tried = doctest.testmod(module)
    assert failed == 0 and tried >= 4 * len(module.__all__)
