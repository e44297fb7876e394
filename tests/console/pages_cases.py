"""The other pages: compare, index, ingest, duplicates."""

import browser as chromium
from console_case import COLLECTION, ConsoleCase


class ComparePageTest(ConsoleCase):

    def test_what_changed_comes_first_and_an_alias_is_pointed(self):
        self.open("compare")
        self.assertIn("Drop a photo", self.text("#compared"))
        self.drop_photo(self.world.queries[0])
        self.wait(lambda: self.find("#overlap"), "no answer")
        rows = self.script("return [...document.querySelectorAll('.changes tbody tr')].map((one) => [one.dataset.id, one.dataset.kind])")
        kinds = [int(kind) for _, kind in rows]
        self.assertEqual(kinds, sorted(kinds), "what changed does not come first")
        self.assertEqual(len({name for name, _ in rows}), len(rows), "an image stands there twice")
        self.assertRegex(self.text("#overlap"), r"^\d+ of 20 results are in both$")
        self.assertGreater(len(set(kinds)), 1, "re-ranking changes nothing, or everything")
        self.wait(lambda: all(image.get_property("naturalWidth") > 0 for image in self.all(".changes img")[:3]))
        self.picture("compare")
        # The same on both sides is the same.
        self.fill("#right-rerank", "off")
        self.wait(lambda: self.text("#overlap") == "20 of 20 results are in both")
        self.assertFalse(self.all(".changes tbody tr:not([data-kind='2'])"))
        # A name for the better one; nothing happens before it is confirmed.
        self.find("#alias").send_keys("shop")
        self.click("#point")
        self.wait(lambda: "shop is new" in self.text("dialog[open]"), "nobody says what will happen")
        self.script("[...document.querySelectorAll('dialog button')].find((one) => one.textContent === 'Cancel').click()")
        self.wait(lambda: not self.find("dialog[open]"))
        self.assertEqual(self.aliases(), [])
        self.click("#point")
        self.click("dialog[open] .primary")
        self.wait(lambda: "shop stands for" in self.text("#notices"))
        self.assertEqual(self.aliases(), ["shop"])
        self.world.call("v1/aliases/shop:delete", {})
        self.assert_clean()

    def aliases(self):
        return self.world.call(f"v1/collections/{COLLECTION}", method="GET")["collection"]["aliases"]


class IndexPageTest(ConsoleCase):

    def test_what_it_holds_and_a_snapshot(self):
        self.open("index")
        self.wait(lambda: "Patch tokens" in self.text("#collection-page"))
        text = self.text("#collection-page")
        for fact in ("exact:", "6.9 million", "a preview", "not fitted", "where they come from"):
            self.assertIn(fact, text)
        self.click("#recall")
        self.wait(lambda: "100.0 % of the exact best 10, over 20 images" in self.text(".facts"), "the recall is not measured")
        self.script("[...document.querySelectorAll('#collection-page button')].find((one) => one.textContent === 'Take one').click()")
        self.wait(lambda: "The last one was taken" in self.text("#collection-page"), "no snapshot")
        self.wait(lambda: "snapshot has ended well" in self.text("#notices"))
        self.picture("index")
        self.click("[aria-label^='Delete snapshots/']")
        self.click("dialog[open] .danger")
        self.wait(lambda: "snapshots/" not in self.text("#collection-page"), "the snapshot stays")
        self.assert_clean()


class DuplicatesPageTest(ConsoleCase):

    def test_groups_side_by_side(self):
        self.open("duplicates")
        self.fill("#least-score", "90")
        self.fill("#least-structural", "30")
        self.click("#find")
        self.wait(lambda: self.find("#groups-found"), "no groups")
        names = [one.text for one in self.all(".group .name")]
        self.assertIn("copy_of_it.jpg", names)
        self.assertIn(self.world.original, names)
        self.wait(lambda: all(image.get_property("naturalWidth") > 0 for image in self.all(".group img")[:4]))
        self.picture("duplicates")
        self.click(".group .why-button")
        self.wait(lambda: self.all("dialog[open] .pair line"))
        self.assert_clean()


