"""Which format a file has: each sample is recognised as its own format and as no other."""

import shutil
from dataclasses import fields

import cv2
import numpy as np
import pandas as pd
import pytest

from mmsal.gaze import FORMATS, GazeFormatError, Recording, read_fixations, write_fixation_table
from mmsal.gaze.readers import find_format
from mmsal.gaze.readers.format import head_of

from . import test_eyelink_asc, test_eyelink_report, test_table_file, test_tobii
from .test_activitynet_json import DATA, write_json
from .test_dhf1k_release import write_release
from .test_diem import write_diem
from .test_png_maps import blank, write_maps
from .test_pupil_core import SURFACE, write_core, write_surface
from .test_pupil_neon import write_neon

DHF1K_RAW = (
    'Time\tType\tTrial\tL Dia X [px]\tL Dia Y [px]\tL POR X [px]\tL POR Y [px]\tL Event Info\n'
    '84042779051\tSMP\t1\t16.38\t16.38\t720.0\t450.0\tFixation\n'
    '84042783007\tSMP\t1\t16.37\t16.37\t720.0\t450.0\tFixation\n'
)


def text_file(name, text):
    def write(folder):
        (folder / name).write_text(text, encoding='utf-8')
        return folder / name

    return write


def table_file(name):
    def write(folder):
        write_fixation_table(test_table_file.TABLE, folder / name)
        return folder / name

    return write


SAMPLES = {
    'table': table_file('fixations.csv'),
    'table_parquet': table_file('fixations.parquet'),
    'eyelink_asc': text_file('s01.asc', test_eyelink_asc.HEAD + test_eyelink_asc.ONE_EYE),
    'eyelink_report': text_file('report.txt', test_eyelink_report.REPORT),
    'tobii': text_file('export.tsv', test_tobii.tsv()),
    'pupil_core': write_core,
    'pupil_core_surface': lambda folder: write_surface(folder, SURFACE),
    'pupil_neon': write_neon,
    'dhf1k_raw': text_file('P01_Trail002.txt', DHF1K_RAW),
    'dhf1k_release': lambda folder: write_release(folder / '0001'),
    'png_maps': lambda folder: write_maps(folder / 'maps', blank()),
    'diem': write_diem,
    'activitynet_json': lambda folder: write_json(folder, DATA),
}


def test_there_is_a_sample_of_every_format():
    assert set(SAMPLES) == set(FORMATS)
    assert all(name == one.name and one.title for name, one in FORMATS.items())


@pytest.mark.parametrize('name', SAMPLES)
def test_a_sample_is_recognised_as_its_format_alone(tmp_path, name):
    path = SAMPLES[name](tmp_path)
    head = head_of(path)
    assert [one.name for one in FORMATS.values() if one.recognise(path, head)] == [name]
    assert find_format(path) is FORMATS[name]


@pytest.mark.parametrize(
    'name', [name for name in SAMPLES if name not in ('dhf1k_release', 'png_maps', 'table_parquet')]
)
def test_windows_files_are_recognised_too(tmp_path, name):
    path = SAMPLES[name](tmp_path)
    text = path.read_text('utf-8-sig').replace('\n', '\r\n')
    for encoding in ('utf-8-sig', 'utf-16'):
        path.write_bytes(text.encode(encoding))
        head = head_of(path)
        assert [one.name for one in FORMATS.values() if one.recognise(path, head)] == [name]


@pytest.mark.parametrize('name', SAMPLES)
def test_an_unnamed_copy_is_never_taken_for_something_else(tmp_path, name):
    path = SAMPLES[name](tmp_path)
    copy = tmp_path / 'x'
    (shutil.copytree if path.is_dir() else shutil.copy)(path, copy)
    head = head_of(copy)
    fitting = [one.name for one in FORMATS.values() if one.recognise(copy, head)]
    assert fitting in ([], [name])


def write_picture(folder):
    cv2.imwrite(str(folder / 'a.png'), np.zeros((4, 4), np.uint8))
    return folder / 'a.png'


NOT_GAZE = {
    'an empty file': text_file('a.csv', ''),
    'words': text_file('a.txt', 'These are words.\n'),
    'another table': text_file('a.csv', 'video,label\na.avi,walking\n'),
    'labels in ActivityNet style': text_file(
        'a.json', '{"labels": [], "database": {"a": {"annotations": {"label": "walking"}}}}'
    ),
    'numbers': text_file('a.txt', '1 2 3 4 5 6 7 8 9\n'),
    'a picture': write_picture,
    'gaze on a reference image': lambda folder: (
        path := write_neon(folder),
        path.write_text(
            path.read_text().replace('azimuth [deg]', 'fixation detected in reference image')
        ),
    )[0],
    'gaze samples of Neon': text_file(
        'gaze.csv', 'section id,recording id,timestamp [ns],gaze x [px],gaze y [px]\ns,r,1,2,3\n'
    ),
    'world timestamps': text_file('world_timestamps.csv', '# timestamps [seconds],pts\n1.0,0\n'),
}


@pytest.mark.parametrize('kind', NOT_GAZE)
def test_what_is_no_gaze_is_refused_with_the_list_of_formats(tmp_path, kind):
    path = NOT_GAZE[kind](tmp_path)
    with pytest.raises(GazeFormatError, match='is not recognised') as error:
        read_fixations(path)
    assert str(path) in str(error.value) and all(name in str(error.value) for name in FORMATS)


def test_a_folder_without_maps_is_not_recognised(tmp_path):
    with pytest.raises(GazeFormatError, match='is not recognised'):
        find_format(tmp_path)


def test_a_name_that_is_no_format_lists_what_there_is(tmp_path):
    path = SAMPLES['table'](tmp_path)
    with pytest.raises(GazeFormatError, match="unknown gaze format 'smi'") as error:
        read_fixations(path, format='smi')
    assert all(name in str(error.value) for name in FORMATS)


def test_a_missing_file_is_one(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_fixations(tmp_path / 'gone.csv')


def test_what_was_said_is_in_the_attributes(tmp_path):
    table = read_fixations(SAMPLES['dhf1k_raw'](tmp_path), video_size=(640, 360))
    assert isinstance(table, pd.DataFrame) and table.attrs['format'] == 'dhf1k_raw'
    assert table.attrs['recording'] == {
        'video_size': (640, 360),
        'screen_size': (1440, 900),
        'video_rect': 'letterbox',
        'time_zero': 'first',
    }


def test_what_a_format_takes_is_something_that_can_be_said():
    names = {one.name for one in fields(Recording)}
    assert all(names > {*one.takes} and {*one.defaults} <= {*one.takes} for one in FORMATS.values())


@pytest.mark.parametrize('name', [name for name in SAMPLES if name != 'pupil_core_surface'])
def test_an_option_that_a_format_does_not_use_is_refused(tmp_path, name):
    said = {'min_confidence': 0.5, 'fps': 25.0, 'video_column': 'x', 'time_unit': 's'}
    unused = [option for option in said if option not in FORMATS[name].takes]
    path = SAMPLES[name](tmp_path)
    for option in unused:
        words = f'{name} does not use --{option.replace("_", "-")}: leave it out'
        with pytest.raises(GazeFormatError, match=words):
            read_fixations(path, format=name, **{option: said[option]})
    assert unused
