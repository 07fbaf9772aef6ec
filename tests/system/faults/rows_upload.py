"""Delivery, and what breaks it: U01 to U12. The uploader's own tests are these
rows; each that measures something says so."""

import harness
from lab import borrow, part, row, skip


def each(*scenarios):
    """Of several scripts: one without its server is told, and only if none
    has one, the row is skipped."""
    said = [part(name, borrow, *words) for name, *words in scenarios]
    if all(" SKIPPED, " in text for text in said):
        skip("; ".join(said))
    return "; ".join(said)


@row("U01", "uploader killed at random points, files coming in",
     "some kills inside of a file; 0 lost, 0 half visible, sent twice only "
     "with the same bytes", times=(None, 20, 200), seconds=200)
def u01(_lab, kills):
    return borrow("upload.py", "Killed.test_killed", "KilledFar.test_killed",
                  timeout=1800, SEPMLOG_KILLS=kills)


@row("U02", "server killed inside of a file",
     "no part under a final name; goes on when it is back",
     times=(None, 1, 1))
def u02(_lab, _times):
    return each(
        ("https", "upload.py", "Web.test_nginx_killed_in_the_middle"),
        ("sftp", "upload_sftp.py", "Breaks.test_killed_server_and_resume"))


@row("U03", "disk full on the other side",
     "said so; what does not fit waits, nothing half there",
     times=(None, 1, 1))
def u03(_lab, _times):
    return each(
        ("dir, https", "upload.py", "Directories.test_a_full_disk_there",
         "Web.test_a_full_disk_of_nginx"),
        ("sftp", "upload_sftp.py", "Breaks.test_full_disk_there"))


@row("U04", "connection cut at random bytes: https, sftp",
     "0 lost, 0 half visible, all delivered after the last cut",
     times=(None, 8, 100), seconds=120)
def u04(_lab, cuts):
    return borrow("upload.py", "Web.test_cut_at_any_byte",
                  "CutFar.test_cut_at_any_byte_far",
                  timeout=1200, SEPMLOG_CUTS=cuts)


@row("U05", "host key unknown, or another one",
     "nothing sent, the key and what to do named", times=(None, 1, 1))
def u05(_lab, _times):
    return borrow("upload_sftp.py", "Trust.test_unknown_key",
                  "Trust.test_changed_key")


@row("U06", "certificate expired, of another authority; TLS 1.1",
     "nothing sent, the reason named", times=(None, 1, 1))
def u06(_lab, _times):
    return borrow("upload.py", "Web.test_certificates",
                  "Web.test_old_tls_is_not_spoken")


@row("U07", "answers 302, 400, 401, 403, 404, 413, 429, 500, 503",
     "413 into quarantine, the others tried again; 0 lost",
     times=(None, 1, 1))
def u07(_lab, _times):
    return borrow("upload.py", "Web.test_moods",
                  "Web.test_retry_after_is_obeyed",
                  "Web.test_refused_for_its_size",
                  "Web.test_one_that_always_fails_does_not_hold_up_the_others")


@row("U08", "clock skew: an hour either way, ten minutes (s3)",
     "the time is named as the reason, the file stays; within 15 minutes "
     "delivered", times=(None, 1, 1))
def u08(_lab, _times):
    return borrow("upload_s3.py", "S3.test_a_clock_that_is_off")


@row("U09", "two uploaders started at once",
     "one ends with a reason, the other delivers; one receipt a file",
     times=(None, 20, 200))
def u09(_lab, starts):
    return borrow("upload.py", "Alone.test_two_at_once",
                  "Directories.test_one_uploader_at_a_time",
                  timeout=1200, SEPMLOG_STARTS=starts)


@row("U10", "a target down for long (seconds)",
     "the other target not held up, a line a minute; all delivered once it "
     "is back", times=(None, 20, 600), seconds=180)
def u10(_lab, seconds):
    return borrow(
        "upload.py", "Web.test_down_for_long",
        "Directories.test_a_target_that_is_down_holds_up_only_itself",
        timeout=1800, SEPMLOG_DOWN=seconds)


@row("U11", "uploader stopped, then killed, under load",
     "0 messages lost, all delivered by the next one, `verify` finds nothing",
     times=(None, 1, 1))
def u11(_lab, _times):
    return borrow("upload.py", "Whole.test_reception_goes_on_without_it")


@row("U12", "order of a delivery's calls (strace)",
     "durable there, then its receipt, then gone from ready/",
     times=(None, 1, 1))
def u12(_lab, _times):
    harness.need("strace")
    return borrow("upload.py", "Order."
                  "test_a_receipt_is_durable_before_the_file_leaves")
