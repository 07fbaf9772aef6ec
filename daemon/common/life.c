#include "life.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

enum { BOOT_ID_SIZE = 36 };

/* Two lives of one boot have the same. A sandbox may hide it. */
static void
put_boot(struct ledger_text *line)
{
	char id[BOOT_ID_SIZE];
	struct timespec up;
	int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && read(fd, id, sizeof(id)) == (ssize_t)sizeof(id))
		ledger_put_text(line, "boot", span_of(id, sizeof(id)));
	if (fd >= 0)
		close(fd);
	if (clock_gettime(CLOCK_BOOTTIME, &up) == 0)
		ledger_put_number(line, "uptime", (uint64_t)up.tv_sec);
}

void
life_begin(struct spool *spool, const char *program, struct span source)
{
	struct ledger_text *line = malloc(sizeof *line);

	if (line == NULL)
		return; /* it shows in the ledger as a life without a start */
	ledger_begin(line, "start", clock_utc());
	ledger_put_text(line, "program", span_str(program));
	ledger_put_text(line, "version", SPAN(SEPMLOG_VERSION));
	ledger_put_text(line, "instance", spool_instance(spool));
	ledger_put_number(line, "pid", (uint64_t)getpid());
	put_boot(line);
	if (source.n > 0)
		ledger_put_text(line, "source", source);
	spool_ledger_segments(spool, line);
	spool_ledger_add(spool, line);
	free(line);
}

static void
put_loss(struct ledger_text *line, const char *key, uint64_t n)
{
	if (n > 0)
		ledger_put_number(line, key, n);
}

void
life_end(
    struct spool *spool, uint64_t datagrams, uint64_t bytes, uint64_t lines)
{
	struct ledger_text *line = malloc(sizeof *line);

	if (line == NULL)
		return;
	ledger_begin(line, "stop", clock_utc());
	ledger_open(line, "lost");
	put_loss(line, "datagrams", datagrams);
	put_loss(line, "bytes", bytes);
	put_loss(line, "lines", lines);
	ledger_close(line);
	spool_ledger_add(spool, line);
	spool_ledger_flush(spool);
	free(line);
}
