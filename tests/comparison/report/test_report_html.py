"""The files of a report, read without a browser."""

import re
import weakref
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from mmsal.comparison.report import write_report

from .made_up import (
    FEW,
    SCALES,
    SETTINGS,
    VERDICTS,
    make_inputs,
    make_pages,
    make_pairs,
    make_results,
    make_summary,
)

VOID = {'meta', 'link', 'img', 'input', 'br', 'hr'}
FOUR = {**FEW, **{key: SCALES[key] for key in (('AUC-Judd', 'mit'), ('EMD', 'mit'))}}
HOSTILE = '"><script>alert(1)</script>\'&amp;{{ 7 * 7 }}'


class Reader(HTMLParser):
    """Elements with their attributes; elements that do not close in order are errors."""

    def __init__(self, text: str):
        super().__init__()
        self.elements, self.open, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names)), (tag, names)
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope='module')
def report(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('report') / 'report'
    assert (
        write_report(folder, *make_inputs(3, 12, FOUR, width=64, height=36))
        == folder / 'index.html'
    )
    return folder


def pages_of(folder: Path) -> list[Path]:
    return [folder / 'index.html', *sorted((folder / 'videos').glob('*.html'))]


def test_the_parts_of_a_report(report):
    assert {path.name for path in report.iterdir()} == {
        'index.html', 'videos', 'figures', 'data', 'static',
    }  # fmt: skip
    assert len(pages_of(report)) == 4
    # 3 levels x 4 metrics x 2 references
    assert len(list((report / 'figures').glob('*.svg'))) == 24
    assert len(list((report / 'figures').glob('*.pdf'))) == 24


def test_pages_are_well_formed_and_complete(report):
    for path in pages_of(report):
        reader = Reader(path.read_text(encoding='utf-8'))
        tags = [tag for tag, _ in reader.elements]
        assert dict(reader.elements)['html']['lang'] == 'en'
        assert tags.count('h1') == tags.count('main') == tags.count('title') == 1
        assert {'header', 'nav', 'footer'} <= set(tags)
        levels = [int(tag[1]) for tag in tags if re.fullmatch('h[1-6]', tag)]
        assert levels[0] == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))
        ids = [attributes['id'] for _, attributes in reader.elements if 'id' in attributes]
        assert len(ids) == len(set(ids))
        for tag, attributes in reader.elements:
            assert tag != 'img' or attributes['alt']
            assert not any(name.startswith('on') for name in attributes)
            for name in ('aria-labelledby', 'for'):
                assert set(attributes.get(name, '').split()) <= set(ids)


def test_everything_that_is_linked_is_in_the_folder(report):
    linked = 0
    for path in pages_of(report):
        for _, attributes in Reader(path.read_text(encoding='utf-8')).elements:
            for link in (attributes.get('href'), attributes.get('src')):
                if not link or link == 'data:,':
                    continue
                parts = urlsplit(link)
                assert not parts.scheme and not parts.netloc
                target = (path.parent / parts.path).resolve() if parts.path else path
                assert target.is_file() and target.is_relative_to(report.resolve())
                linked += 1
    assert linked > 60
    for path in (report / 'static').iterdir():
        code = path.read_text().replace('http://www.w3.org/2000/svg', '')
        assert not re.search(r'https?:|url\(|@import|fetch\(|innerHTML|XMLHttp|eval\(', code)


def test_synthetic_data_is_called_so_everywhere(report, tmp_path):
    for path in [*pages_of(report), *(report / 'figures').glob('*.svg')]:
        assert 'SYNTHETIC data' in path.read_text(encoding='utf-8')
    results, summary, pairs, pages, settings, verdicts = make_inputs(1, 6, FEW, width=64, height=36)
    settings = {**settings, 'synthetic': False}
    real = write_report(tmp_path / 'real', results, summary, pairs, pages, settings, verdicts)
    for path in [*pages_of(real.parent), *(real.parent / 'figures').glob('*.svg')]:
        assert 'SYNTHETIC data' not in path.read_text(encoding='utf-8')


