"""A certificate authority of a test's own, made with the openssl command."""

import os
import subprocess

_CA = """
[ca]
default_ca = this
[this]
dir = {directory}
database = $dir/index
serial = $dir/serial
crlnumber = $dir/crlnumber
new_certs_dir = $dir
certificate = $dir/{name}.pem
private_key = $dir/{name}.key
default_md = sha256
policy = any
default_crl_days = 30
unique_subject = no
[any]
commonName = supplied
[authority]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
"""


def _openssl(*arguments, **options):
    subprocess.run(["openssl", *arguments], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   **options)


class Authority:
    def __init__(self, directory, name="ca"):
        self.directory, self.name = directory, name
        os.makedirs(directory, exist_ok=True)
        self.config = self.path("cnf")
        with open(self.config, "w", encoding="ascii") as file:
            file.write(_CA.format(directory=directory, name=name))
        for file_name, text in (("index", ""), ("serial", "01\n"),
                                ("crlnumber", "01\n")):
            with open(os.path.join(directory, file_name), "w",
                      encoding="ascii") as file:
                file.write(text)
        _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
                 "365", "-subj", f"/CN={name}", "-config", self.config,
                 "-extensions", "authority", "-keyout", self.path("key"),
                 "-out", self.path("pem"))

    def path(self, suffix):
        return os.path.join(self.directory, f"{self.name}.{suffix}")

    @property
    def certificate(self):
        return self.path("pem")

    def issue(self, name, alternative=None, usage="clientAuth", key="rsa:2048",
              digest="sha256", start=None, end=None):
        """Certificate and key. `alternative` is the subjectAltName as
        openssl writes it; times are YYMMDDHHMMSSZ."""
        base = os.path.join(self.directory, name)
        with open(base + ".ext", "w", encoding="ascii") as file:
            file.write("basicConstraints = CA:false\n")
            if alternative:
                file.write(f"subjectAltName = {alternative}\n")
            if usage:
                file.write(f"extendedKeyUsage = {usage}\n")
        _openssl("req", "-newkey", key, "-nodes", "-subj", f"/CN={name}",
                 "-config", self.config, "-keyout", base + ".key",
                 "-out", base + ".csr")
        times = ["-days", "90"]
        if start:
            times = ["-startdate", start]
        if end:
            times = times[:2] if start else []
            times += ["-enddate", end]
        _openssl("ca", "-batch", "-notext", "-config", self.config,
                 "-md", digest, "-extfile", base + ".ext", *times,
                 "-in", base + ".csr", "-out", base + ".pem")
        os.chmod(base + ".key", 0o600)
        return base + ".pem", base + ".key"

    def revoke(self, certificate):
        _openssl("ca", "-config", self.config, "-revoke", certificate)

    def revocations(self, *options):
        """The list, with the options of `openssl ca`."""
        _openssl("ca", "-config", self.config, "-gencrl",
                 "-out", self.path("crl"), *options)
        return self.path("crl")


def self_signed(directory, name, alternative):
    base = os.path.join(directory, name)
    _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
             "-subj", f"/CN={name}", "-addext", f"subjectAltName={alternative}",
             "-keyout", base + ".key", "-out", base + ".pem")
    return base + ".pem", base + ".key"


def vault_keys(directory, name):
    """A private key, NAME.pem, and its public one, NAME.pub: as the manual
    makes them."""
    private, public = (os.path.join(directory, f"{name}.{ending}")
                       for ending in ("pem", "pub"))
    _openssl("genpkey", "-algorithm", "X25519", "-out", private)
    _openssl("pkey", "-in", private, "-pubout", "-out", public)
    os.chmod(private, 0o600)
    return private, public


def fingerprint(certificate):
    text = subprocess.run(
        ["openssl", "x509", "-noout", "-fingerprint", "-sha256",
         "-in", certificate], check=True, stdout=subprocess.PIPE,
        text=True).stdout
    return "sha256:" + text.strip().partition("=")[2]


def dns_with_nul(first, rest):
    """A subjectAltName whose one dNSName has a NUL inside."""
    name = first.encode() + b"\0" + rest.encode()
    inner = bytes([0x82, len(name)]) + name
    return "DER:" + (bytes([0x30, len(inner)]) + inner).hex(":")
