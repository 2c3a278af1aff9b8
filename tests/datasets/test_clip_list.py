"""Lists of clips are refused in one line, before training, where VideoDataset would go wrong."""

import pytest
from mmaction.datasets import VideoDataset

from mmsal.datasets.clip_list import check_class_names, check_clip_list


def dataset(folder, text: str, **options) -> dict:
    (folder / 'list.txt').write_text(text)
    return dict(type='VideoDataset', ann_file='list.txt', data_root=str(folder), **options)


GOOD = {
    'two classes': ('a.avi 0\nb/c.avi 1\n', {}),
    'commas': ('a b.avi,0\nb/c.avi,1\n', {'delimiter': ','}),
    'no end of line': ('a.avi 1', {}),
}


@pytest.mark.parametrize(('text', 'options'), GOOD.values(), ids=GOOD)
def test_what_mmaction_reads_passes(tmp_path, text, options):
    described = dataset(tmp_path, text, **options)
    check_clip_list(described, 2)
    described.pop('type')
    read = VideoDataset(**described, pipeline=[])
    assert [read.get_data_info(i)['label'] for i in range(len(read))] in ([0, 1], [1])


BAD = {
    'label without class': ('a.avi 0\nb.avi 2\n', 'line 2: label 2, but the model has 2 classes'),
    'no label': ('a.avi\n', "line 1: expected PATH LABEL, got 'a.avi'"),
    'a name with a space': ('a.avi 0\nmy clip.avi 0\n', 'line 2: expected PATH LABEL'),
    'a label that is a word': ('a.avi walking\n', 'line 1: expected PATH LABEL'),
    'a negative label': ('a.avi -1\n', 'line 1: expected PATH LABEL'),
    'a line without words': ('a.avi 0\n\nb.avi 1\n', 'line 2: expected PATH LABEL'),
    'a digit of another kind': ('a.avi ²\n', 'line 1: expected PATH LABEL'),
    'a byte order mark': ('\ufeffa.avi 0\n', 'begins with a byte order mark'),
    'nothing': ('\n', 'is empty'),
}


@pytest.mark.parametrize(('text', 'words'), BAD.values(), ids=BAD)
def test_what_it_would_stumble_over_is_refused(tmp_path, text, words):
    with pytest.raises(ValueError) as refusal:
        check_clip_list(dataset(tmp_path, text), 2)
    assert words in str(refusal.value) and 'list.txt' in str(refusal.value)


def test_an_absent_list_says_what_writes_one(tmp_path):
    described = dict(type='VideoDataset', ann_file='gone.txt', data_root=str(tmp_path))
    with pytest.raises(
        FileNotFoundError, match=r'gone\.txt does not exist: tools/data/list_videos'
    ):
        check_clip_list(described, 2)


def test_clips_to_be_tested_need_no_label(tmp_path):
    check_clip_list(dataset(tmp_path, 'a.avi\nb.avi 1\n'), 2, labelled=False)


def test_other_datasets_pass(tmp_path):
    check_clip_list(dict(type='KTHDataset'), 2)
    check_clip_list(dataset(tmp_path, 'a.avi 0 5\n', multi_class=True, num_classes=6), 2)
    check_clip_list(dict(type='VideoDataset', ann_file='s3://clips/list.txt'), 2)


def test_fewer_clips_than_a_batch_are_refused(tmp_path):
    described = dataset(tmp_path, 'a.avi 0\nb.avi 1\n')
    check_clip_list(described, 2, fewest=2)
    with pytest.raises(ValueError, match='has 2, fewer than a batch of 8: lower batch_size'):
        check_clip_list(described, 2, fewest=8)


def test_a_list_in_another_encoding_is_refused(tmp_path):
    described = dataset(tmp_path, '')
    (tmp_path / 'list.txt').write_bytes('lächeln.avi 0\n'.encode('latin-1'))
    with pytest.raises(ValueError, match=r'list\.txt is no text in UTF-8'):
        check_clip_list(described, 2)


NAMES = {
    'fewer': (['jump', 'run'], 3, 'has 2 names, the model 3 classes'),
    'in another order': (['walk', 'run', 'jump'], 3, 'in the order of labels, jump, run, walk'),
    'of another model': (None, 4, r'classes\.txt lists 3 classes, the model has 4'),
}


@pytest.mark.parametrize(('names', 'classes', 'words'), NAMES.values(), ids=NAMES)
def test_names_that_would_be_wrong_are_refused(tmp_path, names, classes, words):
    (tmp_path / 'classes.txt').write_text('jump\nrun\nwalk\n')
    with pytest.raises(ValueError, match=words):
        check_class_names(dataset(tmp_path, 'a.avi 0\n'), names, classes)


def test_names_that_are_right_or_absent_pass(tmp_path):
    described = dataset(tmp_path, 'a.avi 0\n')
    check_class_names(described, ['run', 'walk'], 2)  # nothing says otherwise
    (tmp_path / 'classes.txt').write_text('jump\nrun\nwalk\n')
    check_class_names(described, ['jump', 'run', 'walk'], 3)
    check_class_names(described, None, 3)
    check_class_names(dict(type='KTHDataset'), None, 2)
