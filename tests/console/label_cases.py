"""What people take out of the console: labels as tables, and the query as a command or a program."""

import ast
import csv
import json
import os
import subprocess

from console_case import COLLECTION, ConsoleCase, cli


class LabelTest(ConsoleCase):

    def download(self, name):
        folder = self.world.folder / "downloads"
        for old in folder.glob("*"):
            old.unlink()
        self.click(f"dialog button[data-file='{name}']")
        self.wait(lambda: (folder / name).exists(), f"{name} is not downloaded")
        return folder / name

    def test_labels_are_kept_and_read_by_the_programs(self):
        query = self.world.queries[0]
        self.open()
        self.search(query)
        right, wrong = self.results()[0], self.results()[-1]
        for image, same in ((right, "true"), (wrong, "true"), (wrong, "false")):  # the last word counts
            self.click(f"[data-id='{image}'] [data-same={same}]")
        self.assertEqual(self.find(f"[data-id='{wrong}'] [data-same=true]").get_attribute("aria-pressed"), "false")
        # They outlive the page.
        self.browser.refresh()
        self.wait(lambda: self.find("main h1"))
        self.search(query)
        self.assertEqual(self.find(f"[data-id='{right}'] [data-same=true]").get_attribute("aria-pressed"), "true")
        self.assertEqual(self.find(f"[data-id='{wrong}'] [data-same=false]").get_attribute("aria-pressed"), "true")
        # An indexed image as the query makes pairs.
        self.search_with(right)
        self.assertEqual(self.results()[0], right)
        other = self.results()[1]
        self.click(f"[data-id='{other}'] [data-same=true]")
        self.click("#labels")
        self.wait(lambda: "2 times the same item, 1 time not a match" in self.text("#label-counts"), self.text("#label-counts"))
        relevance = self.download("relevance.csv")
        with open(relevance, newline="") as file:
            self.assertEqual([row[:3] for row in csv.reader(file)],
                             [["query", "image", "relevance"], [query.name, right, "easy"], [right, other, "easy"]])
        # `sightline evaluate` takes it as it is.
        pictures = self.world.folder / "labelled"
        pictures.mkdir()
        for path in (query, *(self.world.scenes / "index" / name for name in (right, wrong, other))):
            (pictures / path.name).write_bytes(path.read_bytes())
        report = cli("evaluate", relevance, "--images", pictures, "--address", self.world.server.address)
        self.assertIn("mAP", report.stdout)
        pairs = self.download("pairs.csv")
        self.assertEqual(pairs.read_text(), f"first_id,second_id,same\n{right},{other},true\n")
        # `confidence fit` reads it, and wants more of them.
        fit = cli("confidence", "fit", "--collection", COLLECTION, "--pairs", pairs, "--address", self.world.server.address, check=False)
        self.assertNotEqual(fit.returncode, 0)
        self.assertIn("20", fit.stderr)
        self.assertNotIn("INVALID_PAIRS", fit.stderr)
        self.script("[...document.querySelectorAll('dialog button')].at(-1).click()")
        self.click("dialog[open] .danger")
        self.wait(lambda: self.text("#labels") == "Labels (0)", "they are not forgotten")
        self.assert_clean()

    def test_tables_hold_any_name(self):
        self.open()
        names = ['a,b', 'say "hi"', "line\nbreak", " space", "=1+1", "ü"]
        made = self.browser.execute_async_script(
            "const [names, done] = arguments; import('/js/labels.js').then(({pairTable, relevanceTable}) => {"
            "  const mine = names.map((name, i) => ({collection: 'c', subject: {id: name}, result: `r${i}`, same: true}));"
            "  const boxes = [[1, 2, 3, 4], [5, 6, 7, 8]].map((box, i) => ({collection: 'c', subject: {name: 'q', box}, result: `r${i}`, same: true}));"
            "  done([pairTable(mine).text, relevanceTable(boxes).text]); })", names)
        self.assertEqual([row[0] for row in csv.reader(made[0].splitlines(keepends=True))][1:], names)
        # A query has one box: the last one.
        self.assertEqual(made[1].splitlines()[1:], ["q,r1,easy,5,6,7,8"])


