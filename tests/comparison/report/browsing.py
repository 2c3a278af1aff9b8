"""What the tests in a browser share: known pictures, and how to look at a page."""

import io
import shutil

import numpy as np
from PIL import Image

from mmsal.comparison.report import VideoPage

from .made_up import SCALES

CHROMIUM = shutil.which('chromium')
DRIVER = shutil.which('chromedriver')
ARGUMENTS = (
    '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
    '--disable-dev-shm-usage',
)  # fmt: skip
HOSTILE = '<img src=x onerror="window.hacked=1">"\'</script><script>window.hacked=1</script>'
VIDEOS = (f'{HOSTILE}.avi', 'b10', 'b9', 'without a page')
MODELS = (f'net {HOSTILE}', '__proto__')
FRAMES, SIDE = 24, 96
SOME = {key: SCALES[key] for key in SCALES if key[0] in ('NSS', 'KLD', 'AUC', 'CC')}
FIXATION = np.array([[24.0, 72.0]])
VIDEO_PAGE = 'videos/b10.html'
MINUS, UNDEFINED = '\N{MINUS SIGN}', '\N{EN DASH}'


def colour_of(frame: int) -> np.ndarray:
    """A colour of the source for each frame, each at least 40 away from the others."""
    return np.array([20 + 60 * (frame % 4), 20 + 80 * (frame // 4 % 3), 40 + 150 * (frame // 12)])


def bar_of(frame: int) -> np.ndarray:
    """A map with a bar 4 pixels wide that moves 4 pixels per frame."""
    values = np.zeros((SIDE, SIDE), np.float32)
    values[:, 4 * frame : 4 * frame + 4] = 1
    return values


def page_of(video: str) -> VideoPage:
    frames = range(FRAMES)
    bars = np.stack([bar_of(frame) for frame in frames])
    return VideoPage(
        video,
        np.arange(FRAMES) + 100,
        np.arange(FRAMES) * 0.05,
        np.stack([np.full((SIDE, SIDE, 3), colour_of(n), np.uint8) for n in frames]),
        bars,
        dict.fromkeys(MODELS, bars),
        [FIXATION] * FRAMES,
        (SIDE, SIDE),
    )


def wait(browser, condition, seconds=20):
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, seconds, poll_frequency=0.05).until(lambda _: condition())


def find(browser, selector):
    from selenium.webdriver.common.by import By

    return browser.find_elements(By.CSS_SELECTOR, selector)


def column(browser, table: str, number: int) -> list[str]:
    script = (
        'return [...document.querySelectorAll(arguments[0] + " tbody tr")]'
        '.map(row => row.cells[arguments[1]].firstChild.textContent)'
    )
    return browser.execute_script(script, f'#{table}', number)


def choose(browser, name: str, text: str) -> None:
    from selenium.webdriver.support.ui import Select

    Select(find(browser, f'#{name}')[0]).select_by_visible_text(text)


def numbers(texts: list[str]) -> list[float]:
    return [float(text.replace(MINUS, '-').replace(UNDEFINED, 'nan')) for text in texts]


def pixels(element) -> np.ndarray:
    """uint8 [H, W, 3] of an element as it is on the screen."""
    return np.asarray(Image.open(io.BytesIO(element.screenshot_as_png)).convert('RGB'))


def frames_on_canvases(browser) -> list[int]:
    """Which frame each canvas shows, told from its pixels alone."""
    found = []
    for place, canvas in enumerate(find(browser, '.panel canvas')):
        picture = pixels(canvas).astype(float)
        inner = picture[5:-5, 2:-2]
        if place == 0:
            distances = [np.abs(inner.mean((0, 1)) - colour_of(n)).max() for n in range(FRAMES)]
            assert min(distances) < 8
            found.append(int(np.argmin(distances)))
        else:
            brightness = picture.sum(axis=2).mean(axis=0)  # of columns
            bright = np.flatnonzero(brightness > 0.9 * brightness.max())
            found.append(int(bright.mean() / picture.shape[1] * FRAMES))
    return found


def bare(browser):
    """Switch fixations and overlay off and wait for the first pictures."""
    for name in ('overlay', 'fixations'):
        box = find(browser, f'#{name}')[0]
        if box.is_selected():
            box.click()
    shows(browser, 0)


def shows(browser, frame: int) -> None:
    """All canvases come to show a frame."""
    wait(browser, lambda: set(frames_on_canvases(browser)) == {frame})
    assert len(frames_on_canvases(browser)) == 4
    assert find(browser, '#where')[0].text.startswith(f'frame {frame + 100}, {frame / 20:.2f} s')


def press(browser, *keys) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(browser).send_keys(*keys).perform()