class IngestPageTest(ConsoleCase):

    def ingest(self, files, collection):
        self.fill("#new-collection", collection)
        chromium.drop(self.browser, "main", files)

    def photos(self, first, end):
        return [(path.name, "image/jpeg", path.read_bytes()) for path in self.world.queries[first:end]]

    def images_of(self, collection):
        return sorted(one["id"] for one in self.world.call(f"v1/collections/{collection}/images", method="GET")["images"])

    def remove_later(self, *collections):
        for name in collections:
            self.addCleanup(self.world.call, f"v1/collections/{name}:delete", {})

    def hold_photos(self):
        """Photos are on their way until `let_photos_go`."""
        self.script("""
            window.held = [];
            window.meanwhile = window.fetch;
            window.fetch = async (path, options) => {
              if (String(path).endsWith('/images')) await new Promise((resolve) => held.push(resolve));
              return meanwhile(path, options);
            };""")

    def let_photos_go(self):
        self.script("window.fetch = meanwhile; held.forEach((resolve) => resolve())")

    def test_photos_good_and_bad(self):
        self.open("ingest")
        good = self.photos(0, 6)
        bad = ("broken.jpg", "image/jpeg", good[0][2][:400])
        again = ("again.jpg", "image/jpeg", good[1][2])
        self.remove_later("uploads")
        self.ingest([*good, bad, again, ("notes.txt", "text/plain", b"no photo")], "uploads")
        for _ in range(2):
            self.wait(lambda: "8 of 8" in self.text("#ingest-rate") and self.find("#retry").is_displayed(), "it does not end")
            failures = self.text(".failures")
            self.assertIn("broken.jpg", failures)
            self.assertRegex(failures, r"[a-z]+\. [A-Z]", "a failure says what is wrong and what to do")
            self.assertEqual(self.text("#ingest-state h2"), "6 photos in uploads")
            self.assertIn("1 file not a photo", self.text("#ingest-rate"))
            # That photo fails again; nothing else is counted twice.
            self.click("#retry")
            self.wait(lambda: self.text("#ingest-state h3") == "1 failure")
        self.assertEqual(self.text("#same summary"), "1 photo the same as another, left out")
        self.click("#same summary")
        self.assertIn("again.jpg is ", self.text("#same li"))
        self.picture("ingest")
        self.assertEqual(self.images_of("uploads"), sorted(name for name, _, _ in good))
        self.go("search")
        self.search(self.world.queries[0])
        self.assertEqual(self.results()[0], self.world.queries[0].name)
        self.assert_clean(allow=["400"])

    def test_photos_go_where_they_were_dropped_for(self):
        """The collection is changed while photos wait."""
        self.open("ingest")
        self.remove_later("first", "second")
        self.hold_photos()
        self.ingest(self.photos(0, 6), "first")
        self.wait(lambda: self.script("return held.length === 4"), "not four at a time")
        self.ingest(self.photos(6, 8), "second")
        self.wait(lambda: "of 8" in self.text("#ingest-rate"))
        self.let_photos_go()
        self.wait(lambda: "8 of 8" in self.text("#ingest-rate"))
        self.assertEqual([len(self.images_of(name)) for name in ("first", "second")], [6, 2])
        self.assert_clean()

    def test_a_run_that_was_stopped_and_another(self):
        self.open("ingest")
        self.remove_later("halted")
        self.hold_photos()
        self.ingest(self.photos(0, 6), "halted")
        self.wait(lambda: self.script("return held.length === 4"), "not four at a time")
        self.click("#stop")
        self.let_photos_go()
        self.wait(lambda: "4 of 4" in self.text("#ingest-rate") and "in halted" in self.text("#ingest-state h2"), "what was on its way does not end")
        self.assertIn("Stopped", self.text("#ingest-state"))
        chromium.drop(self.browser, "main", self.photos(4, 6))
        self.wait(lambda: "2 of 2" in self.text("#ingest-rate"), "nothing is sent any more")
        self.assertNotIn("Stopped", self.text("#ingest-state"))
        self.assertEqual(len(self.images_of("halted")), 6)
        self.assert_clean()
