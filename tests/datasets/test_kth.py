import json
import logging
import pickle

import pytest
from mmaction.registry import DATASETS
from mmengine.logging import MMLogger

from mmsal.datasets import KTHDataset
from mmsal.datasets.kth_sequences import OFFICIAL_SPLIT, SUBSETS, write_sequences

RANGES = [(0, 10), (15, 30)]


@pytest.fixture
def make_kth(tmp_path):
    """Make a KTH folder of empty files, all 25 persons: the dataset does not open them."""

    def make(layout='flat', suffix='_uncomp.avi', actions=('walking', 'running'), listed=True):
        sequences = {}
        for person in range(1, 26):
            for action in actions:
                stem = f'person{person:02d}_{action}_d{person % 4 + 1}'
                folder = tmp_path / action if layout == 'action' else tmp_path
                folder.mkdir(exist_ok=True)
                (folder / f'{stem}{suffix}').touch()
                sequences[stem] = RANGES
        if listed:
            write_sequences(tmp_path / '00sequences.txt', sequences)
        return tmp_path

    return make


def kth(root, **options):
    return KTHDataset(data_prefix={'video': str(root)}, **options)


def infos(dataset):
    return [dataset.get_data_info(index) for index in range(len(dataset))]


@pytest.mark.parametrize('layout', ['flat', 'action'])
@pytest.mark.parametrize('suffix', ['_uncomp.avi', '.avi', '.mp4'])
def test_samples(make_kth, layout, suffix):
    root = make_kth(layout, suffix)
    dataset = kth(root, subset='val')
    assert len(dataset) == 8 * 2 * 2
    info = infos(dataset)[1]
    folder = root / 'running' if layout == 'action' else root
    assert info == {
        'filename': str(folder / f'person01_running_d2{suffix}'),
        'label': 1,
        'video_id': 'person01_running_d2#1',
        'person': 1,
        'scenario': 2,
        'clip_range': (15, 30),
        'sample_idx': 1,
        'modality': 'RGB',
        'start_index': 0,
    }


def test_files_without_a_list_are_whole_samples(make_kth):
    found = infos(kth(make_kth(listed=False), subset='all'))
    assert len(found) == 50
    assert found[0]['video_id'] == 'person01_running_d2'
    assert not any('clip_range' in info for info in found)


def test_parts_cut_into_files(tmp_path):
    for index in range(2):
        (tmp_path / f'person01_walking_d1_seq{index}.avi').touch()
    found = infos(kth(tmp_path, subset='val'))
    assert [info['video_id'] for info in found] == [
        'person01_walking_d1#0',
        'person01_walking_d1#1',
    ]


def test_labels_are_positions_in_classes(make_kth):
    root = make_kth(actions=('boxing', 'walking', 'running'))
    dataset = kth(root, classes=['running', 'boxing'], subset='all')
    assert {(i['video_id'].split('_')[1], i['label']) for i in infos(dataset)} == {
        ('running', 0),
        ('boxing', 1),
    }
    assert dataset.metainfo['classes'] == ('running', 'boxing')
    assert kth(root).metainfo['classes'] == ('walking', 'running')
    assert kth(root, metainfo={'palette': 1}).metainfo == {
        'classes': ('walking', 'running'),
        'palette': 1,
    }


def test_official_split(make_kth):
    root = make_kth()
    for subset in SUBSETS:
        persons = {info['person'] for info in infos(kth(root, subset=subset))}
        assert persons == set(OFFICIAL_SPLIT[subset])
    assert len(kth(root, subset='all')) == 100


def test_official_split_knows_25_persons(tmp_path):
    (tmp_path / 'person26_walking_d1.avi').touch()
    with pytest.raises(ValueError, match='persons 1 to 25'):
        kth(tmp_path)
    assert len(kth(tmp_path, subset='all')) == 1


