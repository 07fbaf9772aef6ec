/*
 * Start, reload and stop are steps of one loop that never waits:
 *
 *   reload  build a candidate; if the spool changes, too, rest until its
 *           thread has done that; then swap, or drop the candidate.
 *   stop    close the doors, give plain connections to a service manager that
 *           keeps them for the next process; from TLS, or without one, let
 *           peers finish what they are saying. Store it, leave the loop; only
 *           then wait for the disk.
 */
#include "server.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "fdstore.h"
#include "log.h"
#include "netstat.h"
#include "notify.h"
#include "report.h"
#include "sandbox.h"
#include "status.h"
#include "tcp.h"
#include "udp.h"

enum {
	SIGNALS = 4,
	TICK_MS = 1000,
	CREDENTIALS_MS = 5 * 1000, /* between looks at their files */
	STOP_TICK_MS = 50,
	STOP_QUIET_MS = 500, /* peers silent that long have finished */
	STOP_LIMIT_MS = 5 * 1000,
	TEXT = 512,
	/* Descriptors that connections must not take: ours, and what the spool
	 * opens in passing. */
	RESERVED = 24,
	RESERVED_STATUS = 128,
	RESERVED_PER_STREAM = 6,
};

/* Where the service unit puts it (BindReadOnlyPaths=). */
#define NETSTAT_OF_HOST "/run/sepmlogd/net"

struct server {
	const struct origin *origin;
	struct event_base *base;
	struct candidate running;
	struct counters counters;
	struct audit *audit;
	struct spooler *spooler;
	struct udp *udp;
	struct tcp *tcp;
	struct event *signals[SIGNALS];
	struct event *tick, *watchdog, *news, *stop_tick;

	struct candidate next; /* of a reload that waits for the spool */
	bool waiting, reload_again, stop_wanted;
	uint64_t stopping;        /* since when; 0: not */
	uint64_t resumed;         /* when there was room again, at last */
	uint64_t credentials_at;  /* when to look at them */
	bool handing_over;        /* connections, once we are stopping */
	struct fdstore_kept kept; /* of the process before us */

	struct report report;
	struct status *status;
	struct recent recent;
	struct busiest *busiest; /* once it was wanted */
	bool refused;            /* the last reload */
	bool untold;             /* READY is still to be said */
	int status_fd;           /* handed over, until it is used; or -1 */
	struct netstat netstat;
	bool strays_known;
	uint64_t no_ports; /* when it was read first */
};

static struct timeval
interval(uint64_t us)
{
	return (struct timeval){.tv_sec = (time_t)(us / 1000000),
	    .tv_usec = (suseconds_t)(us % 1000000)};
}

/* --- endpoints by transport --- */

static void
attach(struct server *s, struct endpoint *e)
{
	if (e->transport == CONFIG_UDP)
		udp_attach(s->udp, e);
	else
		tcp_attach(s->tcp, e);
}

static void
resume_endpoint(struct server *s, struct endpoint *e)
{
	if (e->transport == CONFIG_UDP)
		udp_resume_endpoint(s->udp, e);
	else
		tcp_resume_endpoint(s->tcp, e);
}

/* Datagrams whose queue ends with us. */
static bool
is_last_queue(const struct endpoint *e)
{
	return e->transport == CONFIG_UDP && !e->passed;
}

/* As far as there is room: the rest when there is room again. */
static void
read_last_queue(struct server *s, struct endpoint *e)
{
	if (!is_last_queue(e))
		return;
	udp_empty(s->udp, e);
	udp_count_drops(s->udp, e);
}

static void
give_up_last_queue(struct server *s, struct endpoint *e)
{
	unsigned n = is_last_queue(e) ? udp_give_up(s->udp, e) : 0;

	if (n > 0)
		log_warnx("%s: no room to store %u datagrams that waited: "
			  "lost; make room for the spool before stopping",
		    e->name, n);
}

typedef void endpoint_fn(struct server *s, struct endpoint *e);

static void
each_endpoint(struct server *s, endpoint_fn *fn)
{
	for (size_t i = 0; i < s->running.endpoints.count; i++)
		fn(s, s->running.endpoints.list[i]);
}

/* False: something was lost by that. */
static bool
give_up_last_queues(struct server *s)
{
	uint64_t before = s->counters.abandoned;

	each_endpoint(s, give_up_last_queue);
	return s->counters.abandoned == before;
}

