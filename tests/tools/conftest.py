"""What the tests of the commands share."""

import pytest
import torch


@pytest.fixture
def one_thread():
    """So small a network is done sooner by one thread than by several that wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
