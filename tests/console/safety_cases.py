"""What must not go wrong: names that are markup, strange addresses, keys, dialogs one after the other."""

import json

from console_case import COLLECTION, ConsoleCase, cli, server_with

try:
    from selenium.webdriver.common.keys import Keys
except ImportError:
    pass  # ConsoleCase says so and skips


class SafetyTest(ConsoleCase):

    def test_names_are_text_and_never_markup(self):
        name = "<img src=x onerror=alert(1)>&amp;\"'.jpg"
        self.world.put(COLLECTION, name, self.world.queries[5].read_bytes(), attributes={
            "html": {"stringValue": "<script>alert(2)</script>"}, "quoted": {"stringValue": "a \"b\" \\ c"},
            "in": {"stringList": {"values": ["x, y", "z"]}}})
        self.addCleanup(self.world.call, f"v1/collections/{COLLECTION}/images:delete", {"ids": [name]})
        self.open()
        self.search(self.world.queries[5])
        self.assertEqual(self.results()[0], name)
        self.assertIn("<script>alert(2)</script>", self.text(".chips"))
        self.assertFalse(self.all("#results img[src='x']"))
        # Every chip makes a filter that the server understands, whatever the key and the value are.
        for number in range(3):
            self.script("document.querySelectorAll('.card .chips')[0].children[arguments[0]].click()", number)
            self.wait(lambda: self.results() == [name], "the chip's filter does not find its own image")
        self.assertIn('quoted = "a \\"b\\" \\\\ c"', self.find("#filter").get_property("value"))
        self.assertIn('"in" = "x, y" AND "in" = "z"', self.find("#filter").get_property("value"))
        self.assert_clean()

    def test_the_browser_itself_refuses_markup_and_scripts(self):
        self.open()
        refused = self.script("try { document.body.innerHTML = '<b>x</b>'; return ''; } catch (error) { return error.name; }")
        self.assertEqual(refused, "TypeError")
        colour = self.script("const one = document.createElement('p'); document.body.append(one); one.setAttribute('style', 'color: red');"
                             "return getComputedStyle(one).color")
        self.assertNotEqual(colour, "rgb(255, 0, 0)", "a style that came as text is used")
        self.assert_clean(allow=["TrustedHTML", "Content Security Policy"])

    def test_an_address_that_is_no_page_shows_search(self):
        for page in ("constructor", "__proto__", "nothing"):
            self.open(page)
            self.assertEqual(self.text("main h1"), "Search", page)
        self.assert_clean()

    def test_a_dialog_after_another_keeps_its_content(self):
        """A dialog's close event comes when the next one is open already."""
        self.open()
        text, closed = self.browser.execute_async_script("""
            const done = arguments[0];
            import('/js/dom.js').then(({openDialog}) => {
              let closed = 0;
              openDialog('one', ['first'], {closed: () => closed++});
              openDialog('two', ['second']);
              setTimeout(() => done([document.querySelector('dialog').textContent, closed]), 50);
            });""")
        self.assertIn("second", text)
        self.assertEqual(closed, 1)

    def test_a_collection_without_patches_is_searched_quietly(self):
        self.world.call("v1/collections", {"name": "bare", "model": "dtop_tiny", "settings": {"dropTokens": True, "keepImage": "KEEP_IMAGE_NONE"}})
        self.addCleanup(self.world.call, "v1/collections/bare:delete", {})
        self.world.put("bare", "one.jpg", self.world.queries[0].read_bytes())
        self.open()
        self.fill("#collection", "bare")
        self.drop_photo(self.world.queries[0])
        self.wait(lambda: "keeps no patch tokens" in self.text("#best"), "nothing says why there are no lines")
        self.wait(lambda: "no preview" in self.text("#results"))
        self.assertFalse(self.all(".notice.error"))
        self.assert_clean(allow=["400"])  # the preview that is not kept

    def test_a_server_with_keys_asks_for_one(self):
        keys = self.world.folder / "keys.json"
        made = json.loads(cli("keys", "create", "--name", "console", "--scope", "admin", "--json").stdout)
        keys.write_text(json.dumps({"keys": [made["entry"]]}))
        keys.chmod(0o600)
        with server_with(f"--api_keys={keys}") as server:
            # Several calls of the index page are refused, and one dialog asks.
            self.open("index", home=f"http://127.0.0.1:{server.ports['http']}/")
            self.wait(lambda: self.find("dialog[open] input[name=key]"), "nobody asks for a key")
            self.find("dialog input[name=key]").send_keys("slk_wrong", Keys.ENTER)
            self.wait(lambda: self.find("dialog[open] input[name=key]") and not self.find("dialog input[name=key]").get_property("value"), "a wrong key is not asked for again")
            self.find("dialog input[name=key]").send_keys(made["key"], Keys.ENTER)
            self.wait(lambda: not self.find("dialog[open]"))
            self.wait(lambda: "There is no collection yet" in self.text("#collection-page"))
            self.assertEqual(self.script("return localStorage.length + document.cookie.length"), 0)
            # Pictures come with the key, too.
            self.go("ingest")
            self.fill("#new-collection", "guarded")
            self.drop_photo(self.world.queries[0])
            self.wait(lambda: "1 photo in guarded" in self.text("#ingest-state h2"))
            self.go("search")
            self.search(self.world.queries[0])
            self.wait(lambda: self.script("return document.querySelector('#results img').src.startsWith('blob:') && document.querySelector('#results img').naturalWidth > 0"), "no preview")
            snippet = "[...document.querySelectorAll('button')].find((one) => one.textContent === 'Copy as …').click()"
            self.script(snippet)
            self.wait(lambda: self.text("#snippet"))
            self.assertNotIn(made["key"], self.find("dialog").get_property("textContent"))
            self.assert_clean(allow=["401"])
