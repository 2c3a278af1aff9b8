"""Bases of slopes: orthonormal, honest about what they leave out, and as small as they may be."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsal.attribution.tsr.bases import Basis, choose_sizes, weigh

D = 9
NOTHING = torch.zeros(0, D, dtype=torch.float64)


def turns(count=20, rank=D, seed=0):
    """Vectors [count, D] whose parts grow rarer, none beyond a rank."""
    generator = torch.Generator().manual_seed(seed)
    parts = torch.randn(count, D, generator=generator, dtype=torch.float64)
    parts *= torch.where(torch.arange(D) < rank, 0.5 ** torch.arange(D), torch.tensor(0.0))
    rotation = torch.linalg.qr(torch.randn(D, D, generator=generator, dtype=torch.float64))[0]
    return parts @ rotation


def known(count, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn(D, D, generator=generator, dtype=torch.float64))[0][:count]


def prices(count=20):
    return torch.linspace(1, 3, count, dtype=torch.float64)


@pytest.mark.parametrize('given_vectors', [0, 1, 4, D])
@pytest.mark.parametrize('rank', [0, 1, 5, D])
def test_basis_is_orthonormal_and_says_what_it_leaves_out(rank, given_vectors):
    some, before = turns(rank=rank), known(given_vectors)
    basis = Basis.of(some, prices(), before)
    assert torch.equal(basis.vectors[:given_vectors], before)
    torch.testing.assert_close(basis.vectors @ basis.vectors.T, torch.eye(D).double())
    assert basis.left.shape == (D - given_vectors + 1, 20)
    for size, left in enumerate(basis.left):
        used = basis.vectors[: given_vectors + size]
        rest = some - (some @ used.T) @ used
        torch.testing.assert_close(left, rest.norm(dim=1) * prices(), rtol=1e-6, atol=1e-7)


def test_the_most_important_vectors_come_first():
    """No other vectors leave out less in the mean: the singular values are the proof."""
    some = turns()
    basis = Basis.of(some, torch.ones(20).double(), NOTHING)
    values = torch.linalg.svdvals(some)
    torch.testing.assert_close(basis.importance, values)
    torch.testing.assert_close((basis.left[2] ** 2).sum(), (values[2:] ** 2).sum())


def test_known_vectors_stay_out_of_the_others_however_dear_errors_are():
    basis = Basis.of(turns(rank=5), 1e12 * prices(), known(3))
    torch.testing.assert_close(basis.vectors @ basis.vectors.T, torch.eye(D).double())


@pytest.mark.parametrize('size', [0, 3, D - 1, D])
def test_vectors_and_their_mixture_keep_every_length(size):
    some = turns()
    chosen = Basis.of(some, prices(), NOTHING).chosen(size)
    assert len(chosen) == min(size + 1, D)  # the last vector needs no mixture beside it
    torch.testing.assert_close(chosen @ chosen.T, torch.eye(len(chosen)).double())
    weights = weigh(some, chosen)
    torch.testing.assert_close(weights.norm(dim=1), some.norm(dim=1))
    torch.testing.assert_close(weights[:, :-1], (some @ chosen.T)[:, :-1])
    if size >= D - 1:
        torch.testing.assert_close(weights @ chosen, some)


def test_nothing_left_to_mix():
    basis = Basis.of(turns(rank=3), prices(), NOTHING)
    chosen = basis.chosen(6)
    torch.testing.assert_close(chosen @ chosen.T, torch.eye(7).double())
    torch.testing.assert_close(weigh(turns(rank=3), chosen) @ chosen, turns(rank=3))


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, D), st.integers(0, D)), min_size=1,
             max_size=4),
    st.floats(1e-3, 100),
)  # fmt: skip
def test_sizes_are_within_the_bound_and_not_larger_than_needed(made, bound):
    bases = [Basis.of(turns(seed=s, rank=r), prices(), known(k, seed=s)) for s, r, k in made]
    sizes = choose_sizes(bases, bound)

    def worst(sizes):
        return float(sum(b.left[n] for b, n in zip(bases, sizes, strict=True)).max())

    assert worst(sizes) <= bound
    if worst([0] * len(bases)) <= bound:
        assert not any(sizes)
    for number, size in enumerate(sizes):
        assert 0 <= size < len(bases[number].left)


def test_the_basis_that_helps_most_grows():
    """The second holds vectors a hundred times as long."""
    bases = [Basis.of(scale * turns(), prices(), NOTHING) for scale in (0.01, 1.0)]
    small, large = choose_sizes(bases, 0.5)
    assert small == 0
    assert large > 0


def test_no_bound_can_be_kept_below_rounding():
    basis = Basis.of(turns(rank=D).float(), prices(), NOTHING)
    assert choose_sizes([basis, basis], -1.0) == [D, D]
