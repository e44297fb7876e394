"""What the tests of the console share: one server with a collection, one browser, and words for what a person does.

Environment: that of browser.py. SIGHTLINE_SCREENSHOTS=FOLDER keeps the pictures (docs/images is made that way).
"""

import atexit
import functools
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import urllib.parse
import urllib.request

import browser as chromium

REASON = chromium.missing()
if not REASON:
    import sightline_server
    from PIL import Image, ImageStat
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

COLLECTION = "quickstart"
BRANDS = ("acme", "birch", "cobalt wood")


def cli(*arguments, check=True):
    return subprocess.run([os.environ["SIGHTLINE_CLI"], *map(str, arguments)], check=check, capture_output=True, text=True)


def server_with(*flags):
    return sightline_server.Server("--models=dtop_tiny", f"--model_root={os.environ['SIGHTLINE_MODEL_ROOT']}", *flags)


class World:
    """A server with eight objects in five views each, their brands and prices, and the sixth views to ask with."""

    def __init__(self):
        self._temporary = tempfile.TemporaryDirectory(prefix="sightline-console.")
        self.folder = pathlib.Path(self._temporary.name)
        self.scenes = self.folder / "scenes"
        subprocess.run([os.environ["SIGHTLINE_TRAIN"], "scenes", "--out", self.scenes, "--instances", "8"], check=True,
                       stdout=subprocess.DEVNULL)
        self.queries = sorted((self.scenes / "query").glob("*.jpg"))
        indexed = sorted((self.scenes / "index").glob("*.jpg"))
        # Twice the same picture, under another name and a little smaller, for the duplicates.
        self.original = indexed[0].name
        with Image.open(indexed[0]) as picture:
            picture.resize((288, 288)).save(self.scenes / "index" / "copy_of_it.jpg", quality=80)
        attributes = self.folder / "attributes.csv"
        rows = [f"{path.name},{path.name[:12]},{BRANDS[int(path.name[9:12]) % 3]},{int(path.name[9:12]) * 7.5}" for path in indexed]
        attributes.write_text("\n".join(["path,item,brand,price:double", *rows]) + "\n")
        self.server = server_with()
        self.home = f"http://127.0.0.1:{self.server.ports['http']}/"
        cli("index", self.scenes / "index", "--collection", COLLECTION, "--create", "--attributes", attributes, "--address",
            self.server.address)
        self.browser = chromium.open_browser(self.folder)

    def close(self):
        self.browser.quit()
        self.server.close()
        self._temporary.cleanup()

    def call(self, path, request=None, method="POST"):
        """A call of the JSON interface."""
        data = None if request is None else json.dumps(request).encode()
        asked = urllib.request.Request(self.home + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(asked) as reply:
            return json.load(reply)

    def put(self, collection, name, picture, **item):
        """An image with any name."""
        boundary = "sightlineboundary"
        body = (f'--{boundary}\r\nContent-Disposition: form-data; name="request"\r\nContent-Type: application/json\r\n\r\n'
                + json.dumps({"item": {"id": name, **item}})
                + f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="item.image"; filename="x.jpg"\r\n\r\n').encode()
        body += picture + f"\r\n--{boundary}--\r\n".encode()
        request = urllib.request.Request(f"{self.home}v1/collections/{collection}/images", body, {
            "Content-Type": f"multipart/form-data; boundary={boundary}", "X-Requested-With": "test"})
        urllib.request.urlopen(request).close()


@functools.lru_cache(maxsize=None)
def shared_world():
    made = World()
    atexit.register(made.close)
    return made


@unittest.skipIf(REASON, REASON)
class ConsoleCase(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.world = shared_world()

    def open(self, page="", home=None, **view):
        self.browser = self.world.browser
        self.home = home or self.world.home
        chromium.begin(self.browser, self.home + (f"#{page}" if page else ""), **view)
        self.wait(lambda: self.find("main h1") is not None)

    def go(self, page):
        """To another page, by its link."""
        self.script(f"document.querySelector('nav a[href=\"#{page}\"]').click()")
        self.wait(lambda: self.find(f"nav a[href='#{page}'][aria-current]"))

    def wait(self, what, message=""):
        def ready(_):
            try:
                return what()
            except WebDriverException:
                return False  # the page is being drawn
        return WebDriverWait(self.browser, chromium.PATIENCE_SECONDS, 0.03).until(ready, message or "the page never shows it")

    def all(self, selector):
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def find(self, selector):
        found = self.all(selector)
        return found[0] if found else None

    def text(self, selector):
        element = self.find(selector)
        return element.text if element else ""

    def script(self, text, *arguments):
        return self.browser.execute_script(text, *arguments)

    def click(self, selector):
        """A click, wherever on the page the element is."""
        self.wait(lambda: self.find(selector), f"there is no {selector}")
        self.script("document.querySelector(arguments[0]).click()", selector)

    def fill(self, selector, value):
        """Sets a field, as typing does at its end."""
        self.script("const [selector, value] = arguments; const one = document.querySelector(selector); one.value = value;"
                    "for (const kind of ['input', 'change']) one.dispatchEvent(new Event(kind, {bubbles: true}))", selector, value)

    def drop_photo(self, *paths):
        chromium.drop(self.browser, "main", [(path.name, "image/jpeg", path.read_bytes()) for path in paths])

    def wait_for_lines(self):
        """The answer to what was asked last: it is marked as busy from the moment it is asked for."""
        self.wait(lambda: not self.find("#answer[aria-busy]") and self.find("#best[data-ready]") and self.all("#best .pair line"), "no lines")

    def search(self, path):
        self.drop_photo(path)
        self.wait_for_lines()

    def search_with(self, name):
        """With a result of the answer."""
        self.script("[...document.querySelector(`[data-id='${arguments[0]}']`).querySelectorAll('button')]"
                    ".find((one) => one.textContent === 'Search with this').click()", name)
        self.wait(lambda: self.text("#query .part .name") == name, "it does not become the query")
        self.wait_for_lines()

    def results(self):
        return self.script("return [...document.querySelectorAll('#results .card:not([hidden])')].map((one) => one.dataset.id)")

    def close_dialog(self):
        self.click("dialog .dialog-head button")
        self.wait(lambda: not self.find("dialog[open]"))

    def picture(self, name, keep=True):
        """A screenshot that shows something: not one flat colour, not black or white alone. `keep`: docs/console.md has it."""
        self.script("document.querySelectorAll('.notice').forEach((one) => one.remove())")
        data = self.browser.get_screenshot_as_png()
        with Image.open(io.BytesIO(data)) as image:
            image = image.convert("RGB")
            self.assertGreater(max(ImageStat.Stat(image).stddev), 8, f"{name} is empty")
            self.assertGreater(len(image.resize((64, 64)).getcolors(4096) or range(4096)), 60, f"{name} is empty")
            folder = os.environ.get("SIGHTLINE_SCREENSHOTS")
            if folder and keep:
                image.save(pathlib.Path(folder) / f"{name}.webp", quality=80)

    def assert_clean(self, allow=()):
        problems = [one for one in chromium.problems_of(self.browser) if not any(word in one for word in allow)]
        self.assertEqual(problems, [])

    def assert_stays_here(self):
        hosts = {urllib.parse.urlsplit(url).netloc for _, url in chromium.requests_of(self.browser)
                 if urllib.parse.urlsplit(url).scheme not in ("data", "blob", "chrome", "about")}
        self.assertEqual(hosts, {urllib.parse.urlsplit(self.home).netloc})

    def assert_fits(self, page):
        wide, shown = self.script("return [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        self.assertLessEqual(wide, shown, f"{page} is wider than the screen")
