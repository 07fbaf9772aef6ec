"""sepmlogd beside what a user might take instead, and beside the least that
any receiver has to do: see tests/bench/run.sh, which builds what this needs.

    compare.py [--quick] [--only tcp|udp] [--directory DIR] [--results FILE]
    compare.py --table FILE

Prints Markdown; what it is doing goes to standard error. Every run is kept in
FILE, one JSON object a line, and --table prints the tables from there again.

First, every message of the corpus goes once through each program, and each
value of each line of output is compared. Then all are measured in rounds, one
after the other and in reverse order every other round, so that a machine whose
speed drifts is unfair to nobody.
"""

import argparse
import datetime
import json
import os
import shlex
import subprocess
import sys

import expected
import measure
import receivers
import table

CORPUS = 100_000
# More than that many processors at other work, and a run is made again.
OTHERS = 0.25
TRIES = 3
LADDER = (10_000, 20_000, 30_000, 40_000, 50_000, 60_000, 70_000, 80_000,
          100_000, 125_000, 150_000, 175_000, 200_000, 225_000, 250_000,
          300_000, 350_000, 400_000, 450_000, 500_000, 550_000, 600_000,
          650_000, 700_000, 800_000, 900_000, 1_000_000, 1_200_000, 1_400_000)
# Transport, connections, framing.
SCENARIOS = (("tcp", 1, "lf"), ("tcp", 8, "lf"), ("tcp", 1, "counted"),
             ("tcp", 8, "counted"), ("tls", 1, "lf"))
UDP_SOURCES = 4
# Seconds behind the sender in which a receiver that kept up is done: what may
# lie for 100 ms before it is written has been written then. What queues up
# would be lost in a longer run.
BEHIND = 0.2


class Size:
    """How much is measured."""

    def __init__(self, quick, only):
        self.rounds = 0 if only == "udp" else 2 if quick else 5
        self.udp_rounds = 0 if only == "tcp" else 1 if quick else 5
        self.scenarios = SCENARIOS[::4] if quick else SCENARIOS
        self.messages = 750_000 if quick else 1_000_000
        self.udp_seconds = 1.0 if quick else 1.5


class Comparison:
    def __init__(self, size, directory, results):
        self.size = size
        self.directory = directory
        self.results = results
        self.records = []
        self.ours = receivers.Sepmlogd()
        self.peers = receivers.peers()

    def keep(self, kind, **values):
        record = dict(values, kind=kind)
        self.records.append(record)
        self.results.write(json.dumps(record) + "\n")
        self.results.flush()

    def run(self):
        parsing = [self.ours] + self.peers
        for receiver in parsing:
            self.check(receiver)
        self.streams(parsing)
        self.udp(parsing)

    # -- is the output right?

    def check(self, receiver):
        """Every message once, each value of each line."""
        progress(f"every value of {CORPUS} messages: {receiver.title}")
        differs = (expected.peer_differs if receiver.is_peer
                   else expected.sepmlogd_differs)
        messages = [expected.Message(line) for line in measure.corpus(CORPUS)]
        result = measure.run(receiver, self.directory, CORPUS, corpus=CORPUS)
        wrong = []
        for line in measure.lines(receiver):
            text = line.decode()
            number = expected.number_of(text)
            problem = "no number" if number is None else differs(
                messages[number], text)
            if problem:
                wrong.append(f"{number}: {problem}")
        receiver.clear()
        self.keep("check", title=receiver.title, version=receiver.version,
                  is_peer=receiver.is_peer, messages=CORPUS,
                  wrong=len(wrong), problems=wrong[:3], **result)

    def record_percent(self):
        """How large our records are, of what was received."""
        [check] = [r for r in self.records
                   if r["kind"] == "check" and not r["is_peer"]]
        return round(100 * check["stored_bytes"] / check["sent_bytes"])

    # -- TCP and TLS

    def streams(self, parsing):
        write = receivers.Write()
        progress("warming up")  # fresh page cache is slow to get
        measure.run(write, self.directory, self.size.messages)
        percent = self.record_percent()
        floors = [receivers.Discard(), write,
                  receivers.WriteRecords(percent), receivers.Store(percent)]
        packing = [receivers.Sepmlogd("gzip"), receivers.Sepmlogd("zstd")]
        for number in range(self.size.rounds):
            for scenario in self.size.scenarios:
                those = floors + parsing
                if scenario == SCENARIOS[0]:
                    those = those + packing
                if scenario[0] == "tls":
                    those = [r for r in parsing if r.speaks_tls]
                for receiver in in_turn(those, number):
                    self.stream(receiver, number, scenario)

    def stream(self, receiver, number, scenario):
        progress(f"round {number + 1} of {self.size.rounds}, "
                 f"{table.scenario_title(*scenario)}: {receiver.title}")
        transport, sockets, framing = scenario
        result = self.quiet_run(
            receiver, int(self.size.messages * receiver.share),
            transport=transport, framing=framing, sockets=sockets)
        self.keep("stream", round=number, transport=transport,
                  sockets=sockets, framing=framing,
                  title=receiver.title, is_peer=receiver.is_peer, **result)

    def quiet_run(self, receiver, count, **options):
        """A run during which others do little, if there is such a moment."""
        for _ in range(TRIES):
            result = measure.run(receiver, self.directory, count, **options)
            if receiver.key == self.ours.key:
                measure.check_ids(receiver)
            receiver.clear()
            if result["others"] <= OTHERS:
                break
            progress(f"  others took {result['others']:.2f} processors")
        return result

    # -- UDP

    def udp(self, parsing):
        those = [receivers.Discard(),
                 receivers.Store(self.record_percent())] + parsing
        for number in range(self.size.udp_rounds):
            for receiver in in_turn(those, number):
                self.climb(receiver, number)

    def climb(self, receiver, number):
        """The highest rate of the ladder that it holds: up from where it
        begins, or down if it cannot hold that."""
        rung = LADDER.index(min(
            LADDER, key=lambda rate: abs(rate - receiver.udp_rate)))
        best = self.rung(receiver, number, LADDER[rung])
        step = 1 if best["held"] else -1
        while 0 <= rung + step < len(LADDER):
            rung += step
            result = self.rung(receiver, number, LADDER[rung])
            best["sender_limited"] = result["sender_limited"]
            if result["held"]:
                best = result
            if result["held"] != (step > 0):
                break
        self.keep("udp", round=number, title=receiver.title,
                  rate_held=best["asked"] if best["held"] else 0,
                  is_peer=receiver.is_peer, **best)

    def rung(self, receiver, number, rate):
        """One rate, held if nothing is lost and nothing queues up. Once more
        if it is not: that may have been the machine's fault."""
        for _ in range(2):
            progress(f"round {number + 1} of {self.size.udp_rounds}, UDP, "
                     f"{rate} messages/s: {receiver.title}")
            result = self.quiet_run(
                receiver, int(rate * self.size.udp_seconds), transport="udp",
                sockets=UDP_SOURCES, rate=rate)
            behind = result["seconds"] - result["send_seconds"]
            kept_up = result["lost"] == 0 and behind < BEHIND
            reached = result["send_rate"] > 0.97 * rate
            result.update(asked=rate, held=kept_up and reached,
                          sender_limited=kept_up and not reached)
            self.keep("rung", round=number, **result)
            if kept_up:
                break
            progress(f"  lost {result['lost']} of {result['sent']}, "
                     f"{behind:.2f} s behind")
        return result