/* A queue that ends with us is read to its end first. */
static void
detach(struct server *s, struct endpoint *e)
{
	if (e->transport != CONFIG_UDP) {
		if (!e->passed)
			tcp_empty(s->tcp, e);
		tcp_detach(s->tcp, e);
		return;
	}
	read_last_queue(s, e);
	udp_count_drops(s->udp, e);
	udp_detach(s->udp, e);
}

static void
count_drops(struct server *s, struct endpoint *e)
{
	if (e->transport == CONFIG_UDP && e->owner != NULL)
		udp_count_drops(s->udp, e);
}

/* --- the ledger's minutes --- */

static void
minute_ending_cb(void *arg)
{
	struct server *s = arg;

	each_endpoint(s, count_drops);
	udp_forget_rows(s->udp);
}

static bool
minute_offer_cb(void *arg, struct audit_minute *minute)
{
	struct server *s = arg;

	return spooler_offer(s->spooler, minute);
}

/* --- what people are told --- */

static struct report_view
view(const struct server *s)
{
	return (struct report_view){
	    .counters = &s->counters,
	    .pipeline = s->running.pipeline,
	    .tcp = s->tcp,
	    .spool = spooler_spool(s->spooler),
	    .expires = credentials_expire(&s->running.credentials),
	    .stale = credentials_are_stale(&s->running.credentials),
	};
}

/* NULL: nobody can look, nobody wants to, or there is no memory for it. */
static struct busiest *
wanted_busiest(struct server *s)
{
	const struct config_status *status = &s->running.config->status;

	if (status->listen == NULL || !status->top ||
	    config_is_private(s->running.config))
		return NULL;
	if (s->busiest == NULL)
		s->busiest = busiest_new();
	return s->busiest;
}

/* Datagrams to ports where nobody listens, since the start. */
static uint64_t
count_strays(struct server *s)
{
	struct netstat_udp udp;

	if (!netstat_read(&s->netstat, &udp))
		return 0;
	if (!s->strays_known)
		s->no_ports = udp.no_ports;
	s->strays_known = true;
	return udp.no_ports - s->no_ports;
}

static void
look_cb(void *arg, struct status_view *view)
{
	struct server *s = arg;

	*view = (struct status_view){
	    .name = s->origin->name,
	    .config = s->running.config,
	    .counters = &s->counters,
	    .endpoints = &s->running.endpoints,
	    .pipeline = s->running.pipeline,
	    .spool = spooler_spool(s->spooler),
	    .vaulter =
		s->running.vault.set ? spooler_vaulter(s->spooler) : NULL,
	    .recent = &s->recent,
	    .busiest = wanted_busiest(s),
	    .audit = s->audit,
	    .latency = spooler_latency(s->spooler),
	    .no_ports = count_strays(s),
	    .connections = tcp_connections(s->tcp),
	    .sessions = tcp_sessions(s->tcp),
	    .expires = credentials_expire(&s->running.credentials),
	    .stale = credentials_are_stale(&s->running.credentials),
	    .refused = s->refused,
	    .stopping = s->stopping != 0,
	};
}

static void
warn_if_open_to_all(const struct candidate *c)
{
	if (c->config->allows > 0)
		return;
	for (size_t i = 0; i < c->endpoints.count; i++)
		if (endpoint_is_public(c->endpoints.list[i]))
			log_warnx("%s: `allow` is empty: anyone who reaches it "
				  "may send",
			    c->endpoints.list[i]->name);
}

/* Those that were not there `before` (may be NULL). */
static void
log_listening(const struct endpoints *now, const struct endpoints *before)
{
	for (size_t i = 0; i < now->count; i++)
		if (before == NULL || !endpoints_hold(before, now->list[i]))
			log_info("%s: listening%s", now->list[i]->name,
			    now->list[i]->passed
				? " (socket of the service manager)"
				: "");
}

/* --- reading stops and goes on --- */

static void
resume(struct server *s)
{
	bool was_full = pipeline_full_since(s->running.pipeline) != 0;

	if (!pipeline_retry(s->running.pipeline) || !udp_resume(s->udp))
		return;
	if (was_full)
		s->resumed = clock_ms();
	each_endpoint(s, s->stopping == 0 ? resume_endpoint : read_last_queue);
	tcp_resume(s->tcp);
}