class SnippetTest(ConsoleCase):

    HOSTILE = "$(touch ran) `touch ran` \"; touch ran; ' \\"

    def test_nothing_in_a_snippet_runs_where_it_is_pasted(self):
        """Stand-ins for the programs write down what they are given: it must be what was on screen, and nothing else."""
        folder = self.world.folder / "snippets"
        bin_folder = folder / "bin"
        bin_folder.mkdir(parents=True)
        for name in ("sightline", "curl", "grpcurl"):
            program = bin_folder / name
            program.write_text("#!/usr/bin/python3\nimport json, pathlib, sys\n"
                               "given = sys.stdin.read() if '@' in sys.argv else ''\n"
                               "pathlib.Path('given.json').write_text(json.dumps([sys.argv[1:], given]))\n")
            program.chmod(0o755)
        photo = f"-{self.HOSTILE};type=text.jpg".replace("/", "")
        (folder / photo).write_bytes(b"picture" * 50_000)  # more than an argument of a program may have
        self.open()
        made = self.browser.execute_async_script(
            "const [photo, hostile, done] = arguments; import('/js/copyas.js').then(({snippets}) => done(snippets({collection: 'shop',"
            " parts: [{name: photo}], request: {topK: 5, filter: `a = ${hostile} true`, groupBy: hostile, rerank: {}, query: {parts: [{crops: [{x0: 0, y0: 0.25, x1: 1, y1: 0.5}]}]}}})))",
            photo, self.HOSTILE)
        wanted = f"a = {self.HOSTILE} true"
        given = {}
        for name in ("Command line", "curl", "gRPC"):
            subprocess.run(["bash", "-c", made[name]], cwd=folder, check=True, timeout=20,
                           env={**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"})
            given[name] = json.loads((folder / "given.json").read_text())
        self.assertEqual(sorted(one.name for one in folder.iterdir()), sorted([photo, "bin", "given.json"]), "something ran")
        arguments = given["Command line"][0]
        self.assertEqual(arguments[:2], ["search", f"./{photo}"])
        self.assertIn(f"--filter={wanted}", arguments)
        arguments = given["curl"][0]
        request = arguments[arguments.index("--form-string") + 1]
        self.assertEqual(json.loads(request.removeprefix("request="))["filter"], wanted)
        escaped = f"./{photo}".replace("\\", "\\\\").replace('"', '\\"')
        self.assertEqual(arguments[arguments.index("-F") + 1], f'query.parts[0].image=@"{escaped}"')
        message = json.loads(given["gRPC"][1])
        self.assertEqual(message["filter"], wanted)
        self.assertGreater(len(message["query"]["parts"][0]["image"]), 300_000)
        calls = [node for node in ast.walk(ast.parse(made["Python"])) if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "search"]
        values = {word.arg: ast.literal_eval(word.value) for word in calls[0].keywords}
        self.assertEqual((values["filter"], values["image"], values["crop"]), (wanted, f"./{photo}", [(0, 0.25, 1, 0.5)]))

    def test_snippets_of_several_photos(self):
        self.open()
        made = self.browser.execute_async_script(
            "const [done] = arguments; import('/js/copyas.js').then(({snippets}) => done(snippets({collection: 'shop',"
            " parts: [{name: 'a.jpg'}, {id: 'b'}], request: {topK: 5, rerank: {method: 'METHOD_OFF'}, query: {parts: [{}, {id: 'b', weight: -1}]}}})))")
        self.assertIn("takes one photo", made["Command line"])
        self.assertIn('Part(image="a.jpg"), Part(id="b", weight=-1)', made["Python"])
        self.assertIn("rerank=False", made["Python"])
        self.assertNotIn("parts[1].image", made["curl"])
        self.assertEqual(made["gRPC"].count("base64 -w0 a.jpg"), 1)
