"""How far single precision takes a map from double: ours no further than MMAction2's."""

import copy
import warnings

import pytest
import torch
from mmaction.utils import GradCAM as UpstreamGradCAM

from mmsal.attribution import GradCAM
from tests.attribution.networks import batch, build

DEEP = ['i3d', 'x3d', 'slowonly', 'tpn', 'r2plus1d', 'csn', 'i3d_nonlocal']
LAYER = 'backbone/layer4'


@pytest.mark.parametrize('name', DEEP)
def test_no_further_from_double_precision_than_mmaction2(name):
    """Sums in another order round otherwise; some luck must be allowed for, hence the factor."""
    warnings.filterwarnings('ignore', message='Using a non-full backward hook')
    model, data = build(name), batch(name, samples=2, seed=3)
    upstream = UpstreamGradCAM(copy.deepcopy(model), LAYER)
    their_maps, their_scores = upstream._calculate_localization_map(data, False)
    # MMAction2's own in double, so that nothing of ours is among what ours is held against.
    exact = UpstreamGradCAM(copy.deepcopy(model).double(), LAYER)
    maps, scores = exact._calculate_localization_map(data, False)
    assert maps.dtype == scores.dtype == torch.float64
    with GradCAM(model, LAYER) as cam:
        found = cam.localize(data)
    own_maps = torch.cat([one.scaled for one in found])
    own_scores = torch.stack([one.scores for one in found])
    for own, theirs, truth in ((own_maps, their_maps, maps), (own_scores, their_scores, scores)):
        allowed = 4 * float((theirs - truth).abs().max()) + 3e-6 * float(truth.abs().max())
        assert float((own - truth).abs().max()) <= allowed
