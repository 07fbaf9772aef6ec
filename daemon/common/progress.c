#include "progress.h"

#include <inttypes.h>
#include <unistd.h>

#include "clock.h"

enum {
	REDRAW = 200,   /* ms, on a terminal */
	REPEAT = 10000, /* ms, elsewhere: a line of its own each time */
	BAR = 20,
};

void
progress_init(struct progress *p, FILE *to, uint64_t total)
{
	*p = (struct progress){
	    .to = to,
	    .terminal = isatty(fileno(to)) == 1,
	    .total = total,
	    .begun = clock_ms(),
	    .unit = "records",
	};
	p->drawn = p->begun;
}

void
progress_size(uint64_t bytes, char *out, size_t size)
{
	static const char *const units[] = {
	    "bytes", "KiB", "MiB", "GiB", "TiB"};
	double n = (double)bytes;
	size_t i = 0;

	for (; n >= 1024 && i + 1 < sizeof(units) / sizeof(units[0]); i++)
		n /= 1024;
	snprintf(out, size, i == 0 ? "%.0f %s" : "%.1f %s", n, units[i]);
}

static void
draw_bar(FILE *to, uint64_t done, uint64_t total)
{
	unsigned full = (unsigned)((double)done / (double)total * BAR);

	fputc('[', to);
	for (unsigned i = 0; i < BAR; i++)
		fputc(i < full ? '#' : '.', to);
	fprintf(
	    to, "] %3u %%  ", (unsigned)((double)done / (double)total * 100));
}

static void
draw_left(FILE *to, uint64_t ms, uint64_t done, uint64_t total)
{
	uint64_t s = (uint64_t)((double)ms / 1000 / (double)done *
				(double)(total - done));

	fprintf(to, "  %" PRIu64 ":%02" PRIu64 ":%02" PRIu64 " left", s / 3600,
	    s / 60 % 60, s % 60);
}

static void
draw(struct progress *p, uint64_t done, uint64_t records, uint64_t ms)
{
	char is[32], of[32], rate[32];

	if (done > p->total)
		p->total = p->total > 0 ? done : 0;
	progress_size(done, is, sizeof is);
	progress_size(p->total, of, sizeof of);
	progress_size(done * 1000 / (ms > 0 ? ms : 1), rate, sizeof rate);
	if (p->terminal)
		fputs("\r\033[K", p->to);
	if (p->total > 0)
		draw_bar(p->to, done, p->total);
	fputs(is, p->to);
	if (p->total > 0)
		fprintf(p->to, " of %s", of);
	fprintf(p->to, "  %s/s  %" PRIu64 " %s", rate, records, p->unit);
	if (p->total > 0 && done > 0)
		draw_left(p->to, ms, done, p->total);
	fputs(p->terminal ? "" : "\n", p->to);
	fflush(p->to);
	p->shown = p->terminal;
}

void
progress_update(struct progress *p, uint64_t done, uint64_t records)
{
	uint64_t now;

	if (p == NULL)
		return;
	now = clock_ms();
	if (now - p->drawn < (p->terminal ? REDRAW : REPEAT))
		return;
	p->drawn = now;
	draw(p, done, records, now - p->begun);
}

void
progress_hide(struct progress *p)
{
	if (p == NULL || !p->shown)
		return;
	fputs("\r\033[K", p->to);
	fflush(p->to);
	p->shown = false;
}
