"""The first five minutes: what deploy/quickstart.sh --keep leaves, and a photo dropped there."""

import time

import quickstart
from console_case import COLLECTION, ConsoleCase

BAR_SECONDS = 3  # printed beside the figure, and judged by who reads it: a busy machine is no fault of the console


class QuickStartTest(ConsoleCase):

    def test_from_ready_to_a_ranked_answer_with_lines(self):
        with quickstart.QuickStart(self.world.folder / "quickstart") as started:
            self.open(home=started.home)
            shown = time.monotonic()
            self.search(started.queries[0])
            end = time.monotonic()
            print(f"from `deploy/quickstart.sh --keep` being ready to a dropped photo's ranked answer with lines {end - started.ready:.2f} s "
                  f"(bar {BAR_SECONDS} s), {end - shown:.2f} s of it from the drop")
            self.assertIn(f"console  {started.home}", started.output, "what the script says is not where the console is")
            self.assertEqual(self.find("#collection").get_property("value"), COLLECTION)
            item = started.queries[0].name.split("_view_")[0]
            self.assertTrue(self.results()[0].startswith(item), self.results())
            self.assertEqual(len(self.results()), 20)
            self.assert_clean()
            self.assert_stays_here()