def in_turn(things, number):
    return things[::-1] if number % 2 else things


def progress(text):
    now = datetime.datetime.now().strftime("%H:%M:%S")
    print(f"{now} {text}", file=sys.stderr, flush=True)


# --- the machine -------------------------------------------------------------

def _answer(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True,
                          check=True).stdout.strip()


def _machine(directory):
    cpu = json.loads(_answer("lscpu", "--json"))["lscpu"]
    model = next((row["data"] for row in cpu
                  if row["field"] == "Model name:"), "unknown")
    return {
        "processors": f"{os.cpu_count()} × {model}",
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": _answer("uname", "-sr"),
        "system": _answer("sh", "-c",
                          '. /etc/os-release && echo "$PRETTY_NAME"'),
        "file_system": _answer("findmnt", "-no", "FSTYPE", "-T", directory),
        "date": datetime.datetime.now().strftime("%Y-%m-%d %H:%M"),
    }


# --- the command -------------------------------------------------------------

def arguments():
    build = os.path.join(receivers.ROOT, "build/bench")
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true",
                        help="few rounds: for a look, not for the record")
    parser.add_argument("--only", choices=("tcp", "udp"),
                        help="one part of it (tcp: and TLS)")
    parser.add_argument("--directory", default=os.path.join(build, "work"),
                        help="where the receivers write (build/bench/work)")
    parser.add_argument("--results",
                        default=os.path.join(build, "results.jsonl"),
                        help="the runs (build/bench/results.jsonl)")
    parser.add_argument("--table", metavar="FILE",
                        help="measure nothing, print the tables of FILE")
    return parser.parse_args()


def compare(options):
    size = Size(options.quick, options.only)
    os.makedirs(options.directory, exist_ok=True)
    with open(options.results, "w", encoding="utf-8") as results:
        comparison = Comparison(size, options.directory, results)
        comparison.keep("machine", rounds=max(size.rounds,
                                              size.udp_rounds), others=OTHERS,
                        command=os.environ.get("BENCH_COMMAND")
                        or shlex.join(sys.argv),
                        **_machine(options.directory))
        comparison.run()
        return comparison.records


def main():
    options = arguments()
    if options.table:
        with open(options.table, encoding="utf-8") as file:
            records = [json.loads(line) for line in file]
    else:
        records = compare(options)
    print(table.markdown(records))
    wrong = [r for r in records if r["kind"] == "check" and (
        r["wrong"] or r["lost"] or r["repeated"] or r["unnumbered"])]
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
