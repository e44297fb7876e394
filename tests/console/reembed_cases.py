"""Another model for a collection, from the index page: the change over, the way back, and images that cannot be embedded again."""

import functools
import json
import os
import pathlib

from console_case import ConsoleCase, cli, server_with

FIRST, SECOND = "dtop_tiny", "dtop_tiny_small"


@functools.lru_cache(maxsize=None)
def models_in(folder):
    """A model root with the starter model and the same at another size: two embedding spaces."""
    starter = pathlib.Path(os.environ["SIGHTLINE_MODEL_ROOT"]) / FIRST
    root = folder / "models"
    for name, size in ((FIRST, None), (SECOND, 224)):
        (root / name).mkdir(parents=True)
        (root / name / "weights.safetensors").write_bytes((starter / "weights.safetensors").read_bytes())
        described = json.loads((starter / "model.json").read_text())
        described["name"] = name
        if size:
            described["preprocess"]["image_size"] = size
        (root / name / "model.json").write_text(json.dumps(described))
    return root


class ReembedTest(ConsoleCase):

    def setUp(self):
        self.server = server_with(f"--models={FIRST},{SECOND}", f"--model_root={models_in(self.world.folder)}")
        self.addCleanup(self.server.close)

    def index(self, keep, photos):
        cli("collections", "create", "shop", "--model", FIRST, "--keep_image", keep, "--address", self.server.address)
        folder = self.server.folder / "photos"
        folder.mkdir()
        for photo in photos:
            (folder / photo.name).symlink_to(photo)
        self.add(folder)

    def add(self, *what):
        cli("index", *what, "--collection", "shop", "--address", self.server.address)

    def show_index(self):
        self.open("index", home=f"http://127.0.0.1:{self.server.ports['http']}/")
        self.wait(lambda: self.model(), "the page shows no collection")

    def model(self):
        return self.script("return [...document.querySelectorAll('.facts dt')].find((one) => one.textContent === 'Model')?.nextSibling.textContent")

    def press(self, button):
        self.wait(lambda: self.script(
            "const found = [...document.querySelectorAll('#collection-page button')].find((one) => one.textContent === arguments[0]);"
            "found?.click(); return Boolean(found)", button), f"there is no button '{button}'")
        self.wait(lambda: self.find("dialog[open]"), f"'{button}' opens nothing")

    def reembed(self):
        self.press("Re-embed …")
        self.assertEqual(self.script("return [...document.querySelectorAll('dialog option')].map((one) => one.value)"), [SECOND],
                         "the model in use is offered, or the other one is not")
        self.click("dialog[open] .primary")

    def cancel(self):
        self.script("[...document.querySelectorAll('dialog button')].find((one) => one.textContent === 'Cancel').click()")
        self.wait(lambda: not self.find("dialog[open]"))

    def find_first(self, photo, item):
        self.go("search")
        self.search(photo)
        self.assertTrue(self.results()[0].startswith(item), self.results())
        self.wait(lambda: self.all("#results img")[0].get_property("naturalWidth") > 0, "the first result has no picture")
        self.go("index")

    def test_there_and_back(self):
        photos = sorted((self.world.scenes / "index").glob("instance_00[0-2]*.jpg"))
        self.index("original", photos)
        self.show_index()
        self.assertEqual(self.model(), FIRST)
        self.reembed()
        self.wait(lambda: "reembed has ended well" in self.text("#notices"), "it does not end")
        self.wait(lambda: self.model() == SECOND, "the page does not change over")
        self.assertEqual(self.text(".other-space h3"), "The space before")
        self.assertRegex(self.text(".other-space p"), rf"^{FIRST}, {len(photos)} images, kept until .+\.$")
        self.find_first(self.world.queries[1], "instance_001")
        # Nothing happens before it is confirmed; what was written since is found after the way back, too.
        self.add(self.world.queries[4])
        self.press("Go back to it …")
        self.assertIn(f"searched by {FIRST} again", self.text("dialog[open]"))
        self.cancel()
        self.assertEqual(self.model(), SECOND)
        self.press("Go back to it …")
        self.click("dialog[open] .primary")
        self.wait(lambda: self.model() == FIRST, "it does not go back")
        self.assertTrue(self.text(".other-space p").startswith(f"{SECOND}, {len(photos) + 1} images"), self.text(".other-space p"))
        self.find_first(self.world.queries[4], str(self.world.queries[4]))
        # The way back ends where somebody ends it.
        self.press("Drop it …")
        self.assertIn("There is no way back then", self.text("dialog[open]"))
        self.click("dialog[open] .danger")
        self.wait(lambda: not self.find(".other-space"), "the other space stays")
        self.assertEqual(self.model(), FIRST)
        self.assert_clean()

    def test_without_originals_the_page_says_why_and_the_half_filled_space_can_go(self):
        photos = sorted((self.world.scenes / "index").glob("instance_000*.jpg"))
        self.index("preview", photos)
        self.show_index()
        self.reembed()
        self.wait(lambda: f"{len(photos)} images" in self.text(".notice.error"), "nobody says that it failed")
        self.assertRegex(self.text(".notice.error"), r"[a-z]\. [A-Z]", "a failure says what is wrong and what to do")
        self.wait(lambda: self.text(".other-space h3") == "A space being filled")
        self.assertEqual(self.model(), FIRST, "searches changed over to a space without images")
        self.assertNotIn("Go back to it …", self.text(".other-space"))
        self.press("Drop it …")
        self.click("dialog[open] .danger")
        self.wait(lambda: not self.find(".other-space"), "the other space stays")
        self.find_first(self.world.queries[0], "instance_000")
        self.assert_clean()
