"""Synthetic clips: the files, the truth that comes with them, and what tells the actions apart."""

import json

import cv2
import numpy as np
import pytest
from decord import VideoReader

from mmsal.datasets.kth_sequences import read_sequences
from mmsal.datasets.synthetic import (
    ClipName,
    draw_clip,
    make_clips,
    plan_clip,
    read_truth,
    simulate_fixations,
)
from mmsal.datasets.synthetic.gait import LEG_CURVES, TYPICAL, joints
from mmsal.datasets.synthetic.render import draw_figure
from mmsal.gaze import read_fixation_table, validate_fixations

SOLES = ('near_heel', 'near_toe', 'far_heel', 'far_toe')
SMALL = {'persons': [1, 2], 'passes': 2, 'observers': 3, 'seed': 5}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Two persons, both actions, two passes."""
    path = tmp_path_factory.mktemp('synthetic')
    make_clips(path, **SMALL)
    return path


@pytest.fixture(scope='module')
def pairs():
    """Per evidence: plans of both actions for a dozen persons, outdoors and indoors."""
    return {
        evidence: [
            [plan_clip(ClipName(p, a, s), 2, 0, evidence) for a in ('walking', 'running')]
            for p in range(1, 7)
            for s in (1, 4)
        ]
        for evidence in ('full', 'legs')
    }


def contents(folder):
    """Every file of a folder: relative path -> bytes."""
    files = (path for path in folder.rglob('*') if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def passes_of(plan):
    """Frame numbers of each pass."""
    passing = plan.motion.passing
    return [np.flatnonzero(passing == number) for number in range(passing.max() + 1)]


# Files ------------------------------------------------------------------------------------------


def test_the_folder_holds_what_is_promised(folder):
    clips = [f'person{p:02d}_{a}_d1' for p in (1, 2) for a in ('running', 'walking')]
    assert set(contents(folder)) == {
        '00sequences.txt',
        'README.txt',
        'clips.json',
        'fixations.csv',
        *(f'{clip}_uncomp.avi' for clip in clips),
        *(f'truth/{clip}.npz' for clip in clips),
    }
    assert 'SYNTHETIC' in (folder / 'README.txt').read_text()
    assert json.loads((folder / 'clips.json').read_text())['synthetic'] is True


def test_decord_reads_back_what_was_drawn(folder):
    plan = plan_clip(ClipName(2, 'walking', 1), SMALL['passes'], SMALL['seed'])
    frames = draw_clip(plan).frames
    video = VideoReader(str(folder / plan.name.video))
    read = video.get_batch(range(len(video))).asnumpy().astype(int)
    assert read.shape == (*frames.shape, 3) and frames.shape[1:] == (120, 160)
    assert video.get_avg_fps() == 25
    assert np.ptp(read, axis=-1).max() <= 1  # grey
    difference = np.abs(read[..., 0] - frames)
    assert difference.max() <= 12 and difference.mean() < 2


def test_same_seed_same_bytes_and_other_seed_other_bytes(folder, tmp_path):
    make_clips(tmp_path / 'same', **SMALL)
    assert contents(tmp_path / 'same') == contents(folder)
    make_clips(tmp_path / 'other', **SMALL | {'seed': 6, 'persons': [1]})
    name = 'person01_walking_d1_uncomp.avi'
    assert (tmp_path / 'other' / name).read_bytes() != (folder / name).read_bytes()


def test_a_clip_does_not_depend_on_the_others(folder, tmp_path):
    make_clips(tmp_path, **SMALL | {'persons': [2], 'actions': ['running']})
    alone, together = contents(tmp_path), contents(folder)
    for name in ('person02_running_d1_uncomp.avi', 'truth/person02_running_d1.npz'):
        assert alone[name] == together[name]
    table, whole = (read_fixation_table(path / 'fixations.csv') for path in (tmp_path, folder))
    whole = whole[whole['video'] == 'person02_running_d1_uncomp.avi'].reset_index(drop=True)
    assert table.equals(whole) and len(table)


def test_persons_and_scenarios_look_different():
    def first(person, scenario):
        return draw_clip(plan_clip(ClipName(person, 'walking', scenario), 1), noise=False).frames[0]

    pictures = [first(1, 1), first(2, 1), first(1, 2), first(1, 4)]
    for i, one in enumerate(pictures):
        assert all(np.abs(one.astype(int) - other).mean() > 1 for other in pictures[:i])
    clothes = [plan_clip(ClipName(1, 'walking', s), 1).person.top for s in (1, 2, 3)]
    assert clothes[0] == clothes[1] != clothes[2]


def test_a_half_made_folder_is_completed(folder, tmp_path):
    class Killed(Exception):
        pass

    def kill(done, total, name):
        raise Killed

    with pytest.raises(Killed):
        make_clips(tmp_path, **SMALL, progress=kill)
    kept = tmp_path / 'person01_walking_d1_uncomp.avi'
    # As after a kill between truth and video of the second clip.
    (tmp_path / 'truth/person01_running_d1.npz').write_bytes(b'truth comes first')
    made = kept.stat().st_mtime_ns
    calls = []
    make_clips(tmp_path, **SMALL, progress=lambda *call: calls.append(call))
    assert contents(tmp_path) == contents(folder)
    assert kept.stat().st_mtime_ns == made
    assert [call[:2] for call in calls] == [(n, 4) for n in (1, 2, 3, 4)]
    assert calls[0][2] == 'person01_walking_d1'


def test_a_lost_truth_file_is_made_again(folder, tmp_path):
    settings = SMALL | {'persons': [1], 'actions': ['running']}
    make_clips(tmp_path, **settings)
    truth = tmp_path / 'truth/person01_running_d1.npz'
    truth.unlink()
    make_clips(tmp_path, **settings)
    assert truth.read_bytes() == (folder / 'truth/person01_running_d1.npz').read_bytes()


def test_settings_are_not_mixed(tmp_path):
    one = {'persons': [1], 'actions': ['running'], 'passes': 1, 'observers': 1}
    make_clips(tmp_path, **one)
    before = contents(tmp_path)
    with pytest.raises(ValueError, match='seed 0'):
        make_clips(tmp_path, **one, seed=1)
    assert contents(tmp_path) == before
    make_clips(tmp_path, **one | {'persons': [2]}, seed=1, overwrite=True)
    assert not any('person01' in name for name in contents(tmp_path))
    assert set(read_sequences(tmp_path / '00sequences.txt')) == {'person02_running_d1'}
    make_clips(tmp_path, **one | {'persons': [3]}, seed=1)
    assert len(read_sequences(tmp_path / '00sequences.txt')) == 2


@pytest.mark.parametrize('overwrite', [False, True])
@pytest.mark.parametrize('name', ['person01_walking_d1_uncomp.avi', '00sequences.txt'])
def test_real_videos_are_never_touched(tmp_path, name, overwrite):
    (tmp_path / name).write_bytes(b'real')
    with pytest.raises(ValueError, match='not from here'):
        make_clips(tmp_path, **SMALL, overwrite=overwrite)
    assert contents(tmp_path) == {name: b'real'}


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'persons': [0]}, 'persons from 1 to 99, got 0'),
        ({'persons': []}, 'at least one person'),
        ({'actions': ['boxing']}, "got 'boxing'"),
        ({'scenarios': [5]}, 'got 5'),
        ({'passes': 0}, 'at least 1 pass'),
        ({'seed': -1}, 'seed of 0 or more'),
        ({'observers': -1}, '0 to 99 observers'),
        ({'evidence': 'arms'}, "got 'arms'"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_written(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        make_clips(tmp_path / 'out', **SMALL | changes)
    assert not (tmp_path / 'out').exists()


def test_read_truth_names_a_bad_file(tmp_path):
    path = tmp_path / 'bad.npz'
    path.write_bytes(b'no')
    with pytest.raises(ValueError, match=r'bad\.npz: not a truth file'):
        read_truth(path)
    np.savez(path, body=np.zeros(3))
    with pytest.raises(ValueError, match='not a truth file'):
        read_truth(path)


# Truth ------------------------------------------------------------------------------------------


@pytest.mark.parametrize('scenario', [1, 2])  # indoors a shadow changes the picture too
def test_the_body_is_where_the_picture_differs_from_the_background(scenario):
    plan = plan_clip(ClipName(3, 'running', scenario), 2)
    clip = draw_clip(plan, noise=False)
    empty = np.rint(plan.scene.background).astype(np.uint8)
    differs = clip.frames != empty
    assert differs.any()
    assert not (differs & ~clip.body).any()
    # The other way round only faint edges may be missed.
    assert (clip.body & ~differs).sum() < 0.1 * clip.body.sum()
    assert not clip.body[plan.motion.passing < 0].any()


def test_legs_lie_in_the_body_from_hips_to_feet():
    for action in ('walking', 'running'):
        plan = plan_clip(ClipName(4, action, 1), 1)
        clip = draw_clip(plan)
        assert not (clip.legs & ~clip.body).any()
        share = clip.legs.sum() / clip.body.sum()
        assert 0.3 < share < 0.65
        for t in np.flatnonzero(clip.legs.any(axis=(1, 2))):
            rows = np.flatnonzero(clip.legs[t].any(axis=1))
            at = plan.motion.joints
            hip = at['hip'][t, 1]
            feet = max(
                at[f'{side}_{part}'][t, 1] for side in ('near', 'far') for part in ('heel', 'toe')
            )
            assert rows[0] > hip - 8 and rows[-1] < feet + 3


def test_an_arm_before_a_leg_is_body_only():
    plan = plan_clip(ClipName(4, 'walking', 1), 1)
    clip = draw_clip(plan)
    at, passing = plan.motion.joints, plan.motion.passing
    hands = 0
    for t in np.flatnonzero(passing == 0):
        x, y = (int(n) for n in at['near_hand'][t])
        if 2 < x < 157:
            assert clip.body[t, y, x] and not clip.legs[t, y, x]
            hands += clip.legs[t, y - 3 : y + 4, max(x - 5, 0) : x + 6].any()
    assert hands  # some hands did hang before a leg


def test_the_person_can_be_seen():
    for person in range(1, 26):
        plan = plan_clip(ClipName(person, 'walking', 1), 1)
        frame = passes_of(plan)[0][len(passes_of(plan)[0]) // 2]
        drawn = draw_figure(
            plan.person,
            {joint: at[frame] for joint, at in plan.motion.joints.items()},
            plan.motion.stature[frame],
            plan.motion.direction[frame],
        )
        inside = drawn.coverage == 1
        contrast = np.abs(drawn.colour - plan.scene.background)[inside]
        assert inside.sum() > 500 and np.median(contrast) > 30


@pytest.mark.parametrize('number', [0, 1])
def test_the_face_looks_ahead(number):
    plan = plan_clip(ClipName(1, 'running', 1), 2)
    clip = draw_clip(plan, noise=False)
    seen = 0
    for t in passes_of(plan)[number]:
        x, y = plan.motion.joints['head'][t]
        if 10 < x < 150:
            front, back = (
                clip.frames[t, int(y - 1), int(x + side * 3 * plan.motion.direction[t])]
                for side in (1, -1)
            )
            assert front > back + 30  # skin and hair
            seen += 1
    assert seen > 10


def test_sequences_are_the_frames_in_which_the_person_is_visible(folder):
    sequences = read_sequences(folder / '00sequences.txt')
    assert len(sequences) == 4
    for name, ranges in sequences.items():
        area = read_truth(folder / 'truth' / f'{name}.npz').body.sum(axis=(1, 2))
        listed = np.zeros(len(area), bool)
        for start, end in ranges:
            listed[start:end] = True
            # One frame more on either side would be empty.
            assert not area[start - 1] and not area[end]
        assert len(ranges) == SMALL['passes']
        assert area[listed].all()
        # What is left is a foot's glimpse now and then.
        assert area[~listed].max() < 60 and (area[~listed] > 0).sum() < 0.1 * listed.sum()


def test_the_truth_file_holds_the_masks(folder):
    clip = draw_clip(plan_clip(ClipName(1, 'running', 1), SMALL['passes'], SMALL['seed']))
    path = folder / 'truth/person01_running_d1.npz'
    truth = read_truth(path)
    assert truth.body.dtype == truth.legs.dtype == bool
    assert np.array_equal(truth.body, clip.body) and np.array_equal(truth.legs, clip.legs)
    assert path.stat().st_size < 1000 * len(truth.body)


# Motion -----------------------------------------------------------------------------------------


def speed_and_lean(plan):
    """Pixels per frame and slope of the trunk, as anybody could measure them."""
    at, frames = plan.motion.joints, passes_of(plan)[0]
    speed = np.abs(np.diff(plan.motion.hip_x[frames])).mean()
    trunk = (at['shoulder'] - at['hip'])[frames]
    return speed, np.mean(plan.motion.direction[frames] * trunk[:, 0] / -trunk[:, 1])


def test_with_full_evidence_everything_differs(pairs):
    for walk, run in pairs['full']:
        (walking, upright), (running, leaning) = speed_and_lean(walk), speed_and_lean(run)
        assert 2.1 < walking < 3.3 and 5 < running < 7.5  # KTH's: 2.6 and 5 to 6
        assert leaning > upright + 0.02
        assert run.gait.stride_hz > 1.2 * walk.gait.stride_hz


def test_with_evidence_in_the_legs_nothing_else_differs(pairs):
    assert len({speed_and_lean(walk) for walk, _ in pairs['legs']}) > 5  # persons do differ
    for walk, run in pairs['legs']:
        assert speed_and_lean(walk) == speed_and_lean(run)
        for joint, at in walk.motion.joints.items():
            leg = joint.endswith(('knee', 'ankle', 'heel', 'toe'))
            assert np.array_equal(at, run.motion.joints[joint]) is not leg


def test_with_evidence_in_the_legs_frames_are_equal_off_the_legs(pairs):
    for walk, run in pairs['legs'][:4]:
        one, other = draw_clip(walk, noise=False), draw_clip(run, noise=False)
        off_legs = ~(one.legs | other.legs)
        assert np.array_equal(one.frames[off_legs], other.frames[off_legs])
        assert not np.array_equal(one.frames, other.frames)
        assert np.array_equal(one.body & off_legs, other.body & off_legs)


def test_with_evidence_in_the_legs_lengths_and_lists_are_equal(tmp_path):
    settings = {'persons': [1, 4], 'passes': 2, 'observers': 0}
    make_clips(tmp_path, **settings, evidence='legs')
    sequences = read_sequences(tmp_path / '00sequences.txt')
    for person in ('person01', 'person04'):
        walk, run = (
            read_truth(tmp_path / f'truth/{person}_{action}_d1.npz').body
            for action in ('walking', 'running')
        )
        assert len(walk) == len(run)
        # The legs are visible for a different time; the lists must not show it.
        assert not np.array_equal(walk.any(axis=(1, 2)), run.any(axis=(1, 2)))
        listed = sequences[f'{person}_walking_d1']
        assert listed == sequences[f'{person}_running_d1']
        assert all(walk[a:b].any(axis=(1, 2)).all() and b - a > 30 for a, b in listed)
    assert len(read_fixation_table(tmp_path / 'fixations.csv')) == 0  # nobody watched


def test_the_noise_of_a_pair_is_independent(pairs):
    walk, run = pairs['legs'][0]
    noise = [draw_clip(plan).frames[0] - plan.scene.background for plan in (walk, run)]
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.05


def test_passes_alternate_and_run_from_edge_to_edge():
    plan = plan_clip(ClipName(1, 'walking', 2), 4)
    moves = [plan.motion.hip_x[frames] for frames in passes_of(plan)]
    directions = [np.sign(x[-1] - x[0]) for x in moves]
    assert directions in ([1, -1, 1, -1], [-1, 1, -1, 1])
    assert all(min(x[0], x[-1]) < 0 and max(x[0], x[-1]) > 160 for x in moves)
    sizes = [np.ptp(plan.motion.stature[frames]) for frames in passes_of(plan)]
    assert max(sizes) > 3  # the second scenario changes scale


@pytest.mark.parametrize('action', ['walking', 'running'])
def test_limbs_keep_their_length_and_feet_stay_on_or_above_the_ground(action):
    at = joints(TYPICAL[action], np.linspace(-1, 2, 601))
    for start, end in (('hip', 'near_knee'), ('far_knee', 'far_ankle'), ('shoulder', 'far_elbow')):
        length = np.linalg.norm(at[end] - at[start], axis=-1)
        assert np.allclose(length, length[0])
    lowest = np.min([at[joint][:, 1] for joint in SOLES], axis=0)
    assert lowest.min() > -1e-12
    # Walkers always touch the ground, runners fly twice in a cycle.
    assert bool(lowest.max() < 1e-12) is (action == 'walking')
    for joint in at.values():
        assert np.allclose(joint[0], joint[200]) and np.allclose(joint[0], joint[-1])
        assert np.abs(np.diff(joint, axis=0)).max() < 0.03


def test_runners_bend_the_knee_further():
    most = {action: max(v for _, v in curves['knee']) for action, curves in LEG_CURVES.items()}
    assert most['walking'] < 65 < 95 < most['running']


# Observers --------------------------------------------------------------------------------------


def test_the_fixation_table_is_valid_and_complete(folder):
    table = read_fixation_table(folder / 'fixations.csv')
    assert table.equals(validate_fixations(table))
    assert table['observer'].nunique() == 3
    assert set(table['video']) == {path.name for path in folder.glob('*.avi')}
    for (video, _), rows in table.groupby(['video', 'observer']):
        end = len(VideoReader(str(folder / video))) / 25
        assert rows['start_s'].iloc[0] >= 0 and rows['end_s'].iloc[-1] <= end + 1e-4
        gaps = rows['start_s'].to_numpy()[1:] - rows['end_s'].to_numpy()[:-1]
        assert gaps.min() > 0.029 and gaps.max() < 0.041
    assert table['x_px'].between(0, 160, inclusive='left').all()
    assert table['y_px'].between(0, 120, inclusive='left').all()
    assert 0.24 < (table['end_s'] - table['start_s']).mean() < 0.36
    # Nobody's gaze may pile up on the edge.
    assert table['x_px'].isin([0, 159.99]).mean() < 0.01


def test_observers_follow_the_person(folder):
    on_body, chance, on_legs = [], [], {'walking': [], 'running': []}
    table = read_fixation_table(folder / 'fixations.csv')
    for path in sorted(folder.glob('*.avi')):
        name = path.stem.removesuffix('_uncomp')
        truth = read_truth(folder / 'truth' / f'{name}.npz')
        rows = table[table['video'] == path.name]
        frames = ((rows['start_s'] + rows['end_s']) / 2 * 25).astype(int).to_numpy()
        x, y = rows['x_px'].astype(int).to_numpy(), rows['y_px'].astype(int).to_numpy()
        seen = truth.body[frames].any(axis=(1, 2))
        on_body.append(truth.body[frames, y, x][seen])
        on_legs[name.split('_')[1]].append(y[seen] > 60)
        chance.append(truth.body[frames[seen]].mean())
    assert np.concatenate(on_body).mean() > 5 * np.mean(chance)
    lower = {action: np.concatenate(hits).mean() for action, hits in on_legs.items()}
    assert lower['running'] > lower['walking']


def test_while_only_a_foot_is_seen_the_eye_is_at_the_edge():
    plan = plan_clip(ClipName(1, 'walking', 1), 1)
    hip_x = plan.motion.hip_x
    # Suppose that just these frames show a foot: all parts are outside the picture.
    outside = (plan.motion.passing == 0) & ((hip_x < -20) | (hip_x > 180))
    table = simulate_fixations(plan, outside, observers=30)
    frames = ((table['start_s'] + table['end_s']) / 2 * 25).astype(int).to_numpy()
    x = table['x_px'].to_numpy()[outside[frames]]
    edge = np.where(hip_x[frames][outside[frames]] < 80, 0, 160)
    assert len(x) > 20 and np.median(np.abs(x - edge)) < 6


def test_a_still_camera_and_moving_person(folder):
    """The video itself moves where the truth says, and nowhere else."""
    name = 'person01_walking_d1'
    video = VideoReader(str(folder / f'{name}_uncomp.avi'))
    frames = video.get_batch(range(len(video))).asnumpy()[..., 0].astype(np.float32)
    truth = read_truth(folder / 'truth' / f'{name}.npz')
    motion = np.abs(np.diff(frames, axis=0))
    kernel = np.ones((3, 3), np.uint8)
    near = np.array([cv2.dilate(mask.astype(np.uint8), kernel) for mask in truth.body], bool)
    near = near[1:] | near[:-1]
    assert motion[near].mean() > 3 * motion[~near].mean()
    assert motion[~near].max() < 30
