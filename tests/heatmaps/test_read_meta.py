"""What is known of heatmaps before they are read."""

import numpy as np
import pytest

from mmsal.heatmaps import (
    HeatmapFormatError,
    HeatmapSequence,
    read_heatmap_meta,
    read_heatmaps,
    write_heatmaps,
)


@pytest.mark.parametrize('suffix', ['.txt', '.txt.gz', '.npz'])
def test_meta_size_and_frames_are_those_of_the_maps(tmp_path, suffix):
    path = tmp_path / f'x{suffix}'
    meta = {'fps': 25.0, 'space': 'source', 'timestamps': [0.2, 0.04]}
    write_heatmaps(HeatmapSequence(np.zeros((2, 3, 5)), [5, 1], meta), path)
    told = read_heatmap_meta(path)
    assert told['map_size'] == [5, 3]
    assert told['frame_indices'] == [5, 1]
    assert {key: told[key] for key in meta} == read_heatmaps(path).meta == meta


def test_text_of_other_programs_tells_nothing(tmp_path):
    path = tmp_path / 'x.txt'
    path.write_text('Frame 0 - Heatmap values:\n0.5 0.5\n')
    assert read_heatmap_meta(path) == {}


@pytest.mark.parametrize(
    ('name', 'content'), [('x.npz', b'no archive'), ('x.txt.json', b'{"fps": '), ('x.csv', b'')]
)
def test_damaged_files_are_named(tmp_path, name, content):
    (tmp_path / 'x.txt').write_text('Frame 0 - Heatmap values:\n0.5\n')
    (tmp_path / name).write_bytes(content)
    with pytest.raises(HeatmapFormatError, match=name):
        read_heatmap_meta(tmp_path / name.removesuffix('.json'))


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'x\.npz'):
        read_heatmap_meta(tmp_path / 'x.npz')
