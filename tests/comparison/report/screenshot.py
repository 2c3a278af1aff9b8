"""Draw the picture of the docs: ``python -m tests.comparison.report.screenshot OUT.png``.

The overview and a video's page of a report of SYNTHETIC data, side by side. It takes Chromium.
"""

import base64
import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

from mmsal.comparison.report import write_report

from .browsing import ARGUMENTS, CHROMIUM, DRIVER
from .made_up import make_inputs

WIDTH, HEIGHT = 1000, 1400


def take(driver, url: str, ready: str) -> Image.Image:
    """The top of a page, once the script ``ready`` is true."""
    size = {'width': WIDTH, 'height': HEIGHT, 'deviceScaleFactor': 1, 'mobile': False}
    driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', size)
    driver.execute_cdp_cmd('Emulation.setScrollbarsHidden', {'hidden': True})
    driver.get(url)
    WebDriverWait(driver, 30).until(lambda _: driver.execute_script(f'return {ready}'))
    clip = {'x': 0, 'y': 0, 'width': WIDTH, 'height': HEIGHT, 'scale': 1}
    shot = driver.execute_cdp_cmd('Page.captureScreenshot', {'clip': clip})
    return Image.open(io.BytesIO(base64.b64decode(shot['data']))).convert('RGB')


def main(out: str) -> None:
    """Write the report to a temporary folder and the picture to ``out``."""
    with tempfile.TemporaryDirectory() as folder:
        index = write_report(Path(folder) / 'report', *make_inputs(8, 100))
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for argument in (*ARGUMENTS, f'--user-data-dir={folder}/profile'):
            options.add_argument(argument)
        driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        try:
            page = index.parent / 'videos' / 'clips-synthetic-02-avi.html'
            pictures = [
                take(
                    driver, index.as_uri(),
                    'document.querySelectorAll("#video-table tbody tr").length == 8'
                    ' && [...document.querySelectorAll(".plot:not([hidden]) img")].every('
                    'i => i.loading = "eager") && [...document.querySelectorAll('
                    '".plot:not([hidden]) img")].every(i => i.complete)',
                ),
                take(
                    driver, page.as_uri(),
                    'document.querySelectorAll("canvas[data-frame]").length == 5',
                ),
            ]  # fmt: skip
        finally:
            driver.quit()
    both = Image.new('RGB', (2 * WIDTH, HEIGHT))
    for place, picture in enumerate(pictures):
        both.paste(picture, (place * WIDTH, 0))
    both = both.resize((WIDTH * 8 // 5, HEIGHT * 4 // 5), Image.Resampling.LANCZOS)
    both.quantize(256, Image.Quantize.MEDIANCUT, kmeans=4).save(out, optimize=True)


if __name__ == '__main__':
    main(sys.argv[1])
