"""The manifest: gathered from parts, never half written, and never mistaken for another run's."""

import json
import os
from pathlib import Path

import pytest

from mmsal.explain import Manifest, ManifestRow
from mmsal.explain.manifest import OutputTakenError, failed

HEADER = 'video,status,output,prediction,score,frames,seconds,error'


def row(video: str, status: str = 'done', **rest) -> ManifestRow:
    output = f'{Path(video).stem}.txt' if status == 'done' else ''
    return ManifestRow(video, status, output, **rest)


def written(folder: Path) -> list[str]:
    """Video and status of each line of the file itself."""
    header, *lines = (folder / 'manifest.csv').read_text().splitlines()
    assert header == HEADER
    return [' '.join(line.split(',')[:2]) for line in lines]


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith('.'))


@pytest.fixture
def with_row(tmp_path):
    """A folder with a video that is done, and its settings."""
    manifest = Manifest(tmp_path)
    manifest.begin({'method': 'gradcam', 'target': None}, {'a.avi': None})
    manifest.record(row('a.avi'))
    (tmp_path / 'a.txt').touch()
    return tmp_path


def test_rows_come_back_whatever_is_in_them(tmp_path):
    rows = [
        row('dir/a, "b".avi', prediction='Tai chi, "slow"', score='0.5', frames='8'),
        row('é\nü.avi', 'failed', error='one, "two"'),
        row(' spaced .avi'),
    ]
    manifest = Manifest(tmp_path)
    for one in rows:
        manifest.record(one)
    assert list(Manifest(tmp_path).rows.values()) == rows
    assert failed([*rows, None]) == [rows[1]]


def test_a_video_s_later_row_replaces_the_earlier(tmp_path):
    manifest = Manifest(tmp_path)
    for one in (row('a.avi', 'failed'), row('b.avi'), row('a.avi')):
        manifest.record(one)
    assert written(tmp_path) == ['a.avi done', 'b.avi done']


def test_done_means_recorded_and_there(with_row):
    manifest = Manifest(with_row)
    assert manifest.is_done('a.avi', 'a.txt')
    assert not manifest.is_done('a.avi', 'other/a.txt')
    assert not manifest.is_done('b.avi', 'a.txt')
    manifest.record(row('c.avi', 'failed'))
    assert not manifest.is_done('c.avi', '')
    (with_row / 'a.txt').unlink()
    assert not manifest.is_done('a.avi', 'a.txt')


def test_claim_refuses_another_video_s_file(with_row):
    manifest = Manifest(with_row)
    manifest.claim('a.avi', 'a.txt')
    manifest.claim('b.avi', 'b.txt')
    with pytest.raises(OutputTakenError, match=r'holds the maps of a\.avi, not of x/a\.avi'):
        manifest.claim('x/a.avi', 'a.txt')


class TestParts:
    def stopped(self, folder: Path) -> None:
        """Three processes wrote their parts and were killed."""
        manifest = Manifest(folder)
        manifest.record(row('before.avi'))
        manifest.record(row('c.avi', 'failed'))
        parts = [manifest.part(number) for number in range(3)]
        for number, video in enumerate(['a.avi', 'b.avi', 'c.avi', 'd.avi']):
            parts[number % 3].record(row(video))

    def test_the_next_reader_finds_their_rows(self, tmp_path):
        self.stopped(tmp_path)
        assert written(tmp_path) == ['before.avi done', 'c.avi failed']
        rows = Manifest(tmp_path).rows
        assert {video: one.status for video, one in rows.items()} == dict.fromkeys(
            ['before.avi', 'c.avi', 'a.avi', 'd.avi', 'b.avi'], 'done'
        )
        assert len(hidden(tmp_path)) == 3  # a reader changes nothing

    def test_gathering_leaves_the_manifest_alone(self, tmp_path):
        self.stopped(tmp_path)
        Manifest(tmp_path).gather()
        assert sorted(written(tmp_path)) == [
            f'{video}.avi done' for video in ('a', 'b', 'before', 'c', 'd')
        ]
        assert hidden(tmp_path) == []

    def test_gathering_killed_in_between_is_done_again(self, tmp_path, monkeypatch):
        self.stopped(tmp_path)
        with monkeypatch.context() as patch:
            patch.setattr(Path, 'unlink', lambda *_, **__: None)
            Manifest(tmp_path).gather()
        assert len(hidden(tmp_path)) == 3
        Manifest(tmp_path).gather()
        assert len(written(tmp_path)) == 5
        assert hidden(tmp_path) == []

    def test_a_part_does_not_touch_the_manifest(self, with_row):
        before = (with_row / 'manifest.csv').read_bytes()
        manifest = Manifest(with_row)
        manifest.part(1).record(row('b.avi'))
        assert (with_row / 'manifest.csv').read_bytes() == before
        assert 'b.avi' not in manifest.rows
        assert 'b.avi' in Manifest(with_row).rows

    def test_nothing_to_gather(self, tmp_path):
        Manifest(tmp_path).gather()
        assert list(tmp_path.iterdir()) == []


