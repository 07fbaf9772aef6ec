"""What a receiver's record of a message of the corpus has to say.

Derived from the text of the message and the documented format alone
(sepmlogctl(1), THE RECORD), so that it shares no mistake with the daemon.
"""

import datetime
import json
import re

FACILITY = "lpr"  # 6, of all messages of the corpus
SEVERITIES = ("emerg", "alert", "crit", "err",
              "warning", "notice", "info", "debug")
_HEADER = re.compile(
    r"<(\d+)>(\w{3} [ \d]\d \d\d:\d\d:\d\d) (\S+) SymantecServer: (.*)")
_NUMBER = re.compile(r"-N(\d{10})")
_FIELDS = ("host", "local_ip", "local_port", "local_mac", "remote_ip",
           "remote_name", "remote_port", "remote_mac", "protocol",
           "direction", "begin", "end", "occurrences", "application", "rule",
           "location", "user", "domain", "action", "sha256", "md5")
_BARE = ("host", "protocol", "direction")  # without a label before them
_LOWER = ("protocol", "direction", "action", "sha256", "md5")


class Message:
    """A line of the corpus, taken apart."""

    def __init__(self, line):
        pri, self.stamp, self.sepm, self.body = _HEADER.fullmatch(line).groups()
        self.pri = int(pri)
        self.traffic = None
        values = self.body.split(",")
        if values[1].startswith(("Local: ", "Local Host IP: ")):
            self.traffic = {
                name: value if name in _BARE else value.split(": ", 1)[1]
                for name, value in zip(_FIELDS, values)}


def number_of(text):
    """The number that a message or a record carries; None if it has none."""
    match = _NUMBER.search(text)
    return int(match[1]) if match else None


# --- sepmlogd ----------------------------------------------------------------

def _mac(text):
    return ":".join(text[i:i + 2] for i in range(0, 12, 2)).lower()


def _traffic(message):
    """The values of a traffic record, as JSON has them."""
    record = {"type": "traffic"}
    for name, text in message.traffic.items():
        if name in _LOWER:
            text = text.lower()
        if name in ("begin", "end"):
            text = text.replace(" ", "T") + "Z"
        elif name.endswith("_mac"):
            text = _mac(text)
        elif name.endswith("_port") or name == "occurrences":
            text = int(text)
        record[name] = text
    if record["protocol"] == "icmp":
        record["icmp"] = [record.pop("local_port"), record.pop("remote_port")]
    return record


# By how the body begins, or goes on behind the client's name: the type.
_OTHERS = (
    (re.compile(r"Site: .*,Admin: "), "admin"),
    (re.compile(r"Site: "), "server_system"),
    (re.compile(r"Virus found,"), "risk"),
    (re.compile(r"[^,]+,Event Description: .*CIDS"), "security"),
    (re.compile(r"[^,]+,Category: "), "agent_system"),
)
# What a label is called in the record when that is not its own name with
# underscores; and in which types `Domain Name` is a Windows domain.
_KEYS = {
    "Local Host IP": "local_ip", "Local Host MAC": "local_mac",
    "Remote Host IP": "remote_ip", "Remote Host Name": "remote_name",
    "Remote Host MAC": "remote_mac", "End Time": "end", "User Name": "user",
    "SHA-256": "sha256", "MD-5": "md5", "Computer name": "host",
}
_WINDOWS_DOMAIN = ("security",)
_TIMES = ("begin", "end", "event_time", "event_insert_time",
          "last_update_time")
# Before the first label, or between two of them.
_PLACES = {
    "security": ("host", "direction", "protocol", "intrusion_id"),
    "risk": ("event_description",),
    "agent_system": ("host", "source"),
}


def _labelled(kind, label, text):
    name = _KEYS.get(label) or label.lower().replace(" ", "_")
    if label == "Domain Name" and kind in _WINDOWS_DOMAIN:
        name = "domain"
    if name in _TIMES:
        text = text.replace(" ", "T") + "Z"
    elif name.endswith("_mac"):
        text = _mac(text)
    elif name.endswith("_port") or name == "occurrences":
        text = int(text) or ""  # port 0 is none
    elif text == "0.0.0.0":
        text = ""
    return name, text


def _other(message):
    body = message.body.rstrip()
    kind = next((kind for shape, kind in _OTHERS if shape.match(body)), None)
    if kind is None:
        raise ValueError(f"the corpus has an unknown message: {body}")
    record = {"type": kind}
    places = list(_PLACES.get(kind, ()))
    for piece in body.split(","):
        label, colon, text = piece.partition(":")
        if colon:
            name, value = _labelled(kind, label, text.strip())
        else:
            name, value = places.pop(0), piece
        if name in ("direction", "protocol"):
            value = value.lower()
        record[name] = value
    return record


def _nearest_time(stamp, received):
    """The header's stamp has no year: the one nearest to the arrival."""
    now = datetime.datetime.fromisoformat(received.rstrip("Z"))
    times = [datetime.datetime.strptime(f"{year} {stamp}", "%Y %b %d %H:%M:%S")
             for year in (now.year - 1, now.year, now.year + 1)]
    nearest = min(times, key=lambda time: abs(time - now))
    return nearest.isoformat() + "Z"


_RECEIVED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_ID = re.compile(r"[0-9a-f]{8}-all-\d+-\d+")


def sepmlogd_differs(message, text):
    """None if the line is the message's record, else what is wrong."""
    record = json.loads(text)
    received, identity = record.pop("received", ""), record.pop("id", "")
    if not _RECEIVED.fullmatch(received) or not _ID.fullmatch(identity):
        return f"received {received!r}, id {identity!r}"
    want = _traffic(message) if message.traffic else _other(message)
    want = {name: value for name, value in want.items() if value != ""}
    want.update(time=_nearest_time(message.stamp, received), sepm=message.sepm,
                facility=FACILITY, severity=SEVERITIES[message.pri % 8],
                peer="127.0.0.1", transport="tcp")
    return _difference(want, record)


# --- the peers ---------------------------------------------------------------

def peer_differs(message, text):
    """The same for a peer, which keeps all values as they came."""
    record = json.loads(text)
    record.update(record.pop("traffic", {}))
    stamp = datetime.datetime.fromisoformat(record.pop("time"))
    record["pri"] = int(record["pri"])
    want = dict(message.traffic or {"message": message.body},
                pri=message.pri, sepm=message.sepm)
    if stamp.strftime("%b %e %H:%M:%S") != message.stamp:
        return f"time {stamp} for {message.stamp}"
    # An empty value may be left out.
    return _difference(
        {name: value for name, value in want.items() if value != ""},
        {name: value for name, value in record.items() if value != ""})


def _difference(want, record):
    if want == record:
        return None
    names = sorted(name for name in want.keys() | record.keys()
                   if want.get(name) != record.get(name))
    return ", ".join(f"{name}: {record.get(name)!r} for {want.get(name)!r}"
                     for name in names)
