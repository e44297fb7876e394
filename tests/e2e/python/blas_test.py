"""What the server says of the BLAS it runs with."""

import glob
import unittest

import sightline_server


class BlasTest(unittest.TestCase):

    def test_the_slow_reference_blas_is_warned_of(self):
        found = glob.glob("/usr/lib/*/blas/libblas.so.3")
        if not found:
            self.skipTest("the reference BLAS is not installed (libblas3)")
        folder = found[0].rsplit("/", 1)[0]
        with sightline_server.Server(environment={"LD_LIBRARY_PATH": folder}) as server:
            log = server.log()
        self.assertIn("not OpenBLAS", log)
        self.assertIn("Run deploy/install-deps.sh", log)

    def test_the_selected_blas_is_not(self):
        with sightline_server.Server() as server:
            log = server.log()
        self.assertNotIn("BLAS", log)


if __name__ == "__main__":
    unittest.main(verbosity=2)
