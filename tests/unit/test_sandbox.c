/*
 * What the daemon cannot do any more once it is confined. Each attempt is made
 * by a child, which may not survive it.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"
#include "sandbox.h"

enum { DONE = 0, REFUSED = 1, NOT_CONFINED = 2, SIGNALLED = 128 };

static char home[] = "/tmp/sepmlogd-sandbox-XXXXXX";
static char inside[64], outside[64];

static int
answer(bool done)
{
	return done ? DONE : REFUSED;
}

/* --- attempts --- */

static int
open_inside(void)
{
	return answer(open(inside, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0);
}

static int
open_outside(void)
{
	return answer(open(outside, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0);
}

static int
read_passwords(void)
{
	return answer(open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0);
}

static int
read_zone(void)
{
	return answer(open("/usr/share/zoneinfo", O_RDONLY | O_DIRECTORY) >= 0);
}

static int
socket_unix(void)
{
	return answer(socket(AF_UNIX, SOCK_DGRAM, 0) >= 0);
}

static int
socket_inet(void)
{
	return answer(socket(AF_INET, SOCK_STREAM, 0) >= 0);
}

static int
socket_netlink(void)
{
	return answer(socket(AF_NETLINK, SOCK_RAW, 0) >= 0);
}

static int
execute(void)
{
	return answer(execl("/bin/true", "true", (char *)NULL) == 0);
}

static int
trace(void)
{
	return answer(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
}

static int
mount_there(void)
{
	return answer(mount("none", home, "tmpfs", 0, NULL) == 0);
}

static int
new_namespace(void)
{
	return answer(unshare(CLONE_NEWUSER) == 0);
}

static int
new_process(void)
{
	return answer(fork() >= 0);
}

static int
signal_parent(void)
{
	return answer(kill(getppid(), 0) == 0);
}

/* --- the table --- */

static const struct {
	const char *name;
	int (*attempt)(void);
	bool may_listen;
	int result; /* an exit status, or SIGNALLED + the signal */
} rows[] = {
    {"write in the spool", open_inside, false, DONE},
    {"write elsewhere", open_outside, false, REFUSED},
    {"read elsewhere", read_passwords, false, REFUSED},
    {"read time zones", read_zone, false, DONE},
    {"unix socket", socket_unix, false, DONE},
    {"INET socket", socket_inet, false, REFUSED},
    {"INET socket of who binds its own", socket_inet, true, DONE},
    {"netlink socket", socket_netlink, true, REFUSED},
    {"execve", execute, true, SIGNALLED + SIGSYS},
    {"ptrace", trace, true, SIGNALLED + SIGSYS},
    {"mount", mount_there, true, SIGNALLED + SIGSYS},
    {"namespace", new_namespace, true, SIGNALLED + SIGSYS},
    {"fork", new_process, true, SIGNALLED + SIGSYS},
    {"kill", signal_parent, true, SIGNALLED + SIGSYS},
};

static int
in_child(size_t row)
{
	static char directory[64];
	struct config config = {.spool.directory = directory};

	snprintf(directory, sizeof directory, "%s/spool", home);
	if (!sandbox_files("/nonexistent/sepmlogd.yaml", &config) ||
	    !sandbox_calls(rows[row].may_listen))
		return NOT_CONFINED;
	return rows[row].attempt();
}

START_TEST(what_is_refused)
{
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (child == 0)
		_exit(in_child((size_t)_i));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	status = WIFSIGNALED(status) ? SIGNALLED + WTERMSIG(status)
				     : WEXITSTATUS(status);
	ck_assert_msg(status == rows[_i].result, "%s: %d, not %d",
	    rows[_i].name, status, rows[_i].result);
}
END_TEST

static void
make_home(void)
{
	char spool[64];

	if (mkdtemp(home) == NULL)
		exit(EXIT_FAILURE);
	snprintf(spool, sizeof spool, "%s/spool", home);
	snprintf(inside, sizeof inside, "%s/spool/file", home);
	snprintf(outside, sizeof outside, "%s/file", home);
	if (mkdir(spool, 0700) < 0)
		exit(EXIT_FAILURE);
}

static void
remove_home(void)
{
	char spool[64];

	snprintf(spool, sizeof spool, "%s/spool", home);
	unlink(inside);
	unlink(outside);
	rmdir(spool);
	rmdir(home);
}

static Suite *
suite(void)
{
	Suite *s = suite_create("sandbox");
	TCase *tc = tcase_create("refused");

	tcase_add_loop_test(
	    tc, what_is_refused, 0, (int)(sizeof rows / sizeof rows[0]));
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	int status;

	make_home();
	status = run_suite(suite());
	remove_home();
	return status;
}
