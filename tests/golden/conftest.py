import pytest

from tests.golden.data import write_datasets


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Folder of the golden datasets."""
    return write_datasets(tmp_path_factory.mktemp("golden-data"))


@pytest.fixture(scope="module")
def environment_without_data(tmp_path_factory):
    """No data and no cache of the user's, for what runs in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSD_BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("AEON_DATA", str(tmp_path_factory.mktemp("aeon")))
        patch.delenv("SSD_BENCH_DATA", raising=False)
        yield