def test_settings_verdicts_and_notes_are_there(report):
    text = ' '.join(' '.join(Reader((report / 'index.html').read_text()).texts).split())
    for sentence in VERDICTS:
        assert sentence in text
    for words in ('19.0', 'outside the picture 12', 'numpy 2', SETTINGS['command']):
        assert words in text
    for metric in ('NSS', 'AUC-Judd', 'EMD'):
        assert re.search(rf'{metric}, [^.]* (higher|lower) is better', text)


@pytest.mark.parametrize('count', [0, 6, 7])
def test_every_answer_is_on_the_page(tmp_path, count):
    results, summary, pairs, *_ = make_inputs(1, 6, FEW)
    summary.attrs['resamples'], pairs.attrs['correction'] = 1234, 'holm'
    answers = [f'answer {number}.' for number in range(count)]
    index = write_report(tmp_path / 'report', results, summary, pairs, [], {}, answers)
    reader = Reader(index.read_text())
    text = ''.join(reader.texts)
    assert [answer for answer in answers if text.count(answer) != 1] == []
    assert ('1 more answer\n' in text) == (count == 7)
    assert ('Answers' in text) == (count > 0)
    assert 'resamples1234' in ''.join(text.split()) and 'correctionholm' in ''.join(text.split())


def test_names_are_text_wherever_they_stand(tmp_path):
    videos = [f'{HOSTILE}{number}' for number in range(2)]
    models = (HOSTILE, '__proto__', '$x$')
    results = make_results(videos, models, frames=6, scales=FEW)
    summary = make_summary(results)
    pages = make_pages(videos, models, frames=6, width=32, height=24)
    settings = {HOSTILE: {HOSTILE: [HOSTILE, {HOSTILE: None}]}, 'file': 'not UTF-8 \udce4'}
    index = write_report(
        tmp_path / 'report', results, summary, make_pairs(summary), pages, settings, [HOSTILE]
    )
    for path in pages_of(index.parent):
        text = path.read_text(encoding='utf-8')
        reader = Reader(text)
        assert all('src' in found for tag, found in reader.elements if tag == 'script')
        assert HOSTILE in ''.join(reader.texts)
        assert '49' not in ''.join(reader.texts).replace('1449', '')
    for path in index.parent.rglob('*.js'):
        if path.parent.name != 'static':
            assert '<' not in path.read_text(encoding='ascii')
    assert sorted(path.name for path in (index.parent / 'videos').glob('*.html')) == [
        'script-alert-1-script-amp-7-7-0.html', 'script-alert-1-script-amp-7-7-1.html',
    ]  # fmt: skip


def test_undefined_is_neither_lost_nor_a_number(tmp_path):
    results, _, _, pages, *rest = make_inputs(2, 6, FEW, width=32, height=24)
    results.loc[results['model'] == 'motion', 'value'] = np.nan
    with np.errstate(all='ignore'):
        summary = make_summary(results)
    report = write_report(tmp_path / 'r', results, summary, make_pairs(summary), pages, *rest)
    text = (report.parent / 'index.html').read_text()
    assert 'motion undefined' in text
    rows = (report.parent / 'data' / 'summary.js').read_text()
    assert 'NaN' in rows
    figure = (report.parent / 'figures' / 'video-all-observers-tuebingen-nss.svg').read_text()
    assert '<!-- undefined -->' in figure


def test_a_failure_while_pages_are_made_leaves_the_earlier_report(tmp_path):
    inputs = make_inputs(2, 6, FEW, width=32, height=24)
    index = write_report(tmp_path / 'report', *inputs)
    before = {path: path.read_bytes() for path in index.parent.rglob('*') if path.is_file()}
    results, summary, pairs, _, *rest = inputs

    def failing():
        yield next(make_pages(results['video'].unique(), frames=6, width=32, height=24))
        raise OSError('the disk is full')

    with pytest.raises(OSError, match='disk is full'):
        write_report(tmp_path / 'report', results, summary, pairs, failing(), *rest)
    after = {path: path.read_bytes() for path in index.parent.rglob('*') if path.is_file()}
    assert before == after
    assert [path.name for path in tmp_path.iterdir()] == ['report']


