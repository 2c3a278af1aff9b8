"""list_videos.py: lists that VideoDataset reads, groups kept whole, a mistake in a line."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmsal.datasets.class_folders import check_complete, divide
from mmsal.datasets.kth_sequences import OFFICIAL_SPLIT

ROOT = Path(__file__).resolve().parents[2]
COMMAND = 'data/list_videos.py'
SUBSETS = ('train', 'val', 'test')


def touch(folder: Path, *clips: str) -> Path:
    for clip in clips:
        (folder / clip).parent.mkdir(parents=True, exist_ok=True)
        (folder / clip).touch()
    return folder


def read(folder: Path) -> dict[str, dict[str, int]]:
    """Per subset, from clip to label."""
    lists = {}
    for subset in SUBSETS:
        lines = (folder / f'{subset}.txt').read_text().splitlines()
        lists[subset] = {clip: int(label) for clip, label in (line.split(' ') for line in lines)}
        assert len(lists[subset]) == len(lines)
    return lists


@pytest.fixture
def people(tmp_path) -> Path:
    """Two classes, ten persons, three clips of each in both; empty files, which no list opens."""
    return touch(
        tmp_path / 'my clips',
        *(
            f'{name}/day{person % 2}/person{person}_take{take}.{suffix}'
            for name, suffix in (('wave', 'mp4'), ('bow', 'AVI'))
            for person in range(10)
            for take in range(3)
        ),
    )


def test_a_folder_becomes_lists_with_each_clip_once(command, people):
    touch(people, 'wave/notes.txt', 'wave/.hidden.mp4', 'empty/readme.md')
    code, out, err = command(COMMAND, people)
    assert (code, err) == (0, '')
    assert (people / 'lists/classes.txt').read_text() == 'bow\nwave\n'
    lists = read(people / 'lists')
    there = {path.relative_to(people).as_posix() for path in people.rglob('person*')}
    clips = [clip for subset in SUBSETS for clip in lists[subset]]
    assert len(clips) == 60 and set(clips) == there
    for subset, share in (('train', 21), ('val', 3), ('test', 6)):
        labels = list(lists[subset].values())
        assert (labels.count(0), labels.count(1)) == (share, share)
        assert all(label == clip.startswith('wave') for clip, label in lists[subset].items())
    rows = [line.split() for line in out.splitlines()]
    assert rows[:4] == [
        ['label', 'class', 'train', 'val', 'test'],
        ['0', 'bow', '21', '3', '6'],
        ['1', 'wave', '21', '3', '6'],
        ['all', '42', '6', '12'],
    ]
    assert 'use --group' in out


def test_groups_stay_together_and_a_seed_makes_another_split(command, people, tmp_path):
    options = ('--group', r'person(\d+)', '--val', 0.2, '--test', 0.3)
    assert command(COMMAND, people, *options)[0] == 0
    lists = read(people / 'lists')
    persons = {s: {clip.split('person')[1][0] for clip in lists[s]} for s in SUBSETS}
    assert [len(persons[subset]) for subset in SUBSETS] == [5, 2, 3]
    assert len(set.union(*persons.values())) == 10
    assert [len(lists[subset]) for subset in SUBSETS] == [30, 12, 18]

    for out, more in (('again', ()), ('other', ('--seed', 1))):
        assert command(COMMAND, people, '--out', tmp_path / out, *options, *more)[0] == 0
    assert read(tmp_path / 'again') == lists
    assert read(tmp_path / 'other') != lists


def test_classes_in_the_order_asked_for(command, people):
    touch(people, *(f'jump/person{person}.mov' for person in range(6)), 'old stuff/a.mp4')
    code, out, _ = command(COMMAND, people, '--classes', 'wave', 'bow')
    assert code == 0
    assert (people / 'lists/classes.txt').read_text() == 'wave\nbow\n'
    for clips in read(people / 'lists').values():
        assert all(label == clip.startswith('bow') for clip, label in clips.items())
        assert not any(clip.startswith('jump') for clip in clips)
    assert 'left out, for --classes does not name it: jump (6 clips)' in out


@pytest.mark.parametrize('flat', [True, False])
def test_kths_own_split(command, tmp_path, flat):
    names = [
        f'{"" if flat else action + "/"}person{person:02d}_{action}_d1_seq{index}.avi'
        for action in ('running', 'walking')
        for person in range(1, 26)
        for index in (0, 1)
    ]
    folder = touch(tmp_path / 'kth', *names)
    code, out, _ = command(COMMAND, folder, '--kth-split', '--classes', 'walking', 'running')
    assert code == 0 and '--group' not in out
    lists = read(folder / 'lists')
    assert sum(map(len, lists.values())) == len(names)
    for subset, clips in lists.items():
        # The persons of the ICPR 2004 paper, as the dataset's own page lists them.
        assert {int(clip.partition('person')[2][:2]) for clip in clips} == {
            'train': {11, 12, 13, 14, 15, 16, 17, 18},
            'val': {19, 20, 21, 23, 24, 25, 1, 4},
            'test': {22, 2, 3, 5, 6, 7, 8, 9, 10},
        }[subset]
        assert all(label == ('running' in clip) for clip, label in clips.items())


def test_video_dataset_reads_the_lists(command, clips, tmp_path):
    """Real (SYNTHETIC) videos, through MMAction2's dataset and decoder."""
    from mmaction.registry import DATASETS

    folder = tmp_path / 'videos'
    folder.mkdir()
    for clip in clips.glob('*.avi'):
        shutil.copy(clip, folder)
    assert command(COMMAND, folder, '--kth-split')[0] == 0
    pipeline = [
        dict(type='DecordInit'),
        dict(type='SampleFrames', clip_len=4, frame_interval=2, num_clips=1, test_mode=True),
        dict(type='DecordDecode'),
    ]
    seen = []
    for subset in SUBSETS:
        dataset = DATASETS.build(
            dict(
                type='VideoDataset',
                ann_file=f'lists/{subset}.txt',
                data_root=str(folder),
                data_prefix=dict(video=''),
                pipeline=pipeline,
            )
        )
        for index in range(len(dataset)):
            sample = dataset[index]
            assert len(sample['imgs']) == 4 and sample['imgs'][0].shape == (120, 160, 3)
            name = Path(sample['filename']).name
            assert sample['label'] == ('running', 'walking').index(name.split('_')[1])
            assert int(name[6:8]) in OFFICIAL_SPLIT[subset]
            seen.append(name)
    assert sorted(seen) == sorted(path.name for path in clips.glob('*.avi'))