@pytest.mark.parametrize('group', ['person', 'file', 'sequence'])
@pytest.mark.parametrize('seed', [0, 7])
def test_random_split(make_kth, group, seed):
    root = make_kth()
    options = {'split': 'random', 'group': group, 'seed': seed}
    parts = {subset: infos(kth(root, subset=subset, **options)) for subset in SUBSETS}
    ids = {subset: [info['video_id'] for info in part] for subset, part in parts.items()}
    together = [video_id for part in ids.values() for video_id in part]
    assert len(together) == len(set(together)) == 100
    assert ids == {
        subset: [info['video_id'] for info in infos(kth(root, subset=subset, **options))]
        for subset in SUBSETS
    }
    assert [len(ids[subset]) for subset in SUBSETS] == [60, 20, 20]
    for part in parts.values():
        assert sum(info['label'] for info in part) == len(part) / 2
    key = {'person': 'person', 'file': 'filename', 'sequence': 'video_id'}[group]
    groups = [{info[key] for info in part} for part in parts.values()]
    assert sum(map(len, groups)) == len(set().union(*groups))


def test_random_split_does_not_depend_on_which_files_exist(make_kth):
    root = make_kth()
    options = {'split': 'random', 'subset': 'test', 'missing': 'skip'}
    before = {info['video_id'] for info in infos(kth(root, **options))}
    gone = root / 'person02_walking_d3_uncomp.avi'
    gone.unlink()
    after = {info['video_id'] for info in infos(kth(root, **options))}
    assert after == {video_id for video_id in before if not gone.name.startswith(video_id[:-2])}


def test_leaking_split_is_said(make_kth, logged):
    root = make_kth()
    kth(root, split='random')
    assert not logged
    kth(root, split='random', group='file')
    assert 'same persons' in logged[0]


@pytest.fixture
def logged():
    """Collect what is logged through MMEngine at the level of warnings."""
    messages = []

    class Collector(logging.Handler):
        def emit(self, record):
            messages.append(record.getMessage())

    logger = MMLogger.get_current_instance()
    handler = Collector(level=logging.WARNING)
    logger.addHandler(handler)
    yield messages
    logger.removeHandler(handler)


@pytest.mark.parametrize('suffix', ['', '_uncomp', '_uncomp.avi'])
def test_json_split(make_kth, suffix):
    root = make_kth()
    database = {
        f'person{person:02d}_walking_d{person % 4 + 1}{suffix}': {
            'subset': subset,
            'annotations': {'label': 'walking', **extra},
        }
        for person, subset, extra in [
            (1, 'training', {}),
            (2, 'training', {'frames': [2, 9]}),
            (3, 'validation', {}),
        ]
    }
    (root / 'kth.json').write_text(json.dumps({'labels': ['walking'], 'database': database}))
    dataset = KTHDataset(ann_file='kth.json', data_root=str(root), split='json', subset='train')
    first, second = infos(dataset)
    # Not cut by 00sequences.txt, though there is one.
    assert first['video_id'] == 'person01_walking_d2' and 'clip_range' not in first
    assert second['clip_range'] == (2, 9)
    assert len(KTHDataset('kth.json', data_root=str(root), split='json', subset='val')) == 1
    with pytest.raises(ValueError, match="subset 'test'"):
        KTHDataset('kth.json', data_root=str(root), split='json', subset='test')


def test_missing_files(make_kth, logged):
    root = make_kth()
    for person in (11, 12, 13):
        for path in root.glob(f'person{person}_*'):
            path.unlink()
    with pytest.raises(FileNotFoundError) as caught:
        kth(root)
    message = str(caught.value)
    assert '\n' not in message
    assert '6 of 16 video files listed in' in message and '00sequences.txt' in message
    assert 'person11_running_d4, person11_walking_d4, person12_running_d1' in message
    assert 'person13_walking_d2' not in message and ', ... Download' in message
    assert 'download_kth.sh' in message and 'missing="skip"' in message
    assert not logged
    assert len(kth(root, missing='skip')) == 20
    assert '6 of 16 video files' in logged[0]


def test_errors_survive_the_registry(make_kth):
    root = make_kth()
    (root / 'person11_walking_d4_uncomp.avi').unlink()
    (root / 'broken.json').write_text('{')
    config = {'type': 'KTHDataset', 'data_prefix': {'video': str(root)}}
    with pytest.raises(FileNotFoundError, match='1 of 16 video files'):
        DATASETS.build(config)
    with pytest.raises(ValueError, match=r'broken\.json'):
        DATASETS.build(config | {'split': 'json', 'ann_file': str(root / 'broken.json')})


