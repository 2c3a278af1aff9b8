"""The overview in a browser, opened from disk as a reader would."""

import numpy as np
import pytest

from mmsal.comparison.yardsticks import LOWER_IS_BETTER

from .browsing import (
    HOSTILE,
    MODELS,
    VIDEO_PAGE,
    VIDEOS,
    choose,
    column,
    find,
    numbers,
    press,
    wait,
)


def test_scores_are_those_of_the_summary(see, known):
    browser = see()
    _, summary, _ = known
    key = ['level', 'reference', 'convention', 'metric', 'model']
    means = summary.set_index(key)['mean']
    choices = (('video', 'all observers', 'tuebingen'), ('static', 'each observer', 'mit'))
    for level, reference, convention in choices:
        if level == 'static':
            choose(browser, 'level', 'static: summed map, all fixations')
            choose(browser, 'reference', reference)
            choose(browser, 'convention', 'MIT Saliency Benchmark')
        models = column(browser, 'score-table', 0)
        assert models[:2] == list(MODELS)
        assert ('human ceiling' in models) == (reference == 'each observer')
        heads = [head.text for head in find(browser, '#score-table thead button')]
        assert len(heads) >= 4
        for place, metric in enumerate(heads[1:], start=1):
            wanted = [means[level, reference, convention, metric, model] for model in models]
            shown = numbers(column(browser, 'score-table', place))
            assert shown == pytest.approx(wanted, abs=6e-4)
        shown = [figure for figure in find(browser, '.plot') if figure.is_displayed()]
        assert len(shown) == len(heads) - 1


@pytest.mark.parametrize('by', ['click', 'keyboard'])
def test_tables_sort_by_their_headings(see, by):
    from selenium.webdriver.common.keys import Keys

    browser = see()
    wait(browser, lambda: len(column(browser, 'video-table', 0)) == len(VIDEOS))
    wait(browser, lambda: len(find(browser, '#video-table thead button')) > 4)
    buttons = find(browser, '#video-table thead button')

    def use(button, key=Keys.ENTER):
        if by == 'click':
            button.click()
        else:
            browser.execute_script('arguments[0].focus()', button)
            press(browser, key)
            assert browser.switch_to.active_element == button

    def sorts():
        return [head.get_attribute('aria-sort') for head in find(browser, '#video-table thead th')]

    assert set(sorts()) == {'none'}
    use(buttons[0])
    assert column(browser, 'video-table', 0) == [VIDEOS[0], 'b9', 'b10', 'without a page']
    assert sorts()[0] == 'ascending' and set(sorts()[1:]) == {'none'}
    use(buttons[4], Keys.SPACE)  # the second model, undefined for one video
    falling = numbers(column(browser, 'video-table', 4))
    assert sorts()[4] == 'descending'
    use(buttons[4])
    rising = numbers(column(browser, 'video-table', 4))
    assert sorts()[4] == 'ascending'
    known = sorted(rising[:-1])
    assert rising[:-1] == known and falling[:-1] == known[::-1]
    assert np.isnan(rising[-1]) and np.isnan(falling[-1])
    assert column(browser, 'video-table', 0)[-1] == 'b9'


def test_lower_is_better_sorts_the_best_first(see, known):
    browser = see()
    choose(browser, 'metric', 'KLD')
    head = [button for button in find(browser, '#score-table thead button') if button.text == 'KLD']
    head[0].click()
    place = [button.text for button in find(browser, '#score-table thead button')].index('KLD')
    values = numbers(column(browser, 'score-table', place))
    assert values == sorted(values)
    _, _, pairs = known
    rows = pairs[
        (pairs['metric'] == 'KLD') & (pairs['convention'] == 'tuebingen')
        & (pairs['level'] == 'video') & (pairs['reference'] == 'all observers')
    ]  # fmt: skip
    assert 'KLD' in LOWER_IS_BETTER
    wanted = [
        'no difference shown' if row.p_corrected >= 0.05
        else 'model is better' if row.difference < 0 else 'other is better'
        for row in rows.itertuples()
    ]  # fmt: skip
    assert column(browser, 'pair-table', 2) == wanted
    assert len(set(wanted)) > 1
    find(browser, '#with-yardsticks')[0].click()
    assert list(zip(*(column(browser, 'pair-table', n) for n in (0, 1)), strict=True)) == [MODELS]


def test_videos_are_found_and_linked(see):
    browser = see()
    wait(browser, lambda: len(column(browser, 'video-table', 0)) == len(VIDEOS))
    links = find(browser, '#video-table tbody a')
    assert [link.text for link in links] == list(VIDEOS[:3])
    find(browser, '#find')[0].send_keys('B1')
    wait(browser, lambda: column(browser, 'video-table', 0) == ['b10'])
    find(browser, '#video-table tbody a')[0].click()
    wait(browser, lambda: find(browser, 'h1')[0].text == 'b10')
    assert find(browser, '#previous')[0].text == f'← {VIDEOS[0]}'
    find(browser, '#next')[0].click()
    wait(browser, lambda: find(browser, 'h1')[0].text == 'b9')
    assert not find(browser, '#next')[0].is_displayed()


def test_names_are_inert(see, known_report):
    browser = see()
    assert HOSTILE in find(browser, '.verdicts')[0].text
    assert MODELS[0] in column(browser, 'score-table', 0)
    assert not find(browser, 'main img:not([src^=figures])')
    (hostile,) = (path for path in (known_report.parent / 'videos').glob('img*.html'))
    browser = see(f'videos/{hostile.name}')
    assert find(browser, 'h1')[0].text == VIDEOS[0]
    assert MODELS[0] in find(browser, '#lines')[0].text
    wait(browser, lambda: find(browser, 'canvas[data-frame="100"]'))


@pytest.mark.parametrize('part', ['index.html', VIDEO_PAGE])
def test_controls_have_names_and_narrow_dark_screens_do(see, part):
    browser = see(part, width=400, dark=True)
    wait(browser, lambda: browser.execute_script('return document.readyState') == 'complete')
    assert browser.execute_script('return document.documentElement.scrollWidth') <= 400
    ground = browser.execute_script('return getComputedStyle(document.body).backgroundColor')
    assert ground == 'rgb(20, 23, 27)'
    controls = find(browser, 'button, input, select, a, [role=region], canvas, svg[role=img]')
    shown = [control for control in controls if control.is_displayed()]
    assert len(shown) > 10
    assert all(control.accessible_name.strip() for control in shown)
    browser.execute_script('document.querySelector("select").focus()')
    press(browser, '\ue004')  # tab
    focused = browser.switch_to.active_element
    assert focused.value_of_css_property('outline-style') == 'solid'
