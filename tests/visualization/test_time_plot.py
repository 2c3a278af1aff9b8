"""Plots over time and strips of frames: what is on them, read off the figures that are saved."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from mmsal.visualization.frame_strip import Strip, write_strips
from mmsal.visualization.time_plot import TimeLine, write_time_plot

FRAMES = np.array([10, 12, 14, 16])
VALUES = np.array([0.0, 0.25, 1.0, 0.5])
CHOSEN = np.array([False, False, True, True])


@pytest.fixture
def drawn(monkeypatch):
    """Figures, as they are when they are saved."""
    figures, save = [], Figure.savefig

    def keep(figure, *args, **kwargs):
        figures.append(figure)
        save(figure, *args, **kwargs)

    monkeypatch.setattr(Figure, 'savefig', keep)
    return figures


def curve(axis):
    """x and y of the line that joins points."""
    (line,) = [line for line in axis.lines if line.get_linestyle() == '-']
    return line.get_xydata().T.tolist()


def dots(axis):
    """x of the full and of the hollow dots."""
    marked = [line for line in axis.lines if line.get_marker() == 'o' and len(line.get_xdata())]
    hollow = [line.get_markerfacecolor() == 'white' for line in marked]
    return [
        sorted(x for line, is_it in zip(marked, hollow, strict=True) if is_it is wanted
               for x in line.get_xdata())
        for wanted in (False, True)
    ]  # fmt: skip


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def check_picture(path):
    with Image.open(path) as picture:
        assert picture.format == 'PNG'
        assert np.asarray(picture.convert('L')).std() > 5
        return picture.size


def numbers(axis):
    """The frame numbers above an axis, by time."""
    (above,) = axis.child_axes
    words = [text.get_text() for text in above.get_xticklabels()]
    return dict(sorted(zip(above.get_xticks().tolist(), words, strict=True)))


def test_a_panel_per_range_with_seconds_and_frame_numbers(tmp_path, drawn):
    later = TimeLine('later', FRAMES + 200, VALUES[::-1] / 2, (FRAMES + 200) / 25)
    first = TimeLine('first', FRAMES, VALUES, FRAMES / 25, CHOSEN)
    path = tmp_path / 'sub' / 'x.png'
    write_time_plot([first, later], path, 'a title', 'counts', chosen='looked into')
    (figure,) = drawn
    left, right = figure.axes
    assert curve(left) == [[0.4, 0.48, 0.56, 0.64], [0, 0.25, 1, 0.5]]
    assert curve(right) == [[8.4, 8.48, 8.56, 8.64], [0.25, 0.5, 0.125, 0]]
    assert dots(left) == [[0.56, 0.64], [0.4, 0.48]]
    assert dots(right) == [[8.4, 8.48, 8.56, 8.64], []]
    assert numbers(left) == {0.4: '10', 0.48: '12', 0.56: '14', 0.64: '16'}
    assert numbers(right) == {8.4: '210', 8.48: '212', 8.56: '214', 8.64: '216'}
    for axis, name in ((left, 'first'), (right, 'later')):
        assert (axis.get_title(), axis.get_xlabel()) == (name, 'seconds')
        assert axis.get_ylim() == left.get_ylim() and axis.get_ylim()[0] == 0
    assert left.get_ylabel() == 'counts'
    assert figure.get_suptitle() == 'a title'
    assert legend(figure) == ['looked into']
    check_picture(path)
    assert [one.name for one in path.parent.iterdir()] == ['x.png']


def test_frame_numbers_leave_room_for_each_other(tmp_path, drawn):
    frames = np.arange(1000, 1900)
    write_time_plot([TimeLine('', frames, frames, frames / 30)], tmp_path / 'x.png')
    (figure,) = drawn
    above = numbers(figure.axes[0])
    times, written = np.array(list(above)), list(above.values())
    assert written[0] == '1000' and written[-1] == '1899'
    np.testing.assert_allclose(times, np.array(written, float) / 30)
    inches = np.diff(times) / (times[-1] - times[0]) * figure.get_size_inches()[0]
    assert len(written) > 8 and inches.min() > 0.45


def test_frame_numbers_alone_where_a_time_is_unknown(tmp_path, drawn):
    lines = [TimeLine('a', FRAMES, VALUES, FRAMES / 25), TimeLine('b', FRAMES + 50, VALUES)]
    write_time_plot(lines, tmp_path / 'x.png', level=('even', 0.125))
    for axis, places in zip(drawn[0].axes, (FRAMES, FRAMES + 50), strict=True):
        assert curve(axis)[0] == places.tolist()
        assert axis.get_xlabel() == 'frame of the video, from 0'
        assert not axis.child_axes
        (level,) = [line for line in axis.lines if line.get_linestyle() == ':']
        assert list(level.get_ydata()) == [0.125, 0.125]
    assert legend(drawn[0]) == ['even']


def test_many_panels_stand_in_rows_of_four(tmp_path, drawn):
    lines = [TimeLine(f'line {n}', FRAMES + 20 * n, VALUES) for n in range(6)]
    write_time_plot(lines, tmp_path / 'x.png')
    shown = [axis for axis in drawn[0].axes if axis.lines]
    assert [axis.get_title() for axis in shown] == [line.label for line in lines]
    heights = [round(axis.get_position().y0, 3) for axis in shown]
    assert heights == [heights[0]] * 4 + [heights[4]] * 2 and heights[4] < heights[0]
    assert not drawn[0].legends


def test_values_that_are_undefined_and_a_single_frame_can_be_drawn(tmp_path):
    nothing = TimeLine('', FRAMES, np.full(4, np.nan), FRAMES / 25)
    one = TimeLine('', FRAMES[:1], VALUES[:1], FRAMES[:1] / 25)
    for number, line in enumerate((nothing, one)):
        write_time_plot([line], tmp_path / f'{number}.png')
        check_picture(tmp_path / f'{number}.png')


@pytest.mark.parametrize('name', ['values', 'times', 'chosen'])
def test_arrays_of_another_length_are_refused(tmp_path, name):
    arrays = {'values': VALUES, 'times': FRAMES / 25, 'chosen': CHOSEN}
    arrays[name] = arrays[name][:3]
    with pytest.raises(ValueError, match=f'expected {name} of 4 frames, got 3'):
        write_time_plot([TimeLine('', FRAMES, **arrays)], tmp_path / 'x.png')
    assert not list(tmp_path.iterdir())


def test_a_plot_of_no_lines_is_refused(tmp_path):
    with pytest.raises(ValueError, match='nothing to draw'):
        write_time_plot([], tmp_path / 'x.png')


# --- strips of frames -----------------------------------------------------------------------------


def strip(count, name='', size=(30, 40)):
    pictures = np.random.default_rng(count).integers(0, 256, (2, count, *size, 3), dtype=np.uint8)
    words = [[f'{where} {n}' for n in range(count)] for where in ('above', 'below')]
    return Strip(name, *pictures, *words)


def test_frames_stand_over_their_maps(tmp_path, drawn):
    strips = [strip(3, 'one'), strip(2, 'other')]
    write_strips(strips, tmp_path / 'x.png', 'a title')
    (figure,) = drawn
    shown = {}
    for axis in figure.axes:
        box = axis.get_position()
        shown[axis.texts[0].get_text()] = (axis.images[0].get_array(), box.x0, box.y0)
        # In the shape that the picture has.
        width, height = figure.get_size_inches() * box.size
        assert width / height == pytest.approx(40 / 30, rel=1e-6)
    assert len(figure.axes) == 10
    above, below = (shown[f'{where} 2'] for where in ('above', 'below'))  # of the longer strip
    np.testing.assert_array_equal(above[0], strips[0].frames[2])
    np.testing.assert_array_equal(below[0], strips[0].maps[2])
    assert above[1] == below[1] and above[2] > below[2]
    others = shown['above 0'], shown['below 0']  # of the second strip, under the first
    np.testing.assert_array_equal(others[0][0], strips[1].frames[0])
    assert below[2] > others[0][2] > others[1][2] > 0
    assert [text.get_text() for text in figure.texts if text.get_text() != 'a title'] == [
        'one',
        'other',
    ]
    assert figure.get_suptitle() == 'a title'


def test_strips_grow_with_their_ranges(tmp_path):
    write_strips([strip(8)], tmp_path / 'one.png')
    write_strips([strip(8)] * 3, tmp_path / 'three.png')
    one, three = (check_picture(tmp_path / f'{name}.png') for name in ('one', 'three'))
    assert one[0] == three[0] and three[1] > 2.5 * one[1]
    assert not list(tmp_path.glob('.*'))


def test_strips_that_cannot_be_drawn_are_refused(tmp_path):
    with pytest.raises(ValueError, match='no frames to draw'):
        write_strips([], tmp_path / 'x.png')
    pictures = strip(3)
    with pytest.raises(ValueError, match='a map of every frame'):
        write_strips([Strip('', pictures.frames, pictures.maps[:2], [], [])], tmp_path / 'x.png')
    assert not list(tmp_path.iterdir())