/* --- configuration in force --- */

static unsigned
descriptors_for(const struct config *config)
{
	size_t ours = RESERVED + config->listens +
		      RESERVED_PER_STREAM * config->stream_count +
		      (config->status.listen != NULL ? RESERVED_STATUS : 0);
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > UINT32_MAX)
		return config->max_connections;
	return limit.rlim_cur > ours ? (unsigned)(limit.rlim_cur - ours) : 1;
}

/* The listeners go by s->running from now on. */
static void
put_in_force(struct server *s)
{
	const struct candidate *c = &s->running;
	unsigned descriptors = descriptors_for(c->config);

	if (descriptors < c->config->max_connections)
		log_warnx("max_connections: %u, but descriptors are enough "
			  "for %u; raise LimitNOFILE (ulimit -n)",
		    c->config->max_connections, descriptors);
	vaulter_use(spooler_vaulter(s->spooler), &c->vault);
	audit_configure(s->audit, c->config);
	pipeline_show(c->pipeline, &s->recent, wanted_busiest(s));
	udp_configure(s->udp, c->config, c->pipeline);
	tcp_configure(s->tcp, c->config, c->pipeline, descriptors);
}

/* Neither a reload nor the end is under way. */
static bool
is_steady(const struct server *s)
{
	return !s->waiting && s->stopping == 0;
}

static void
tell_ready(struct server *s)
{
	int error = notify_ready();

	if (error != 0 && !s->untold)
		log_warnx("the service manager cannot be told that all is "
			  "ready: %s; tried again each second",
		    strerror(error));
	s->untold = error != 0;
}

/* --- reload --- */

static void stop_begin(struct server *s);
static void reload_begin(struct server *s);

static void
reload_end(struct server *s, bool done)
{
	s->waiting = false;
	s->refused = !done;
	if (done) {
		struct report_view seen = view(s);

		log_info("%s: in force", s->origin->name);
		report_running(&s->report, &seen, clock_ms());
	} else {
		log_warnx("%s: not applied, the configuration before it "
			  "stays in force",
		    s->origin->name);
		report_refused(&s->report, clock_ms());
	}
	tell_ready(s);
	resume(s);
	if (s->stop_wanted)
		stop_begin(s);
	else if (s->reload_again)
		reload_begin(s);
}

static void
reload_drop(struct server *s, const char *why)
{
	log_warnx("%s: %s", s->origin->name, why);
	candidate_clear(&s->next, &s->running.endpoints);
	pipeline_rest(s->running.pipeline, false);
	reload_end(s, false);
}

/* Nothing below can fail. */
static void
reload_swap(struct server *s)
{
	struct candidate old = s->running;

	s->running = s->next;
	s->next = (struct candidate){0};
	pipeline_attach(s->running.pipeline, s->spooler, old.pipeline);
	put_in_force(s);
	candidate_apply(&s->running);
	for (size_t i = 0; i < old.endpoints.count; i++)
		if (!endpoints_hold(
			&s->running.endpoints, old.endpoints.list[i])) {
			detach(s, old.endpoints.list[i]);
			give_up_last_queue(s, old.endpoints.list[i]);
		}
	each_endpoint(s, attach);
	log_listening(&s->running.endpoints, &old.endpoints);
	candidate_clear(&old, &s->running.endpoints);
	warn_if_open_to_all(&s->running);
	reload_end(s, true);
}

static void
reload_begin(struct server *s)
{
	struct report_view seen = view(s);
	const char *objection;
	size_t line;

	/* What is rolled up belongs to the configuration that ends. */
	s->reload_again = !pipeline_finish(s->running.pipeline);
	if (s->reload_again)
		return; /* the next tick tries again */
	notify_reloading();
	report_summary(&seen);
	if (!candidate_build(&s->next, s->origin, &s->running.endpoints,
		&s->counters, s->audit)) {
		reload_end(s, false);
		return;
	}
	objection = spooler_objection(s->spooler, s->next.config);
	if (objection == NULL)
		objection = status_objection(s->status, s->next.config);
	if (objection == NULL && !tcp_prepare(s->tcp, s->next.config))
		objection = "no memory";
	if (objection != NULL) {
		reload_drop(s, objection);
		return;
	}
	line = pipeline_line(s->next.config);
	if (!spooler_differs(s->spooler, s->next.config, line)) {
		reload_swap(s);
		return;
	}
	pipeline_rest(s->running.pipeline, true);
	s->waiting =
	    spooler_reload_begin(s->spooler, s->next.config, line, clock_ms());
	if (!s->waiting)
		reload_drop(s, "no memory");
}