def test_one_video_is_in_memory_at_a_time(tmp_path):
    results, summary, pairs, _, *rest = make_inputs(4, 6, FEW)
    made, living = [], []

    def watched():
        pages = make_pages(results['video'].unique(), frames=6, width=32, height=24)
        for _ in range(4):
            living.append(sum(density() is not None for density in made))
            held = [next(pages)]
            made.append(weakref.ref(held[0].density))
            yield held.pop()

    write_report(tmp_path / 'report', results, summary, pairs, watched(), *rest)
    assert living == [0, 0, 0, 0]


@pytest.mark.parametrize('case', ['stranger', 'twice', 'column', 'empty', 'tile', 'frames'])
def test_input_that_does_not_fit_is_refused(tmp_path, case):
    results, summary, pairs, pages, *rest = make_inputs(2, 6, FEW, width=32, height=24)
    options = {}
    if case == 'stranger':
        pages, message = make_pages(['other'], frames=6), "one of 'other'"
    elif case == 'twice':
        pages = make_pages([results['video'][0]] * 2, frames=6, width=32, height=24)
        message = 'one page per video, got two'
    elif case == 'column':
        pairs, message = pairs.drop(columns=['p', 'other']), 'pairs.*absent: other, p$'
    elif case == 'empty':
        summary, message = summary.iloc[:0], 'summary with rows'
    elif case == 'tile':
        options, message = {'tile_size': 4000}, 'tile_size of 1 to 2048'
    else:
        options, message = {'max_frames': 0}, 'at least 1 frame'
    with pytest.raises(ValueError, match=message):
        write_report(tmp_path / 'report', results, summary, pairs, pages, *rest, **options)
    assert list(tmp_path.iterdir()) == []


def test_rows_of_frames_stay_out_of_the_overview(tmp_path):
    sizes = []
    for frames in (6, 600):
        results, summary, pairs, _, *rest = make_inputs(2, frames, FEW)
        index = write_report(tmp_path / str(frames), results, summary, pairs, [], *rest)
        data = sum(path.stat().st_size for path in (index.parent / 'data').iterdir())
        sizes.append(index.stat().st_size + data)
    assert sizes[1] < 1.02 * sizes[0]


def test_long_videos_say_how_many_frames_are_shown(tmp_path):
    *inputs, verdicts = make_inputs(1, 50, FEW, width=32, height=24)
    index = write_report(tmp_path / 'report', *inputs, verdicts, max_frames=7)
    (page,) = pages_of(index.parent)[1:]
    assert '7 of them are shown here' in page.read_text()
    assert '50 frames compared' in ' '.join(page.read_text().split())


def contrast(first: str, second: str) -> float:
    """WCAG 2.1's contrast ratio of two colours #rrggbb."""

    def luminance(colour):
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted([luminance(first), luminance(second)])
    return (high + 0.05) / (low + 0.05)


def test_contrasts_reach_wcag_aa(report):
    assert contrast('#000000', '#ffffff') == pytest.approx(21)
    css = (report / 'static' / 'report.css').read_text()
    schemes = [dict(re.findall(r'--([\w-]+): (#\w{6})', block)) for block in re.findall(
        r':root \{(.*?)\}', css, flags=re.S)]  # fmt: skip
    assert len(schemes) == 2
    for colours in schemes:
        for ground in ('paper', 'card'):
            for text in ('ink', 'soft', 'link'):
                assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
        assert contrast(colours['on-accent'], colours['accent']) >= 4.5
        assert contrast(colours['warn-ink'], colours['warn']) >= 4.5
        lines = ['s0', 's1', 's2', 's3', 's4', 's5', 'yardstick', 'cursor', 'edge']
        assert min(contrast(colours[line], colours['paper']) for line in lines) >= 3
