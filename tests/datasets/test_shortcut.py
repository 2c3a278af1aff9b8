"""The planted cue of SYNTHETIC clips: where it is, what it says, and what it leaves alone."""

import copy
import pickle

import numpy as np
import pytest
from mmaction.registry import TRANSFORMS

from mmsal.datasets import KTHDataset
from mmsal.datasets.synthetic import make_clips, read_truth
from mmsal.datasets.synthetic.files import Truth, write_truth
from mmsal.datasets.synthetic.shortcut import MODES, PATTERNS, PlantShortcut, cue_pattern

NAME = 'person01_walking_d1'
SHAPE = (6, 48, 64)


@pytest.fixture(scope='module')
def clips(tmp_path_factory):
    """Folder of two real files of SYNTHETIC clips, two passes each."""
    folder = tmp_path_factory.mktemp('clips')
    make_clips(folder, persons=[11], passes=2, observers=1, evidence='legs')
    return folder


@pytest.fixture
def sample(tmp_path):
    """Make a sample whose frames are noise and whose person is where the mask says."""

    def make(body=None, label=0, video_id=f'{NAME}#0', channels=3):
        body = np.zeros(SHAPE, bool) if body is None else body
        write_truth(Truth(body, body), tmp_path / 'truth' / f'{NAME}.npz')
        rng = np.random.default_rng(3)
        images = rng.integers(60, 200, (len(body), *body.shape[1:], channels)).astype(np.uint8)
        return {
            'filename': str(tmp_path / f'{NAME}_uncomp.avi'),
            'video_id': video_id,
            'frame_inds': np.arange(len(body)),
            'imgs': list(images if channels == 3 else images[..., 0]),
            'label': label,
        }

    yield make


def plant(results, **options):
    """Transform a copy; where frames changed, bool [T, H, W], and the results."""
    before = [image.copy() for image in results['imgs']]
    after = PlantShortcut(**{'seed': 0, 'size': 8, **options})(dict(results))
    for image, kept in zip(results['imgs'], before, strict=True):
        np.testing.assert_array_equal(image, kept)  # decoded frames may be cached
    changed = np.stack([a != b for a, b in zip(after['imgs'], before, strict=True)])
    return changed.any(axis=3) if changed.ndim == 4 else changed, after


def corner(changed):
    """Row and column of the top left pixel of what changed in any frame, and its size."""
    rows, columns = np.nonzero(changed.any(axis=0))
    return (rows.min(), columns.min()), (np.ptp(rows) + 1, np.ptp(columns) + 1)


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('label', [0, 1])
def test_the_pattern_of_the_class_is_in_every_frame(sample, label, channels):
    changed, after = plant(sample(label=label, channels=channels))
    (top, left), size = corner(changed)
    assert size == (8, 8)
    assert after['shortcut'] == label
    for image in after['imgs']:
        patch = image[top : top + 8, left : left + 8].reshape(8, 8, channels)
        np.testing.assert_array_equal(patch, np.dstack([cue_pattern(label, 8)] * channels))
    assert changed.sum() == len(after['imgs']) * 64  # and nothing else


def test_rows_lie_and_columns_stand():
    rows, columns = cue_pattern(0, 16), cue_pattern(1, 16)
    assert (rows == rows[:, :1]).all() and len(np.unique(rows)) == 2
    np.testing.assert_array_equal(columns, rows.T)


@pytest.mark.parametrize('size', [4, 7, 16, 25])
def test_patterns_differ_and_are_the_same_in_a_mirror(size):
    patterns = [cue_pattern(label, size) for label in range(len(PATTERNS))]
    for pattern in patterns:
        np.testing.assert_array_equal(pattern, pattern[:, ::-1])
        np.testing.assert_array_equal(pattern, pattern[::-1])
    assert len({pattern.tobytes() for pattern in patterns}) == len(PATTERNS)


def test_no_pixel_of_the_person_is_painted_over_and_the_cue_keeps_away(sample):
    """A person who crosses the picture: wherever there is room, the cue is 4 pixels off."""
    body = np.zeros(SHAPE, bool)
    for t in range(SHAPE[0]):
        body[t, 8:44, 20 + 2 * t : 26 + 2 * t] = True
    near = np.zeros(SHAPE[1:], bool)
    near[8 - 4 : 44 + 4, 20 - 4 : 36 + 4] = True
    corners = set()
    for number in range(40):
        changed, _ = plant(sample(body, video_id=f'{NAME}#{number}'))
        assert not changed[:, near].any()
        corners.add(corner(changed)[0])
    assert len(corners) > 30
    # Both sides of the person, and above or below: it is not one fixed place.
    assert min(left for _, left in corners) < 8 and max(left for _, left in corners) > 44


def test_without_room_the_cue_lies_behind_the_person(sample):
    body = np.ones(SHAPE, bool)
    body[:, ::2, 10:40] = False
    changed, after = plant(sample(body))
    assert not changed[body].any()
    assert after['shortcut'] == 0 and changed.any()
    _, (height, width) = corner(changed)
    assert height <= 8 and width <= 8


def test_the_place_belongs_to_the_clip_and_the_seed_not_to_the_class(sample):
    def place(seed=0, **options):
        return corner(plant(sample(**options), seed=seed)[0])[0]

    assert place() == place() == place(label=1)
    assert place() != place(video_id=f'{NAME}#1')
    assert place() != place(seed=1)