static void
news_cb(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	char why[TEXT];

	(void)fd;
	(void)what;
	switch (spooler_heard(s->spooler, why, sizeof why)) {
	case SPOOLER_WORKED:
		resume(s);
		break;
	case SPOOLER_RELOADED:
		reload_swap(s);
		break;
	case SPOOLER_REFUSED:
		reload_drop(s, why);
		break;
	}
}

/* --- stop --- */

static void
say_goodbye(struct server *s)
{
	s->handing_over = false;
	tcp_say_goodbye(s->tcp, false);
}

static void
stop_begin(struct server *s)
{
	struct timeval every = interval(STOP_TICK_MS * 1000);

	s->stopping = clock_ms();
	notify_stopping();
	log_info("stopping");
	each_endpoint(s, detach);
	s->handing_over =
	    tcp_connections(s->tcp) > tcp_sessions(s->tcp) && fdstore_offered();
	if (s->handing_over)
		tcp_say_goodbye(s->tcp, true);
	else
		say_goodbye(s);
	event_add(s->stop_tick, &every);
}

/* Have all who were speaking finished, and is what they said stored? */
static bool
is_silent(struct server *s, uint64_t now)
{
	uint64_t last = tcp_last_read(s->tcp, s->handing_over);

	if (udp_pending(s->udp) > 0)
		return false;
	if (s->handing_over && tcp_sessions(s->tcp) == 0)
		return true;
	if (last < s->stopping)
		last = s->stopping;
	/* Until now nothing was read because there was no room. */
	if (last < s->resumed)
		last = s->resumed;
	return pipeline_full_since(s->running.pipeline) == 0 &&
	       (tcp_connections(s->tcp) == 0 || now >= last + STOP_QUIET_MS);
}

/*
 * Gives the connections away. What they have sent since is read first, for
 * there may be no next process. This is before we wait for the disk: if that
 * hangs until we are killed, at least they live on.
 */
static bool
hand_over(struct server *s)
{
	struct fdstore *store = fdstore_new();
	struct tcp_stored sum;
	bool given;

	if (store == NULL) {
		log_warn("connections cannot be kept over a restart");
		return false;
	}
	tcp_read_all(s->tcp);
	sum = tcp_store(s->tcp, store);
	given = fdstore_give(store);
	fdstore_free(store);
	if (!given) {
		log_warnx("the service manager does not keep %u connections, "
			  "so they end; raise FileDescriptorStoreMax in the "
			  "unit",
		    sum.connections);
		return false;
	}
	tcp_release(s->tcp);
	log_info("%u connections are kept by the service manager for the next "
		 "start, %u of them inside a message (%" PRIu64
		 " bytes of it here, which are lost if there is none)",
	    sum.connections, sum.unfinished, sum.bytes);
	if (tcp_connections(s->tcp) > tcp_sessions(s->tcp))
		log_warnx("%u connections are too many to be kept: they end",
		    tcp_connections(s->tcp) - tcp_sessions(s->tcp));
	return true;
}

static void
stop_tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	uint64_t now = clock_ms();

	(void)fd;
	(void)what;
	if (!is_silent(s, now) && now < s->stopping + STOP_LIMIT_MS)
		return;
	if (s->handing_over && !hand_over(s)) {
		say_goodbye(s);
		s->stopping = now;
		return;
	}
	event_base_loopbreak(s->base);
}

/* What was still waiting outside of the spool has no place to go. */
static bool
drop_waiting(struct server *s, struct spooler_end *end)
{
	end->datagrams = udp_pending(s->udp);
	end->bytes = tcp_finish(s->tcp);
	end->stored = s->counters.stored;

	s->counters.abandoned += end->datagrams;
	if (end->datagrams == 0 && end->bytes == 0)
		return true;
	log_warnx("no room to store %" PRIu64 " datagrams and %" PRIu64
		  " bytes of tcp that were read: lost",
	    end->datagrams, end->bytes);
	return false;
}

