#include "sandbox.h"

#include <errno.h>

#ifdef SEPMLOG_SANDBOX

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"

/* --- files --- */

/* Rights that the headers of Debian 12 do not know yet, and the version of the
 * kernel's interface that brought them. */
#define ACCESS_REFER LANDLOCK_ACCESS_FS_REFER /* 2 */
#define ACCESS_TRUNCATE (UINT64_C(1) << 14)   /* 3 */
#define ACCESS_NET_CONNECT (UINT64_C(1) << 1) /* 4 */
#define ACCESS_IOCTL_DEV (UINT64_C(1) << 15)  /* 5 */
#define SCOPE_SIGNAL (UINT64_C(1) << 1)       /* 6 */

#define READS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITES                                                                 \
	(READS | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | \
	    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |     \
	    LANDLOCK_ACCESS_FS_REMOVE_DIR | ACCESS_REFER | ACCESS_TRUNCATE)
/* All of version 1. */
#define ACCESS_FIRST ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)

/* struct landlock_ruleset_attr of version 6; older kernels take the beginning
 * of it, as long as the rest is 0. */
struct ruleset {
	uint64_t files, net, scoped;
};

static struct ruleset
ruleset_of(long version)
{
	struct ruleset rules = {.files = ACCESS_FIRST};

	if (version >= 2)
		rules.files |= ACCESS_REFER;
	if (version >= 3)
		rules.files |= ACCESS_TRUNCATE;
	if (version >= 4)
		rules.net |= ACCESS_NET_CONNECT;
	if (version >= 5)
		rules.files |= ACCESS_IOCTL_DEV;
	if (version >= 6)
		rules.scoped |= SCOPE_SIGNAL;
	return rules;
}

/* How much of the struct a version knows. */
static size_t
ruleset_size(long version)
{
	if (version >= 6)
		return sizeof(struct ruleset);
	return version >= 4 ? offsetof(struct ruleset, scoped)
			    : offsetof(struct ruleset, net);
}

/* A rule for what is below `path`; a path that is not there needs none. */
static bool
allow(int rules, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr beneath = {.allowed_access = access};
	bool done;
	int error;

	beneath.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (beneath.parent_fd < 0)
		return errno == ENOENT || errno == EACCES || errno == ENOTDIR;
	done = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH,
		   &beneath, 0) == 0;
	error = errno;
	close(beneath.parent_fd);
	errno = error;
	return done;
}

/* The directory of a file, which whoever replaces it puts the new one into. */
static bool
allow_beside(int rules, const char *path)
{
	char *directory, *slash;
	bool done;

	if (path == NULL)
		return true;
	directory = strdup(path);
	if (directory == NULL)
		return false;
	slash = strrchr(directory, '/');
	if (slash != NULL)
		slash[slash == directory] = '\0';
	done = allow(rules, slash != NULL ? directory : ".", READS);
	free(directory);
	return done;
}

static bool
allow_keys(int rules, const struct config *config)
{
	if (!allow_beside(rules, config->privacy.key_file) ||
	    !allow_beside(rules, config->privacy.vault.public_key))
		return false;
	for (size_t i = 0; i < config->listens; i++) {
		const struct config_tls_files *files = &config->listen[i].files;

		if (!allow_beside(rules, files->certificate) ||
		    !allow_beside(rules, files->key) ||
		    !allow_beside(rules, files->client_ca) ||
		    !allow_beside(rules, files->crl))
			return false;
	}
	return true;
}

/* What the system's libraries read when a reload asks them for zones and code
 * pages: modules of iconv, zoneinfo, how they are configured. */
static bool
allow_system(int rules)
{
	static const struct {
		const char *path;
		uint64_t access;
	} rows[] = {
	    {"/usr", READS},
	    {"/lib", READS},
	    {"/lib64", READS},
	    {"/etc/ssl", READS},
	    {"/etc/ld.so.cache", LANDLOCK_ACCESS_FS_READ_FILE},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (!allow(rules, rows[i].path, rows[i].access))
			return false;
	return true;
}

static bool
restrict_to(int rules)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       syscall(SYS_landlock_restrict_self, rules, 0) == 0;
}

bool
sandbox_files(const char *config_path, const struct config *config)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset rules;
	bool done;
	int fd;

	if (version < 0) {
		log_info("no Landlock in this kernel: files are guarded by the "
			 "service unit alone");
		return true;
	}
	rules = ruleset_of(version);
	fd = (int)syscall(
	    SYS_landlock_create_ruleset, &rules, ruleset_size(version), 0);
	if (fd < 0)
		return false;
	done = allow(fd, config->spool.directory, WRITES & rules.files) &&
	       allow_beside(fd, config_path) && allow_keys(fd, config) &&
	       allow_system(fd) && restrict_to(fd);
	close(fd);
	return done;
}

/* --- system calls --- */

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "the sandbox does not know this machine's system calls"
#endif

enum { X32 = 0x40000000 };

