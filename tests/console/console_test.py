"""The console as people use it, in a real Chromium over a real server with the starter model. All of it runs in one
process: they share the server, its collection and the browser. Environment: that of console_case.py.

One of them: console_test.py pages_cases.IngestTest
"""

import sys
import unittest

if __name__ == "__main__":
    names = sys.argv[1:] or ["quickstart_cases", "search_cases", "label_cases", "pages_cases", "reembed_cases", "safety_cases"]
    unittest.main(module=None, argv=[sys.argv[0], *names], verbosity=2)