static bool
close_spool(struct server *s, const struct spooler_end *end)
{
	uint64_t lost, accepted;

	event_del(s->news); /* before its descriptor is closed */
	if (spooler_close(s->spooler, clock_ms(), end, &accepted))
		return true;
	lost = s->counters.stored - accepted;
	s->counters.abandoned += lost;
	if (lost > 0)
		log_warnx("spool: %" PRIu64 " lines had no room on the disk: "
			  "lost",
		    lost);
	log_warnx("spool: not all files could be published: the next start "
		  "does it");
	return false;
}

/* The spool's thread goes on making room. */
static bool
finish_rolled(struct server *s)
{
	const struct timespec moment = {.tv_nsec = 10 * 1000000};
	uint64_t until = clock_ms() + STOP_LIMIT_MS, lost;

	while (!pipeline_finish(s->running.pipeline) && clock_ms() < until)
		nanosleep(&moment, NULL);
	lost = pipeline_waiting(s->running.pipeline);
	if (lost == 0)
		return true;
	log_warnx("no room to store what %" PRIu64 " records were rolled up "
		  "to: lost; make room for the spool before stopping",
	    lost);
	s->counters.abandoned += lost;
	return false;
}

static bool
stop_end(struct server *s)
{
	struct report_view seen = view(s);
	struct spooler_end end = {0};
	bool rolled = finish_rolled(s);
	bool all = drop_waiting(s, &end) && rolled;

	end.last = audit_last(s->audit, clock_utc());
	all = close_spool(s, &end) && all;
	s->spooler = NULL;
	report_summary(&seen);
	return all;
}

/* --- events of the loop --- */

static void
rotate(struct server *s, bool all)
{
	/* Not while the spool's thread has the record side. */
	if (!s->waiting &&
	    spool_rotate(spooler_spool(s->spooler), clock_ms(), all))
		spooler_wake(s->spooler);
}

/* Not while a reload is under way: it has loaded them already. */
static void
look_at_credentials(struct server *s)
{
	uint64_t now = clock_ms();

	if (s->waiting || now < s->credentials_at)
		return;
	s->credentials_at = now + CREDENTIALS_MS;
	credentials_refresh(&s->running.credentials, &s->running.endpoints);
	credentials_warn(&s->running.credentials, time(NULL));
}

static void
tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	struct report_view seen = view(s);

	(void)fd;
	(void)what;
	rotate(s, false);
	each_endpoint(s, count_drops);
	audit_clock(s->audit, clock_utc());
	resume(s);
	tcp_tick(s->tcp);
	if (s->untold && is_steady(s))
		tell_ready(s);
	if (s->reload_again && is_steady(s))
		reload_begin(s);
	look_at_credentials(s);
	report_tick(&s->report, &seen, clock_ms());
	status_tick(s->status, clock_ms());
}

static void
watchdog_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	notify_watchdog();
}

static void
on_stop(struct server *s)
{
	s->stop_wanted = true;
	if (is_steady(s))
		stop_begin(s);
}

static void
on_reload(struct server *s)
{
	s->reload_again = true;
	if (is_steady(s))
		reload_begin(s);
}

static void
on_rotate(struct server *s)
{
	log_info("closing the files that are being written");
	rotate(s, true);
}

static const struct {
	int number;
	void (*handle)(struct server *s);
} signal_table[SIGNALS] = {
    {SIGTERM, on_stop},
    {SIGINT, on_stop},
    {SIGHUP, on_reload},
    {SIGUSR1, on_rotate},
};

static void
signal_cb(evutil_socket_t number, short what, void *arg)
{
	(void)what;
	for (size_t i = 0; i < SIGNALS; i++)
		if (signal_table[i].number == number)
			signal_table[i].handle(arg);
}

/* --- life --- */

static void
libevent_log_cb(int severity, const char *text)
{
	(severity >= EVENT_LOG_WARN ? log_warnx : log_debug)(
	    "libevent: %s", text);
}