CORRUPT = {
    'another table': b'name,age\nx,3\n',
    'no table': b'some notes\n',
    'empty': b'',
    'not text': bytes(range(128, 256)),
    'more columns': (HEADER + ',more\na.avi,done,a.txt,,,,,,\n').encode(),
}
BROKEN_ROWS = {
    'too many fields': (HEADER + '\na.avi,done,a.txt,,,,,,,,surplus\n').encode(),
    'too long a field': (HEADER + '\n"' + 'x' * 200_000).encode(),
}
EVERY_CORRUPT = [
    *(pytest.param(content, id=name) for name, content in CORRUPT.items()),
    *(pytest.param(content, id=name) for name, content in BROKEN_ROWS.items()),
]


class TestCorrupt:
    @pytest.mark.parametrize('content', EVERY_CORRUPT)
    def test_is_refused(self, tmp_path, content):
        path = tmp_path / 'manifest.csv'
        path.write_bytes(content)
        with pytest.raises(ValueError) as told:
            Manifest(tmp_path)
        assert path.read_bytes() == content
        assert '\n' not in str(told.value)

    @pytest.mark.parametrize('content', EVERY_CORRUPT)
    def test_is_replaced_with_overwrite(self, tmp_path, content):
        (tmp_path / 'manifest.csv').write_bytes(content)
        manifest = Manifest(tmp_path, overwrite=True)
        manifest.gather()
        manifest.begin({}, {'a.avi': None}, overwrite=True)
        manifest.record(row('a.avi'))
        assert written(tmp_path) == ['a.avi done']

    def test_message_names_the_file(self, tmp_path):
        path = tmp_path / 'manifest.csv'
        path.write_bytes(CORRUPT['not text'])
        with pytest.raises(ValueError, match='manifest'):
            Manifest(tmp_path)

    def test_part_is_replaced_with_overwrite(self, with_row):
        (with_row / '.manifest.part0.csv').write_bytes(b'')
        with pytest.raises(ValueError, match='is no manifest'):
            Manifest(with_row)
        Manifest(with_row, overwrite=True).gather()
        assert written(with_row) == ['a.avi done']
        assert hidden(with_row) == []

    @pytest.mark.parametrize('content', ['', '{"method": ', '[]', '"x"'])
    def test_settings_are_refused_or_replaced(self, with_row, content):
        noted = with_row / 'settings.json'
        noted.write_text(content)
        with pytest.raises(ValueError, match=r'settings\.json'):
            Manifest(with_row).begin({'method': 'gradcam'}, {'a.avi': None})
        Manifest(with_row).begin({'method': 'gradcam'}, {'a.avi': None}, overwrite=True)
        assert json.loads(noted.read_text())['method'] == 'gradcam'