/* Those that come with each message first. */
static const int calls[] = {
#ifdef SYS_epoll_wait
    SYS_epoll_wait,
#endif
    SYS_epoll_pwait,
    SYS_epoll_ctl,
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_recvmmsg,
    SYS_read,
    SYS_write,
    SYS_futex,
    SYS_clock_nanosleep,
    SYS_clock_gettime,
    SYS_gettimeofday,
    SYS_nanosleep,
    /* files of the spool, and of a reload */
    SYS_openat,
    SYS_close,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_statfs,
    SYS_fstatfs,
    SYS_pread64,
    SYS_pwrite64,
    SYS_readv,
    SYS_writev,
    SYS_lseek,
    SYS_fcntl,
    SYS_fsync,
    SYS_fdatasync,
    SYS_ftruncate,
    SYS_fallocate,
    SYS_fchmod,
    SYS_fchmodat,
    SYS_umask,
    SYS_mkdirat,
    SYS_linkat,
    SYS_unlinkat,
    SYS_renameat2,
    SYS_getdents64,
    SYS_faccessat,
    SYS_readlinkat,
    SYS_flock,
    SYS_fadvise64,
    SYS_copy_file_range,
#ifdef SYS_renameat
    SYS_renameat,
#endif
#ifdef SYS_open
    SYS_open,
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_readlink,
    SYS_unlink,
    SYS_rename,
    SYS_getdents,
#endif
    /* connections, and what the service manager is told */
    SYS_accept4,
    SYS_accept,
    SYS_getsockopt,
    SYS_setsockopt,
    SYS_getsockname,
    SYS_getpeername,
    SYS_shutdown,
    SYS_sendto,
    SYS_sendmsg,
    SYS_connect,
    SYS_pipe2,
    SYS_eventfd2,
    SYS_memfd_create,
    SYS_socketpair,
    SYS_preadv,
    SYS_pwritev,
    SYS_dup,
    SYS_dup3,
    SYS_ppoll,
    SYS_pselect6,
#ifdef SYS_poll
    SYS_poll,
    SYS_select,
    SYS_dup2,
    SYS_pipe,
#endif
    /* memory, time, the process itself */
    SYS_brk,
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_mprotect,
    SYS_madvise,
    SYS_clock_getres,
    SYS_getrandom,
    SYS_sysinfo,
    SYS_uname,
    SYS_getpid,
    SYS_gettid,
    SYS_tgkill,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_getrlimit,
    SYS_prlimit64,
    SYS_getrusage,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_membarrier,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    SYS_restart_syscall,
    SYS_set_robust_list,
    SYS_rseq,
    SYS_exit,
    SYS_exit_group,
};

/* Of a daemon that binds its sockets itself. */
static const int listener_calls[] = {SYS_bind, SYS_listen};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

enum { HEAD = 6, IOCTL = 5, SOCKET = 8, PER_CALL = 2, LAST = 1 };

struct program {
	struct sock_filter
	    code[HEAD + IOCTL + SOCKET +
		 PER_CALL * (COUNT(calls) + COUNT(listener_calls)) + LAST];
	unsigned short n;
};

static void
add(struct program *p, unsigned short code, uint32_t k, uint8_t yes, uint8_t no)
{
	p->code[p->n++] = (struct sock_filter){code, yes, no, k};
}

static void
load(struct program *p, size_t offset)
{
	add(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void
answer(struct program *p, uint32_t action)
{
	add(p, BPF_RET | BPF_K, action, 0, 0);
}

/* Goes on behind the next `skip` instructions if it is not k. */
static void
unless_equal(struct program *p, uint32_t k, uint8_t skip)
{
	add(p, BPF_JMP | BPF_JEQ | BPF_K, k, 0, skip);
}

static void
add_calls(struct program *p, const int *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		unless_equal(p, (uint32_t)list[i], 1);
		answer(p, SECCOMP_RET_ALLOW);
	}
}

/* libevent asks how much there is to read, and can do without an answer. */
static void
add_ioctl(struct program *p)
{
	unless_equal(p, SYS_ioctl, 4);
	load(p, offsetof(struct seccomp_data, args) + sizeof(uint64_t));
	unless_equal(p, FIONREAD, 1);
	answer(p, SECCOMP_RET_ALLOW);
	answer(p, SECCOMP_RET_KILL_PROCESS);
}

/* A reload may ask for an address that only a socket unit can give: that fails,
 * as it does in the unit, and is said. */
static void
add_socket(struct program *p, bool may_listen)
{
	/* little-endian machines: the lower half stands first */
	const size_t family = offsetof(struct seccomp_data, args);

	unless_equal(p, SYS_socket, may_listen ? 6 : 4);
	load(p, family);
	if (may_listen) {
		add(p, BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 2, 0);
		add(p, BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 1, 0);
	}
	unless_equal(p, AF_UNIX, 1);
	answer(p, SECCOMP_RET_ALLOW);
	answer(p, SECCOMP_RET_ERRNO | EPERM);
}

bool
sandbox_calls(bool may_listen)
{
	struct program p = {.n = 0};
	struct sock_fprog filter;

	load(&p, offsetof(struct seccomp_data, arch));
	unless_equal(&p, ARCHITECTURE, 2);
	load(&p, offsetof(struct seccomp_data, nr));
	add(&p, BPF_JMP | BPF_JGE | BPF_K, X32, 0, 1);
	answer(&p, SECCOMP_RET_KILL_PROCESS);
	add_calls(&p, calls, COUNT(calls));
	if (may_listen)
		add_calls(&p, listener_calls, COUNT(listener_calls));
	add_ioctl(&p);
	add_socket(&p, may_listen);
	answer(&p, SECCOMP_RET_KILL_PROCESS);

	filter = (struct sock_fprog){p.n, p.code};
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		   SECCOMP_FILTER_FLAG_TSYNC, &filter) == 0;
}

#else

bool
sandbox_files(const char *config_path, const struct config *config)
{
	(void)config_path;
	(void)config;
	return true;
}

bool
sandbox_calls(bool may_listen)
{
	(void)may_listen;
	return true;
}

#endif