static struct event_base *
base_new(void)
{
	struct event_config *options = event_config_new();
	struct event_base *base = NULL;

	event_set_log_callback(libevent_log_cb);
	if (options == NULL)
		return NULL;
	/* One thread uses it. */
	if (event_config_set_flag(options, EVENT_BASE_FLAG_NOLOCK) == 0)
		base = event_base_new_with_config(options);
	event_config_free(options);
	return base;
}

/* First of all: until then a signal would end us. */
static bool
watch_signals(struct server *s)
{
	for (size_t i = 0; i < SIGNALS; i++) {
		s->signals[i] =
		    evsignal_new(s->base, signal_table[i].number, signal_cb, s);
		if (s->signals[i] == NULL || event_add(s->signals[i], NULL) < 0)
			return false;
	}
	/* Errors of write say the same, where they can be handled. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	return true;
}

static bool
add_timers(struct server *s)
{
	uint64_t watchdog = notify_watchdog_interval() / 2;
	struct timeval second = interval(TICK_MS * 1000);
	struct timeval half = interval(watchdog);

	s->tick = event_new(s->base, -1, EV_PERSIST, tick_cb, s);
	s->stop_tick = event_new(s->base, -1, EV_PERSIST, stop_tick_cb, s);
	s->watchdog = event_new(s->base, -1, EV_PERSIST, watchdog_cb, s);
	s->news = event_new(
	    s->base, spooler_fd(s->spooler), EV_READ | EV_PERSIST, news_cb, s);
	if (s->tick == NULL || s->stop_tick == NULL || s->watchdog == NULL ||
	    s->news == NULL)
		return false;
	if (watchdog > 0 && event_add(s->watchdog, &half) < 0)
		return false;
	return event_add(s->tick, &second) == 0 &&
	       event_add(s->news, NULL) == 0;
}

/* Sockets that nobody listens to would swallow what is sent to them. */
static bool
all_are_used(const struct endpoints *passed, const struct endpoints *used)
{
	bool good = true;

	for (size_t i = 0; i < passed->count; i++) {
		if (endpoints_hold(used, passed->list[i]))
			continue;
		log_warnx("%s: handed over by the service manager, but not in "
			  "`listen`: add it there, or remove it from the "
			  "socket unit",
		    passed->list[i]->name);
		good = false;
	}
	return good;
}

static bool
build_first(struct server *s)
{
	struct endpoints passed;
	char why[TEXT];
	bool good;

	if (!endpoints_passed(
		&passed, &s->kept, &s->status_fd, why, sizeof why)) {
		log_warnx("%s", why);
		endpoints_close(&passed, NULL);
		return false;
	}
	good = candidate_build(
	    &s->running, s->origin, &passed, &s->counters, s->audit);
	if (good)
		good = all_are_used(&passed, &s->running.endpoints);
	endpoints_close(&passed, &s->running.endpoints);
	return good;
}

static bool
open_audit(struct server *s)
{
	const struct audit_hooks hooks = {minute_ending_cb, minute_offer_cb, s};

	s->audit = audit_new(&hooks, clock_utc());
	if (s->audit == NULL)
		log_warn("start");
	return s->audit != NULL;
}

static bool
open_spool(struct server *s)
{
	const struct config *config = s->running.config;
	char why[TEXT];

	s->spooler = spooler_open(
	    config, pipeline_line(config), clock_ms(), why, sizeof why);
	if (s->spooler == NULL) {
		log_warnx("%s: %s", config->spool.directory, why);
		return false;
	}
	pipeline_attach(s->running.pipeline, s->spooler, NULL);
	return true;
}

static bool
open_listeners(struct server *s)
{
	s->udp = udp_new(s->base, &s->counters, s->audit);
	s->tcp = tcp_new(s->base, &s->counters, s->audit);
	return s->udp != NULL && s->tcp != NULL &&
	       tcp_prepare(s->tcp, s->running.config);
}

static bool
open_status(struct server *s)
{
	char why[TEXT];

	s->status = status_new(s->base, s->running.config, s->status_fd,
	    look_cb, s, why, sizeof why);
	s->status_fd = -1; /* its own, now */
	if (s->status == NULL)
		log_warnx("%s", why);
	return s->status != NULL;
}

/*
 * The counters of the network that our sockets are in. In the service's own
 * network, which has none (PrivateNetwork=), the unit shows those of the host.
 */
static void
open_netstat(struct server *s)
{
	netstat_open(&s->netstat, endpoints_are_here(&s->running.endpoints)
				      ? "/proc/self/net"
				      : NETSTAT_OF_HOST);
}

/* What is wrong with it is no reason to refuse anything. */
static void
take_over(struct server *s)
{
	const char *wrong = fdstore_read(&s->kept);
	size_t open = 0, anew = 0;

	if (wrong != NULL)
		log_warnx("connections kept over the restart: %s", wrong);
	for (size_t i = 0; i < s->kept.conn_count; i++) {
		int fd = s->kept.conns[i];
		const struct handover_conn *state = fdstore_state(&s->kept, fd);

		if (!tcp_take_over(s->tcp, fd, state))
			continue;
		open++;
		anew += state == NULL;
	}
	s->counters.taken_over = open;
	s->counters.begun_anew = anew;
	if (s->kept.socket_count > 0)
		fdstore_forget();
	if (s->kept.conn_count > 0)
		log_info("%zu of %zu connections taken over from before the "
			 "restart",
		    open, s->kept.conn_count);
	if (anew > 0)
		log_warnx("of %zu of them it is not known where they stood: "
			  "a message that was cut there comes in two pieces",
		    anew);
	if (s->kept.unknown > 0)
		log_warnx("the service manager kept %zu descriptors of another "
			  "version of this program: closed",
		    s->kept.unknown);
	fdstore_clear(&s->kept);
}

/* Has it bound sockets itself, and may have to bind others? */
static bool
may_listen(const struct server *s)
{
	for (size_t i = 0; i < s->running.endpoints.count; i++)
		if (!s->running.endpoints.list[i]->passed)
			return true;
	return false;
}

/* Files before there is another thread, calls when there is. */
static bool
start_confined(struct server *s)
{
	if (!sandbox_files(s->origin->name, s->running.config))
		log_warn("files cannot be guarded by Landlock");
	if (!spooler_start(s->spooler))
		return false;
	if (!sandbox_calls(may_listen(s)))
		log_warn("system calls cannot be restricted by seccomp");
	return true;
}

struct server *
server_new(const struct origin *origin)
{
	struct server *s = calloc(1, sizeof *s);

	if (s == NULL) {
		log_warn("start");
		return NULL;
	}
	s->origin = origin;
	s->status_fd = -1;
	s->netstat = (struct netstat){-1, -1};
	s->base = base_new();
	if (s->base == NULL || !watch_signals(s)) {
		log_warnx("the event loop cannot be set up");
		goto fail;
	}
	if (!open_audit(s) || !build_first(s) || !open_spool(s) ||
	    !open_status(s))
		goto fail;
	open_netstat(s);
	if (!open_listeners(s) || !add_timers(s) || !start_confined(s)) {
		log_warn("start");
		goto fail;
	}
	return s;
fail:
	server_free(s);
	return NULL;
}

bool
server_run(struct server *s)
{
	struct report_view seen = view(s);
	bool all;

	put_in_force(s);
	candidate_apply(&s->running);
	log_listening(&s->running.endpoints, NULL);
	warn_if_open_to_all(&s->running);
	each_endpoint(s, attach);
	take_over(s);
	tell_ready(s);
	report_running(&s->report, &seen, clock_ms());
	event_base_dispatch(s->base);
	all = give_up_last_queues(s);
	return stop_end(s) && all;
}

static void
free_event(struct event *event)
{
	if (event != NULL)
		event_free(event);
}

void
server_free(struct server *s)
{
	struct spooler_end end = {0};
	uint64_t accepted;

	if (s->status_fd >= 0)
		close(s->status_fd);
	netstat_close(&s->netstat);
	status_free(s->status);
	tcp_free(s->tcp);
	udp_free(s->udp);
	free_event(s->news); /* before its descriptor is closed */
	if (s->spooler != NULL)
		spooler_close(s->spooler, clock_ms(), &end, &accepted);
	candidate_clear(&s->running, NULL);
	busiest_free(s->busiest);
	audit_free(s->audit);
	fdstore_clear(&s->kept);
	free_event(s->tick);
	free_event(s->stop_tick);
	free_event(s->watchdog);
	for (size_t i = 0; i < SIGNALS; i++)
		free_event(s->signals[i]);
	if (s->base != NULL)
		event_base_free(s->base);
	free(s);
}