def test_again_the_same_otherwise_refused_until_told(command, people):
    assert command(COMMAND, people)[0] == 0
    lists = people / 'lists'
    before = {path.name: path.read_bytes() for path in lists.iterdir()}
    assert sorted(before) == ['classes.txt', 'test.txt', 'train.txt', 'val.txt']
    assert command(COMMAND, people)[0] == 0
    code, _, err = command(COMMAND, people, '--seed', 5)
    assert code == 2 and 'exists and differs: --overwrite' in err and err.count('\n') == 1
    assert before == {path.name: path.read_bytes() for path in lists.iterdir()}
    assert command(COMMAND, people, '--seed', 5, '--overwrite')[0] == 0
    assert before != {path.name: path.read_bytes() for path in lists.iterdir()}


@pytest.mark.parametrize(
    ('extra', 'options', 'words'),
    [
        ((), ['--classes', 'wave'], 'expected two classes or more, got wave alone'),
        ((), ['--classes', 'wave', 'jump'], "no clips of 'jump'"),
        ((), ['--classes', 'wave', 'wave'], 'each class once'),
        (['bow/a b.mp4'], [], "white space in 'bow/a b.mp4'"),
        (['bend down/a.mp4', 'up/a.mp4'], [], "white space in 'bend down/a.mp4'"),
        (['stray.mp4'], [], 'got stray.mp4 beside bow/'),
        (['jump/one.mp4'], [], 'no clip of jump in the val subset'),
        ((), ['--group', '(wave|bow)'], 'no clip of'),
        ((), ['--group', 'person(['], 'unterminated'),
        ((), ['--group', 'person'], 'round brackets'),
        (['bow/nobody.mp4'], ['--group', r'person(\d+)'], 'does not match bow/nobody.mp4'),
        ((), ['--group', r'(x)?person'], 'does not match bow/'),
        ((), ['--val', 0.5, '--test', 0.5], 'sum below 1, got 0.5 and 0.5'),
        ((), ['--test', 0], 'shares above 0'),
        ((), ['--val', 'nan'], 'shares above 0'),
        ((), ['--kth-split'], 'is not a KTH name'),
        ((), ['--kth-split', '--seed', 0], 'drop --seed'),
        ((), ['--kth-split', '--group', '(x)'], 'drop --group'),
        (['bow/x\nwave.mp4'], [], 'white space'),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(command, people, extra, options, words):
    touch(people, *extra)
    code, out, err = command(COMMAND, people, *options)
    assert code == 2 and words in err and err.count('\n') == 1 and not out
    assert not (people / 'lists').exists()


def test_folders_without_clips_and_flat_names_that_say_nothing(command, tmp_path):
    for folder, words in (
        (tmp_path / 'none', 'No such file'),
        (touch(tmp_path / 'empty', 'notes.txt'), 'no clips'),
        (touch(tmp_path / 'flat', 'holiday.mp4'), 'holiday.mp4: '),
        (touch(tmp_path / 'far', 'person26_walking_d1.avi', 'person26_running_d1.avi'), '1 to 25'),
    ):
        code, _, err = command(COMMAND, folder, '--kth-split')
        assert code == 2 and words in err and err.count('\n') == 1
        assert not (folder / 'lists').exists()


def test_links_to_folders_are_followed_once(command, people, tmp_path):
    clips = [f'person{person}.mp4' for person in range(10)]
    touch(tmp_path / 'elsewhere', *clips)
    (people / 'jump').mkdir()
    (people / 'jump/linked').symlink_to(tmp_path / 'elsewhere')
    (tmp_path / 'elsewhere/circle').symlink_to(tmp_path / 'elsewhere')
    assert command(COMMAND, people)[0] == 0
    listed = [clip for found in read(people / 'lists').values() for clip in found]
    assert sorted(clip for clip in listed if clip.startswith('jump')) == [
        f'jump/linked/{clip}' for clip in clips
    ]


@given(
    clips=st.dictionaries(
        st.tuples(st.sampled_from('abc'), st.integers(0, 9), st.integers(0, 99)).map(
            lambda words: f'{words[0]}/group{words[1]}/{words[2]}.mp4'
        ),
        st.just(None),
        min_size=1,
        max_size=60,
    ),
    val=st.floats(0.05, 0.45),
    test=st.floats(0.05, 0.45),
    seed=st.integers(0, 1000),
    grouped=st.booleans(),
)
def test_any_split_has_every_clip_once_groups_whole_and_no_chance_in_it(
    clips, val, test, seed, grouped
):
    class_of = {clip: clip[0] for clip in clips}
    options = dict(val=val, test=test, seed=seed, group=r'group(\d)' if grouped else None)
    subsets = divide(class_of, **options)
    assert subsets.keys() == class_of.keys()
    assert set(subsets.values()) <= set(SUBSETS)
    if grouped:
        for group in {clip.split('/')[1] for clip in clips}:
            assert len({s for clip, s in subsets.items() if f'/{group}/' in clip}) == 1
    else:
        # Clip by clip, every class has its shares to less than one clip more.
        for name in set(class_of.values()):
            found = [subsets[clip] for clip, of in class_of.items() if of == name]
            for subset, share in (('val', val), ('test', test), ('train', 1 - val - test)):
                assert found.count(subset) < share * len(found) + 1 + 1e-6
    backwards = dict(reversed(class_of.items()))
    assert divide(backwards, **options) == subsets
    try:
        check_complete(class_of, subsets)
        complete = True
    except ValueError:
        complete = False
    assert complete == all(
        {s for clip, s in subsets.items() if class_of[clip] == name} == set(SUBSETS)
        for name in class_of.values()
    )


def test_help_says_why_groups_and_waits_for_nothing():
    done = subprocess.run(
        [sys.executable, '-X', 'importtime', str(ROOT / 'tools' / COMMAND), '--help'],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    for words in ('--group', '--kth-split', '0.1', 'Why groups'):
        assert words in done.stdout
    imported = {line.split('|')[-1].strip() for line in done.stderr.splitlines()}
    assert 'argparse' in imported and imported.isdisjoint({'numpy', 'torch', 'mmsal'})