@pytest.mark.parametrize(
    ('options', 'fault'),
    [
        ({'classes': ['walking', 'swimming']}, "unknown class 'swimming'; expected one of boxing"),
        ({'classes': []}, 'expected classes'),
        ({'classes': ['walking', 'walking']}, 'each once'),
        (
            {'subset': 'training'},
            "unknown subset 'training'; expected one of train, val, test, all",
        ),
        ({'split': 'official'}, 'expected one of person, json, random'),
        ({'split': 'random', 'group': 'clip'}, 'expected one of person, file, sequence'),
        ({'split': 'random', 'ratios': (1, 1, 1)}, 'three ratios'),
        ({'missing': 'ignore'}, 'expected one of error, skip'),
        ({'split': 'json'}, 'needs the JSON file'),
        ({'classes': ['boxing']}, 'no sample of classes boxing'),
    ],
)
def test_bad_options(make_kth, options, fault):
    with pytest.raises(ValueError, match=fault):
        kth(make_kth(), **options)


def test_bad_folders_and_files(make_kth, tmp_path):
    root = make_kth()
    with pytest.raises(ValueError, match='expected data_prefix'):
        KTHDataset(data_prefix={'video': 'a', 'img': 'b'})
    with pytest.raises(FileNotFoundError, match='nowhere does not exist'):
        kth(root / 'nowhere')
    for split in ('person', 'json'):
        with pytest.raises(FileNotFoundError, match=r'no\.txt does not exist'):
            kth(root, ann_file=str(root / 'no.txt'), split=split)
    (root / 'x.json').write_text('{}')
    with pytest.raises(ValueError, match="pass split='json'"):
        kth(root, ann_file=str(root / 'x.json'))
    (root / 'person01_walking_d2.avi').touch()
    with pytest.raises(ValueError, match='person01_walking_d2 is there twice'):
        kth(root)


def test_empty_folder(tmp_path):
    with pytest.raises(ValueError, match='no sample of classes walking, running'):
        kth(tmp_path)


@pytest.mark.parametrize('template', ['image_{:05d}.jpg', '{}.jpg', 'img{:06}'])
def test_frames(tmp_path, template):
    folder = tmp_path / 'walking' / 'person01_walking_d1_uncomp'
    folder.mkdir(parents=True)
    for number in range(1, 13):
        (folder / template.format(number)).touch()
    (folder / 'notes.txt').touch()
    dataset = KTHDataset(
        data_root=str(tmp_path),
        data_prefix={'img': ''},
        subset='val',
        filename_tmpl=template,
    )
    (info,) = infos(dataset)
    assert info['frame_dir'] == str(folder)
    assert (info['total_frames'], info['start_index']) == (12, 1)
    assert info['filename_tmpl'] == template


@pytest.mark.parametrize(
    ('numbers', 'fault'),
    [
        ([], r'holds no frame called image_00001\.jpg'),
        ([1, 2, 4], r'no frame image_00003\.jpg, but others up to number 4 \(1 missing\)'),
        ([0, 1, 2], 'numbered from 0, not from 1: set start_index=0'),
    ],
)
def test_frames_with_a_gap(tmp_path, numbers, fault):
    folder = tmp_path / 'person01_walking_d1'
    folder.mkdir()
    for number in numbers:
        (folder / f'image_{number:05d}.jpg').touch()
    with pytest.raises(ValueError, match=fault):
        KTHDataset(data_prefix={'img': str(tmp_path)}, subset='val')


def test_pickles_and_lazy_init(make_kth):
    dataset = kth(make_kth(), lazy_init=True)
    assert dataset.metainfo['classes'] == ('walking', 'running')
    dataset.full_init()
    assert len(pickle.loads(pickle.dumps(dataset))) == 32


def test_real_files(kth_data):
    dataset = kth(kth_data, subset='val', missing='skip')
    assert len(dataset) == 12
    assert [info['label'] for info in infos(dataset)].count(0) == 4
    with pytest.raises(FileNotFoundError, match='197 of 200'):
        kth(kth_data, subset='all')
