"""A report with known pictures, and a browser to look at it."""

import json
from pathlib import Path

import numpy as np
import pytest

from mmsal.comparison.report import write_report

from .browsing import (
    ARGUMENTS,
    CHROMIUM,
    DRIVER,
    FRAMES,
    HOSTILE,
    MODELS,
    SOME,
    VIDEOS,
    page_of,
)
from .made_up import SETTINGS, make_pairs, make_results, make_summary


@pytest.fixture(scope='session')
def known():
    results = make_results(VIDEOS, MODELS, frames=FRAMES, scales=SOME)
    timed = results['frame'].notna()
    results.loc[timed, 'frame'] += 100
    gone = (results['video'] == 'b9') & (results['model'] == '__proto__')
    results.loc[gone, 'value'] = np.nan
    summary = make_summary(results)
    return results, summary, make_pairs(summary)


@pytest.fixture(scope='session')
def known_report(tmp_path_factory, known) -> Path:
    folder = tmp_path_factory.mktemp('browser') / 'a report, with spaces & a # sign'
    pages = (page_of(video) for video in VIDEOS[:3])
    settings = {**SETTINGS, HOSTILE: HOSTILE}
    return write_report(folder, *known, pages, settings, [HOSTILE])


@pytest.fixture(scope='session')
def browser(tmp_path_factory):
    if not (CHROMIUM and DRIVER):
        pytest.skip('no chromium and chromedriver here')
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (*ARGUMENTS, f'--user-data-dir={tmp_path_factory.mktemp("profile")}'):
        options.add_argument(argument)
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.implicitly_wait(0)
    yield driver
    driver.quit()


@pytest.fixture
def see(browser, known_report):
    """Open a page of the report; afterwards there must be no error and no request elsewhere."""
    for kind in ('browser', 'performance'):
        browser.get_log(kind)

    def go(part: str = 'index.html', width: int = 1200, dark: bool = False):
        size = {'width': width, 'height': 900, 'deviceScaleFactor': 1, 'mobile': False}
        browser.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', size)
        scheme = {'name': 'prefers-color-scheme', 'value': 'dark' if dark else 'light'}
        still = {'name': 'prefers-reduced-motion', 'value': 'reduce'}
        browser.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': [scheme, still]})
        browser.get((known_report.parent / part).as_uri())
        return browser

    yield go
    assert browser.execute_script('return window.hacked') is None
    assert browser.get_log('browser') == []
    asked = [json.loads(entry['message'])['message'] for entry in browser.get_log('performance')]
    urls = [
        message['params']['request']['url']
        for message in asked
        if message['method'] == 'Network.requestWillBeSent'
    ]
    assert urls
    folder = known_report.parent.as_uri()
    assert all(url.startswith((folder, 'data:')) for url in urls), urls
