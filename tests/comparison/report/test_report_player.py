"""A video's page in a browser, opened from disk."""

import numpy as np
import pytest

from .browsing import (
    FIXATION,
    FRAMES,
    MINUS,
    MODELS,
    SIDE,
    VIDEO_PAGE,
    bare,
    choose,
    find,
    numbers,
    pixels,
    press,
    shows,
    wait,
)


def test_the_slider_moves_all_canvases_in_step(see):
    browser = see(VIDEO_PAGE)
    bare(browser)
    slider = find(browser, '#frame')[0]
    for frame in (7, 23, 12, 0):
        browser.execute_script(
            'arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event("input"))',
            slider, frame,
        )  # fmt: skip
        shows(browser, frame)
        assert slider.get_attribute('aria-valuetext') == find(browser, '#where')[0].text


def test_keys_step_and_jump(see):
    from selenium.webdriver.common.keys import Keys

    browser = see(VIDEO_PAGE)
    bare(browser)
    browser.execute_script('document.activeElement.blur()')
    for keys, frame in (
        ([Keys.ARROW_RIGHT] * 3, 3), ([Keys.ARROW_LEFT], 2), ([Keys.END], 23),
        ([Keys.ARROW_RIGHT], 23), ([Keys.HOME], 0), ([Keys.ARROW_LEFT], 0),
    ):  # fmt: skip
        press(browser, *keys)
        shows(browser, frame)
    # With the slider in focus the browser's own keys do the same, once.
    browser.execute_script('document.getElementById("frame").focus()')
    press(browser, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    shows(browser, 2)
    press(browser, Keys.END)
    shows(browser, 23)


@pytest.mark.parametrize('by', ['button', 'space'])
def test_play_goes_on_and_pauses(see, by):
    browser = see(VIDEO_PAGE)
    bare(browser)
    choose(browser, 'speed', '0.1 \N{MULTIPLICATION SIGN}')
    browser.execute_script('document.activeElement.blur()')
    button = find(browser, '#play')[0]
    assert button.text == 'Play'

    def toggle():
        button.click() if by == 'button' else press(browser, ' ')

    def index():
        return int(find(browser, '#frame')[0].get_attribute('value'))

    toggle()
    assert button.text == 'Pause'
    assert find(browser, '#where')[0].get_attribute('aria-live') == 'off'
    wait(browser, lambda: index() >= 3)
    toggle()
    stopped = index()
    assert button.text == 'Play' and stopped >= 3
    shows(browser, stopped)
    assert find(browser, '#where')[0].get_attribute('aria-live') == 'polite'
    choose(browser, 'speed', '1 \N{MULTIPLICATION SIGN}')
    button.click()
    wait(browser, lambda: button.text == 'Play')  # it stops by itself at the end
    shows(browser, FRAMES - 1)


def test_overlay_and_fixations(see):
    browser = see(VIDEO_PAGE)
    bare(browser)
    source, people = find(browser, '.panel canvas')[:2]
    plain_source, plain_map = pixels(source), pixels(people)
    height, width = plain_source.shape[:2]
    x, y = (FIXATION[0] / SIDE * (width, height)).astype(int)
    find(browser, '#fixations')[0].click()
    wait(browser, lambda: pixels(source)[y, x].min() > 240)
    assert pixels(people)[y, x].min() > 240
    changed = np.abs(pixels(source).astype(int) - plain_source).max(axis=2) > 40
    where = np.argwhere(changed)
    np.testing.assert_allclose(where.mean(axis=0), (y, x), atol=1.5)
    find(browser, '#fixations')[0].click()
    find(browser, '#overlay')[0].click()
    mixed = (plain_source.astype(float) + plain_map) / 2
    inner = (slice(10, height - 10), slice(width // 2, width - 10))
    wait(browser, lambda: np.abs(pixels(people)[inner] - mixed[inner]).max() < 4)
    np.testing.assert_array_equal(pixels(source)[inner], plain_source[inner])


@pytest.mark.parametrize('metric', ['NSS', 'KLD'])
def test_best_and_worst_frames_jump_there(see, known, metric):
    browser = see(VIDEO_PAGE)
    bare(browser)
    choose(browser, 'series', f'{metric} (Tübingen)')
    results, *_ = known
    rows = results[
        (results['video'] == 'b10') & (results['model'] == MODELS[0])
        & (results['reference'] == 'all observers') & (results['level'] == 'frame')
        & (results['metric'] == metric) & (results['convention'] == 'tuebingen')
    ].set_index('frame')['value'].dropna()  # fmt: skip
    ends = {'best': rows.idxmax(), 'worst': rows.idxmin()}
    if metric == 'KLD':
        ends = {'best': ends['worst'], 'worst': ends['best']}
    for name, frame in ends.items():
        button = find(browser, f'#{name} button')[0]
        assert button.text.startswith(f'frame {frame}, ')
        assert float(button.text.split()[-1].replace(MINUS, '-')) == pytest.approx(
            rows[frame], abs=1e-3
        )
        button.click()
        shows(browser, frame - 100)
        score = find(browser, '.panel .score')[2].text
        assert score.startswith(metric)
        assert float(score.split()[-1].replace(MINUS, '-')) == pytest.approx(rows[frame], abs=6e-3)


def test_the_time_course_has_the_values_and_the_cursor(see, known):
    browser = see(VIDEO_PAGE)
    bare(browser)
    results, *_ = known
    lines = browser.execute_script(
        'return [...document.querySelectorAll("#chart path.line")].map(p => p.getAttribute("d"))'
    )
    rows = results[
        (results['video'] == 'b10') & (results['reference'] == 'all observers')
        & (results['level'] == 'frame') & (results['metric'] == 'NSS')
        & (results['convention'] == 'tuebingen')
    ]  # fmt: skip
    shown = ('chance', *reversed(MODELS))  # the first is drawn last, above the others
    assert len(lines) == len(shown)
    points, values = [], []
    for path, model in zip(lines, shown, strict=True):
        model_values = rows[rows['model'] == model].sort_values('frame')['value'].dropna()
        pieces = path.replace('h0', '').replace('M', ' L').split('L')[1:]
        points += [float(piece.split()[1]) for piece in pieces]
        values += model_values.tolist()
    fit = np.polyfit(values, points, 1)
    assert fit[0] < 0  # up is more
    np.testing.assert_allclose(np.polyval(fit, values), points, atol=0.2)
    grid = browser.execute_script(
        'return [...document.querySelectorAll("#chart .grid")].map('
        'l => [l.nextSibling.textContent, Number(l.getAttribute("y1")),'
        ' Number(l.nextSibling.getAttribute("y")) - 4])'
    )
    assert len(grid) >= 3
    for text, *places in grid:  # of the line and of its number
        wanted = np.polyval(fit, numbers([text])[0])
        np.testing.assert_allclose(places, wanted, atol=0.2)

    def cursor():
        return float(find(browser, '#chart .cursor')[0].get_attribute('x1'))

    began = cursor()
    browser.execute_script('mmsal.player.seek(10)')
    middle = cursor()
    browser.execute_script('mmsal.player.seek(20)')
    assert middle - began == pytest.approx(cursor() - middle) and middle > began
    boxes = find(browser, '#lines input')
    boxes[0].click()
    assert len(find(browser, '#chart path.line')) == 2
    choose(browser, 'level', 'windows of time')
    assert len(find(browser, '#best button')) >= 1
    choose(browser, 'reference', 'each observer')
    assert 'human ceiling' in find(browser, '#lines')[0].text