def test_places_are_spread_evenly_over_the_picture(sample):
    results = sample()
    places = np.array(
        [corner(plant(results | {'video_id': f'{n}'})[0])[0] for n in range(400)], float
    )
    rooms = np.array(SHAPE[1:]) - 8  # places of the corner: 0 to this
    # Of an even distribution: mean 1/2 and standard deviation 1/sqrt(12); five standard errors.
    np.testing.assert_allclose((places / rooms).mean(axis=0), 0.5, atol=5 * 0.29 / 20)
    np.testing.assert_allclose((places / rooms).std(axis=0), 12**-0.5, atol=0.05)


def test_reliability_is_the_share_of_clips_with_the_right_cue(sample):
    results = sample(label=1)
    shown = np.array(
        [
            plant(results | {'video_id': f'{n}'}, reliability=0.8, num_classes=3)[1]['shortcut']
            for n in range(500)
        ]
    )
    assert abs((shown == 1).mean() - 0.8) < 5 * (0.8 * 0.2 / 500) ** 0.5
    assert set(shown) == {0, 1, 2}


def test_modes(sample):
    results = sample(label=2)
    numbers = [results | {'video_id': f'{n}'} for n in range(60)]

    def shown(mode):
        return {plant(one, mode=mode, num_classes=4)[1]['shortcut'] for one in numbers}

    assert shown('class') == {2}
    assert shown('other') == {0, 1, 3}
    assert shown('random') == {0, 1, 2, 3}
    assert shown('none') == {-1}
    assert set(MODES) == {'class', 'other', 'random', 'none'}


def test_without_a_cue_nothing_changes_and_no_truth_is_needed(sample):
    results = sample()
    results['filename'] = 'elsewhere/x.avi'
    changed, after = plant(results, mode='none')
    assert not changed.any()
    assert all(a is b for a, b in zip(after['imgs'], results['imgs'], strict=True))


def test_in_a_pipeline_of_real_clips_the_person_stays_as_decoded(clips):
    steps = [
        dict(type='DecordInit'),
        dict(type='ClipRange'),
        dict(type='SampleFrames', clip_len=8, frame_interval=2, num_clips=1, test_mode=True),
        dict(type='DecordDecode'),
        dict(type='PlantShortcut', seed=5),
    ]
    plain = KTHDataset(data_root=str(clips), subset='train', pipeline=steps[:-1])
    cued = KTHDataset(data_root=str(clips), subset='train', pipeline=steps)
    assert len(cued) == 4
    places = set()
    for before, after in zip(plain, cued, strict=True):
        changed = np.stack(
            [(a != b).any(axis=2) for a, b in zip(after['imgs'], before['imgs'], strict=True)]
        )
        truth = read_truth(clips / 'truth' / f'{after["video_id"].partition("#")[0]}.npz')
        assert not (changed & truth.body[after['frame_inds']]).any()
        assert after['shortcut'] == after['label']
        (top, left), (height, width) = corner(changed)
        assert height <= 16 and width <= 16
        # Frame after frame the same cue.
        patches = np.stack(after['imgs'])[:, top : top + height, left : left + width]
        assert (patches == patches[:1]).all()
        places.add((top, left))
    assert len(places) == 4


def test_it_survives_pickling_and_copying_and_tells_what_it_is(sample):
    transform = TRANSFORMS.build(dict(type='PlantShortcut', seed=4, reliability=0.9))
    results = sample()
    expected = transform(dict(results))['imgs']
    for other in (pickle.loads(pickle.dumps(transform)), copy.deepcopy(transform)):
        np.testing.assert_array_equal(other(dict(results))['imgs'], expected)
    text = repr(transform)
    assert text == ("PlantShortcut(seed=4, mode='class', reliability=0.9, num_classes=2, size=16)")


@pytest.mark.parametrize(
    ('options', 'told'),
    [
        (dict(mode='right'), 'expected a mode of'),
        (dict(seed=-1), 'expected a seed of 0 or more, got -1'),
        (dict(reliability=1.5), 'expected a reliability of 0 to 1, got 1.5'),
        (dict(num_classes=5), 'expected 2 to 4 classes, got 5'),
        (dict(size=2), 'expected a size of 4 to 100 pixels, got 2'),
    ],
)
def test_options_out_of_range(options, told):
    with pytest.raises(ValueError, match=told):
        PlantShortcut(**{'seed': 0, **options})


def test_samples_that_do_not_fit(sample, tmp_path):
    results = sample()
    with pytest.raises(ValueError, match='expected a label of 0 to 1, got 2'):
        plant(results | {'label': 2})
    with pytest.raises(ValueError, match=r'64 x 48 pixels.*right after the decoding'):
        plant(results | {'imgs': [image[:40] for image in results['imgs']]})
    with pytest.raises(ValueError, match='one per number in frame_inds'):
        plant(results | {'imgs': results['imgs'][:-1]})
    with pytest.raises(ValueError, match=r'frame 6 .* 6 frames'):
        plant(results | {'frame_inds': np.arange(1, 7)})
    with pytest.raises(ValueError, match='a patch of 50 pixels'):
        plant(results, size=50)
    with pytest.raises(FileNotFoundError):
        plant(results | {'filename': str(tmp_path / 'person02_walking_d1_uncomp.avi')})
