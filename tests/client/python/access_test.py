"""TLS and keys: a server that wants them, and clients that bring them, bring others, or none. Needs the program
openssl."""

import asyncio
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from support import sightline_server

import sightline


@unittest.skipUnless(shutil.which("openssl"), "the program openssl is not installed")
class AccessTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="sightline-access.")
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.authority("ca")
        cls.authority("other")
        cls.certificate("server", "ca", "subjectAltName=IP:127.0.0.1")
        cls.certificate("client", "ca", "extendedKeyUsage=clientAuth")
        cls.keys, entries = {}, []
        for name, scope in (("reader", "read"), ("writer", "write"), ("admin", "admin")):
            made = subprocess.run(
                [os.environ["SIGHTLINE_CLI"], "keys", "create", "--name", name, "--scope", scope, "--json"],
                check=True,
                capture_output=True,
                text=True)
            reply = json.loads(made.stdout)
            cls.keys[name] = reply["key"]
            entries.append(reply["entry"])
        (cls.folder / "keys.json").write_text(json.dumps({"keys": entries}))
        os.chmod(cls.folder / "keys.json", 0o600)
        cls.server = sightline_server.Server(f"--tls_cert={cls.folder}/server.pem",
                                             f"--tls_key={cls.folder}/server.key",
                                             f"--tls_client_ca={cls.folder}/ca.pem",
                                             f"--api_keys={cls.folder}/keys.json")

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        cls.temporary.cleanup()

    @classmethod
    def openssl(cls, *arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, cwd=cls.folder)

    @classmethod
    def authority(cls, name):
        cls.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", 2,
                    "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")

    @classmethod
    def certificate(cls, name, authority, extension):
        (cls.folder / f"{name}.ext").write_text(extension)
        cls.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                    f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        cls.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key",
                    "-days", 2, "-CAcreateserial", "-extfile", f"{name}.ext", "-out", f"{name}.pem")

    def tls(self, ca="ca", pair="client"):
        return sightline.Tls(self.folder / f"{ca}.pem", self.folder / f"{pair}.pem" if pair else None,
                             (self.folder / f"{pair}.key").read_bytes() if pair else None)

    def client(self, key="admin", **options):
        return sightline.Client(self.server.address, api_key=self.keys.get(key, key), **{"tls": self.tls(), **options})

    def test_who_brings_all_is_served(self):
        with self.client() as client:
            client.create_collection("mine", embedding_space="space", descriptor_dim=2)
            outcomes = list(
                client.index_stream([sightline.Item(descriptor=sightline.Descriptor((1.0, 0.0), "space"), id="a")],
                                    collection="mine"))
            self.assertEqual([one.ok for one in outcomes], [True])

        async def use():
            async with sightline.AsyncClient(self.server.address, api_key=self.keys["admin"], tls=self.tls()) as client:
                return (await client.search(id="a", collection="mine"))[0].id

        self.assertEqual(asyncio.run(use()), "a")
        before = os.environ.get("SIGHTLINE_API_KEY")
        os.environ["SIGHTLINE_API_KEY"] = self.keys["reader"]
        try:
            with sightline.Client(self.server.address, tls=self.tls()) as client:
                self.assertEqual(client.get_collection("mine").images, 1)
                with self.assertRaises(sightline.PermissionDeniedError):
                    client.delete_collection("mine")
                with self.assertRaises(sightline.PermissionDeniedError):
                    for one in client.index_stream([sightline.Item(b"x")], collection="mine"):
                        self.assertIsInstance(one.error, sightline.PermissionDeniedError)
                        raise one.error
        finally:
            os.environ.pop("SIGHTLINE_API_KEY")
            if before is not None:
                os.environ["SIGHTLINE_API_KEY"] = before

    def test_a_wrong_key_and_none(self):
        for key in ("sightline_wrong", ""):
            with self.subTest(key), self.client(key) as client, self.assertRaises(
                    sightline.UnauthenticatedError) as caught:
                client.server_info()
            self.assertTrue(caught.exception.reason)

    def test_who_is_not_trusted_is_not_reached(self):
        for name, tls in (("a server of another authority", self.tls(ca="other")),
                          ("a client without certificate", self.tls(pair="")), ("no TLS", None)):
            with self.subTest(name), self.client(tls=tls) as client, self.assertRaises(
                    sightline.UnavailableError) as caught:
                client.server_info(timeout=5)
            self.assertEqual(caught.exception.reason, "SERVER_UNREACHABLE")
            self.assertIn(self.server.address, str(caught.exception))
            self.assertIn("(tls=)", str(caught.exception))


if __name__ == "__main__":
    unittest.main(verbosity=2)
