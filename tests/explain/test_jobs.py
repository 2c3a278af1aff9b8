"""Lists of videos: what each line means, and what is refused."""

import pytest

from mmsal.explain import ListError, parse_frame_ranges, read_job_list


@pytest.mark.parametrize(
    ('text', 'ranges'),
    [
        ('1-75', ((0, 75),)),
        ('1-75, 152-225', ((0, 75), (151, 225))),
        ('1-75,152-225', ((0, 75), (151, 225))),
        ('9-9', ((8, 9),)),
    ],
)
def test_frame_ranges_count_from_one_and_include_their_ends(text, ranges):
    assert parse_frame_ranges(text) == ranges


@pytest.mark.parametrize('text', ['', 'all', '0-5', '9-3', '5', '1-5;7-9', '-1-4'])
def test_other_ranges_are_refused(text):
    with pytest.raises(ValueError, match='expected frame ranges like 1-75,152-225'):
        parse_frame_ranges(text)


@pytest.fixture
def write_list(tmp_path):
    def write(*lines):
        path = tmp_path / 'list.txt'
        path.write_text('\n'.join(lines))
        return path

    return write


@pytest.mark.parametrize(
    ('line', 'video', 'stem', 'ranges'),
    [
        ('walking/a.avi', 'walking/a.avi', 'walking/a', None),
        ('walking/a.avi 0', 'walking/a.avi', 'walking/a', None),
        ('walking/a.avi -1', 'walking/a.avi', 'walking/a', None),
        ('a.avi  frames 1-5, 7-9', 'a.avi', 'a', ((0, 5), (6, 9))),
        ('a.avi\tframes\t1-5', 'a.avi', 'a', ((0, 5),)),
        ('a name.mp4 3', 'a name.mp4', 'a name', None),
        ('frames 2.avi', 'frames 2.avi', 'frames 2', None),
        ('folder.of/frames', 'folder.of/frames', 'folder.of/frames', None),
        ('v1.2', 'v1.2', 'v1.2', None),
    ],
)
def test_lines(write_list, line, video, stem, ranges):
    (job,) = read_job_list(write_list('# a comment', '', line))
    assert (str(job.video), str(job.stem), job.frame_ranges) == (video, stem, ranges)


def test_paths_count_from_the_current_folder_or_from_the_list(write_list, tmp_path, monkeypatch):
    (tmp_path / 'here').mkdir()
    monkeypatch.chdir(tmp_path / 'here')
    (tmp_path / 'beside.avi').touch()
    (tmp_path / 'here' / 'here.avi').touch()
    jobs = read_job_list(write_list('beside.avi', 'here.avi', 'nowhere.avi'))
    assert [job.video.exists() for job in jobs] == [True, True, False]
    assert [str(job.stem) for job in jobs] == ['beside', 'here', 'nowhere']


def test_paths_may_count_from_the_folder_above_the_list(tmp_path, monkeypatch):
    """As in the lists of tools/data/list_videos.py, which lie in a folder of their own."""
    (tmp_path / 'clips' / 'walking').mkdir(parents=True)
    (tmp_path / 'clips' / 'lists').mkdir()
    (tmp_path / 'clips' / 'walking' / 'a.avi').touch()
    (tmp_path / 'clips' / 'lists' / 'test.txt').write_text('walking/a.avi 1\n')
    for start, words in (
        (tmp_path, 'clips/lists/test.txt'),
        (tmp_path / 'clips' / 'lists', 'test.txt'),
    ):
        monkeypatch.chdir(start)
        (job,) = read_job_list(words)
        assert job.video.samefile(tmp_path / 'clips' / 'walking' / 'a.avi')
        assert job.stem.as_posix() == 'walking/a'


def test_absolute_paths_share_a_root(write_list):
    jobs = read_job_list(write_list('/data/x/a.avi', '/data/y/a.avi'))
    assert [str(job.stem) for job in jobs] == ['x/a', 'y/a']


@pytest.mark.parametrize(
    ('lines', 'fault'),
    [
        ([], 'names no video'),
        (['# only this'], 'names no video'),
        (['a.avi', 'b.avi frames 9-3'], 'line 2: expected frame ranges'),
        (['a.avi', 'b.avi frames all'], 'line 2: expected frame ranges'),
        (['a.avi', 'a.mp4'], 'would give the same output a'),
        (['a.avi', 'a.avi frames 1-2'], 'name each video once'),
    ],
)
def test_faults_are_named(write_list, lines, fault):
    with pytest.raises(ListError, match=fault):
        read_job_list(write_list(*lines))


def test_missing_list(tmp_path):
    with pytest.raises(ListError, match='cannot be read'):
        read_job_list(tmp_path / 'none.txt')