class TestSettings:
    SAME = {'method': 'gradcam', 'target': None}

    @pytest.mark.parametrize(
        ('settings', 'words'),
        [
            ({'method': 'layercam', 'target': None}, "method 'gradcam', not 'layercam'"),
            ({'method': 'gradcam', 'target': 1}, 'target None, not 1'),
            ({**SAME, 'stride': 5}, 'stride None, not 5'),
            ({**SAME, 'config': 'x' * 300}, 'another config'),
        ],
    )
    def test_others_are_refused(self, with_row, settings, words):
        before = {path: path.read_bytes() for path in with_row.iterdir()}
        with pytest.raises(ValueError, match=f'holds maps made with {words}: .* --overwrite'):
            Manifest(with_row).begin(settings, {'a.avi': None, 'b.avi': None})
        assert {path: path.read_bytes() for path in with_row.iterdir()} == before
        Manifest(with_row).begin(settings, {'a.avi': None}, overwrite=True)
        assert written(with_row) == ['a.avi outdated']
        assert (with_row / 'a.txt').is_file()  # a run that fails at once has lost nothing
        assert not Manifest(with_row).is_done('a.avi', 'a.txt')

    def test_overwrite_is_no_way_out_where_it_would_be_refused(self, with_row):
        with pytest.raises(ValueError, match=r'target None, not 1: name another folder$'):
            Manifest(with_row).begin({**self.SAME, 'target': 1}, {'b.avi': None})

    def test_other_videos_maps_bind_with_overwrite_too(self, with_row):
        Manifest(with_row).record(row('b.avi'))
        (with_row / 'b.txt').touch()
        before = {path: path.read_bytes() for path in with_row.iterdir()}
        with pytest.raises(ValueError, match=r'holds maps of other videos, made with target None'):
            Manifest(with_row).begin({**self.SAME, 'target': 1}, {'b.avi': None}, overwrite=True)
        assert {path: path.read_bytes() for path in with_row.iterdir()} == before

    @pytest.mark.parametrize('part', [None, 0])
    @pytest.mark.parametrize('new', [row('a.avi', 'failed'), ManifestRow('a.avi', 'done', 'a.npz')])
    def test_outdated_maps_go_when_the_new_ones_come(self, with_row, new, part):
        (with_row / 'a.txt.json').touch()
        manifest = Manifest(with_row)
        manifest.begin(self.SAME, {'a.avi': None}, overwrite=True)
        (manifest if part is None else manifest.part(part)).record(new)
        assert not (with_row / 'a.txt').exists() and not (with_row / 'a.txt.json').exists()
        Manifest(with_row).gather()
        assert written(with_row) == [f'a.avi {new.status}']

    def test_new_maps_in_the_place_of_outdated_ones_stay(self, with_row):
        manifest = Manifest(with_row)
        manifest.begin(self.SAME, {'a.avi': None}, overwrite=True)
        manifest.record(row('a.avi'))
        assert Manifest(with_row).is_done('a.avi', 'a.txt')

    def test_maps_that_are_not_outdated_stay(self, with_row):
        Manifest(with_row).record(row('a.avi', 'failed'))  # its overlay could not be drawn, say
        assert (with_row / 'a.txt').is_file()

    @pytest.mark.parametrize('output', ['../kept.txt', 'notes.md', '{outside}/kept.txt'])
    def test_nothing_but_maps_is_removed(self, with_row, output):
        output = output.format(outside=with_row.parent)
        kept = with_row / output
        kept.write_text('mine')
        Manifest(with_row).record(ManifestRow('b.avi', 'outdated', output))
        Manifest(with_row).record(row('b.avi'))
        assert kept.read_text() == 'mine'
        kept.unlink()

    def test_other_frames_of_a_video_that_is_done(self, with_row):
        again = {'a.avi': [[0, 9]], 'b.avi': [[5, 9]]}
        with pytest.raises(ValueError, match=r'frame_ranges of a\.avi None, not \[\[0, 9\]\]'):
            Manifest(with_row).begin(self.SAME, again)
        Manifest(with_row).begin(self.SAME, {'b.avi': [[5, 9]]})
        noted = json.loads((with_row / 'settings.json').read_text())
        assert noted['frame_ranges'] == {'a.avi': None, 'b.avi': [[5, 9]]}

    def test_the_same_go_on(self, with_row):
        Manifest(with_row).begin(self.SAME, {'a.avi': None, 'b.avi': None})
        assert written(with_row) == ['a.avi done']

    def test_what_made_no_map_binds_nobody(self, tmp_path):
        manifest = Manifest(tmp_path)
        manifest.begin(self.SAME, {'a.avi': None})
        manifest.record(row('a.avi', 'failed'))
        Manifest(tmp_path).begin({'method': 'layercam'}, {'a.avi': [[0, 9]]})


class TestCrash:
    @pytest.mark.parametrize('where', ['write_text', 'replace'])
    @pytest.mark.parametrize('part', [None, 0])
    def test_in_the_middle_of_writing_leaves_the_old_file(self, tmp_path, monkeypatch, where, part):
        whole = Manifest(tmp_path)
        manifest = whole if part is None else whole.part(part)
        manifest.record(row('a.avi'))
        before = manifest.path.read_bytes()
        write = Path.write_text

        def killed(path, text, **options):
            write(path, text[: len(text) // 2], **options)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Path, 'write_text', killed)
            if where == 'replace':
                patch.setattr(Path, 'write_text', write)
                patch.setattr(os, 'replace', lambda *_: (_ for _ in ()).throw(OSError('full')))
            with pytest.raises((KeyboardInterrupt, OSError)):
                manifest.record(row('b.avi'))
        assert manifest.path.read_bytes() == before
        assert list(Manifest(tmp_path).rows) == ['a.avi']
        manifest.record(row('b.avi'))
        assert list(Manifest(tmp_path).rows) == ['a.avi', 'b.avi']
