#include "status.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "page.h"
#include "show.h"

enum {
	TIMEOUT = 5,         /* s without a byte of a request or its answer */
	LIFETIME_MS = 15000, /* that all of it may take */
	HEADERS = 4096,      /* bytes of a request */
	ROOM = 64 * 1024,    /* bytes of input, more than HEADERS */
	WINDOW_MS = 5000,    /* in which at most ... */
	REQUESTS = 64,       /* ... so many connections are accepted */
	OPEN = 64,           /* connections at a time */
	MISDIRECTED = 421,   /* RFC 9110 15.5.20 */
};

/* A connection. It is evhttp's, which has no limit for them, and does not say
 * when it lets one go: so its socket is kept until that has been seen. */
struct visit {
	struct bufferevent *bev; /* a reference, or NULL */
	uint64_t since;          /* monotonic ms */
};

struct status {
	status_look_cb *look;
	void *arg;
	struct evhttp *http; /* NULL: nobody can ask */
	struct evconnlistener *listener;
	char *listen;
	uint64_t started, window; /* monotonic ms */
	unsigned accepted;        /* in this window */
	struct visit visit[OPEN];
	struct audit_sum sum; /* when last looked at */
	struct history history;
	struct status_flows flows;
	uint64_t looked; /* monotonic ms */
};

/* --- what is asked for --- */

static void
show_ready(const struct show *show, struct evbuffer *out)
{
	const char *trouble = show_trouble(show);

	evbuffer_add_printf(out, "%s\n", trouble != NULL ? trouble : "ready");
}

static void
show_health(const struct show *show, struct evbuffer *out)
{
	(void)show;
	evbuffer_add_printf(out, "ok\n");
}

static void
put_style(const struct show *show, struct evbuffer *out)
{
	(void)show;
	evbuffer_add(out, page_style, strlen(page_style));
}

static void
put_script(const struct show *show, struct evbuffer *out)
{
	(void)show;
	evbuffer_add(out, show_script, strlen(show_script));
}

static const struct route {
	const char *path, *type;
	void (*show)(const struct show *show, struct evbuffer *out);
} routes[] = {
    {"/", "text/html; charset=utf-8", show_page},
    {"/live", "text/html; charset=utf-8", show_live},
    {"/page.css", "text/css; charset=utf-8", put_style},
    {"/page.js", "text/javascript; charset=utf-8", put_script},
    {"/history.json", "application/json", show_history},
    {"/status.json", "application/json", show_json},
    {"/status.txt", "text/plain; charset=utf-8", show_text},
    {"/warnings.txt", "text/plain; charset=utf-8", show_troubles},
    {"/metrics", "text/plain; version=0.0.4; charset=utf-8", show_metrics},
    {"/healthz", "text/plain; charset=utf-8", show_health},
    {"/readyz", "text/plain; charset=utf-8", show_ready},
};

static const struct route *
route_of(const char *path)
{
	for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
		if (path != NULL && strcmp(path, routes[i].path) == 0)
			return &routes[i];
	return NULL;
}

static void
add_headers(struct evhttp_request *request, const char *type)
{
	static const char *const fixed[][2] = {
	    /* each connection ends: so their number has a bound */
	    {"Connection", "close"},
	    {"Cache-Control", "no-store"},
	    {"X-Content-Type-Options", "nosniff"},
	    {"X-Frame-Options", "DENY"},
	    {"Referrer-Policy", "no-referrer"},
	    {"Cross-Origin-Resource-Policy", "same-origin"},
	    {"Content-Security-Policy",
		"default-src 'none'; script-src 'self'; style-src 'self'; "
		"connect-src 'self'; base-uri 'none'; form-action 'none'; "
		"frame-ancestors 'none'"},
	};
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);

	for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
		evhttp_add_header(headers, fixed[i][0], fixed[i][1]);
	evhttp_add_header(headers, "Content-Type", type);
}

static void
look(const struct status *s, struct status_view *view, struct show *show)
{
	s->look(s->arg, view);
	*show = (struct show){
	    .view = view,
	    .history = &s->history,
	    .flows = &s->flows,
	    .now = clock_utc(),
	    .monotonic = clock_ms(),
	    .uptime = (clock_ms() - s->started) / 1000,
	    .sum = s->sum,
	};
	spool_status(view->spool, &show->spool);
	if (view->vaulter != NULL)
		vaulter_status(view->vaulter, &show->vault);
}

static void
answer(const struct status *s, struct evhttp_request *request,
    const struct route *route, struct evbuffer *out)
{
	struct status_view view;
	struct show show;
	int code = HTTP_OK;

	look(s, &view, &show);
	show.has_uploads =
	    deliveries_read(view.config->spool.directory, &show.uploads);
	route->show(&show, out);
	if (route->show == show_ready && show_trouble(&show) != NULL)
		code = HTTP_SERVUNAVAIL;
	add_headers(request, route->type);
	evhttp_send_reply(request, code, NULL, out);
}

/* Only by address or as localhost: a name that an attacker's page is loaded
 * from may lead here, too (DNS rebinding), also to a socket's end of a tunnel.
 */
static bool
is_for_us(struct evhttp_request *request)
{
	const char *host = evhttp_find_header(
	    evhttp_request_get_input_headers(request), "Host");
	size_t n;

	if (host == NULL)
		return true;
	n = strspn(host, "0123456789.");
	if (n == 0 && host[0] == '[')
		n = strcspn(host, "]") + 1;
	if (n == 0 && strncasecmp(host, "localhost", 9) == 0)
		n = 9;
	return n > 0 && n <= strlen(host) &&
	       (host[n] == '\0' || host[n] == ':');
}

static void
refuse(struct evhttp_request *request, int code, const char *why,
    struct evbuffer *out)
{
	add_headers(request, "text/plain; charset=utf-8");
	evbuffer_add_printf(out, "%s\n", why);
	evhttp_send_reply(request, code, NULL, out);
}

static void
request_cb(struct evhttp_request *request, void *arg)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	const struct route *route =
	    route_of(uri != NULL ? evhttp_uri_get_path(uri) : NULL);
	struct evbuffer *out = evbuffer_new();

	if (out == NULL)
		evhttp_send_error(request, HTTP_INTERNAL, NULL);
	else if (!is_for_us(request))
		refuse(request, MISDIRECTED,
		    "ask by address or as localhost; a proxy has to set Host "
		    "so",
		    out);
	else if (route == NULL)
		refuse(request, HTTP_NOTFOUND, "there is no such page; see /",
		    out);
	else
		answer(arg, request, route, out);
	if (out != NULL)
		evbuffer_free(out);
}

/* --- connections --- */

/* evhttp takes its callbacks away when it lets go of one. */
static bool
is_over(struct bufferevent *bev)
{
	bufferevent_event_cb on_event;

	bufferevent_getcb(bev, NULL, NULL, &on_event, NULL);
	return on_event == NULL;
}

/* Closes those that are over, and ends those that take too long, a byte at a
 * time. Answers how many more may come. */
static unsigned
tidy_visits(struct status *s, uint64_t now)
{
	unsigned room = 0;

	for (size_t i = 0; i < OPEN; i++) {
		struct visit *v = &s->visit[i];

		if (v->bev != NULL && is_over(v->bev)) {
			bufferevent_decref(v->bev);
			v->bev = NULL;
		}
		if (v->bev == NULL)
			room++;
		else if (now >= v->since + LIFETIME_MS)
			shutdown(bufferevent_getfd(v->bev), SHUT_RDWR);
	}
	return room;
}

static void
remember_visit(struct status *s, struct bufferevent *bev, uint64_t now)
{
	for (size_t i = 0; i < OPEN; i++) {
		if (s->visit[i].bev != NULL)
			continue;
		bufferevent_incref(bev);
		s->visit[i] = (struct visit){bev, now};
		return;
	}
}

/* A new one. When there were too many of late, or are now, others wait in the
 * queue. */
static struct bufferevent *
accepted_cb(struct event_base *base, void *arg)
{
	struct status *s = arg;
	/* the socket is closed after its events are gone, not by evhttp */
	struct bufferevent *bev =
	    bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	uint64_t now = clock_ms();

	if (tidy_visits(s, now) <= 1 || ++s->accepted >= REQUESTS)
		evconnlistener_disable(s->listener);
	if (bev == NULL)
		return NULL;
	/* what comes when it is over is not read without limit */
	bufferevent_setwatermark(bev, EV_READ, 0, ROOM);
	remember_visit(s, bev, now);
	return bev;
}

static void
turn_window(struct status *s, uint64_t now)
{
	if (s->http == NULL)
		return;
	if (now >= s->window + WINDOW_MS) {
		s->window = now;
		s->accepted = 0;
	}
	if (tidy_visits(s, now) > 0 && s->accepted < REQUESTS)
		evconnlistener_enable(s->listener);
}

/* --- the socket --- */

/* One that an earlier process left; nothing else is ever removed. */
static void
remove_stale(const struct sockaddr_un *address)
{
	struct stat st;
	int fd;

	if (lstat(address->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return;
	/* not blocking: the other one may hang, its queue full */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)(const void *)address,
		sizeof *address) < 0 &&
	    errno == ECONNREFUSED)
		unlink(address->sun_path);
	close(fd);
}

static bool
bind_to(int fd, const struct config_status *where)
{
	mode_t before = umask(0117); /* others have no business there */
	const int on = 1;
	bool good;

	if (where->addr.ss_family == AF_UNIX)
		remove_stale((const void *)&where->addr);
	else
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	good = bind(fd, (const struct sockaddr *)(const void *)&where->addr,
		   where->addr_len) == 0 &&
	       listen(fd, REQUESTS) == 0;
	umask(before);
	return good;
}

static int
open_socket(const struct config_status *where, char *why, size_t size)
{
	int fd = socket(where->addr.ss_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && bind_to(fd, where))
		return fd;
	snprintf(why, size, "status: %s: %s; give another one as status.listen",
	    where->listen, strerrordesc_np(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool
same_place(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_un *ua = (const void *)a, *ub = (const void *)b;

	if (a->ss_family != AF_UNIX || b->ss_family != AF_UNIX)
		return endpoint_same_address(a, b);
	return strncmp(ua->sun_path, ub->sun_path, sizeof ua->sun_path) == 0;
}

/* Like the sockets of senders: it must be the one that the configuration asks
 * for. */
static bool
is_wanted(int passed, const struct config_status *where, char *why, size_t size)
{
	struct sockaddr_storage at = {0};
	socklen_t n = sizeof at;

	if (where->listen != NULL &&
	    getsockname(passed, (struct sockaddr *)(void *)&at, &n) == 0 &&
	    same_place(&at, &where->addr))
		return true;
	snprintf(why, size,
	    "status: the socket handed over by the service manager is not at "
	    "%s: let status.listen and ListenStream= of sepmlogd-status.socket "
	    "be the same, or disable that unit",
	    where->listen != NULL ? where->listen
				  : "status.listen, which is not set");
	return false;
}

static bool
serve(struct status *s, struct event_base *base, int fd)
{
	struct evhttp_bound_socket *bound;

	s->http = evhttp_new(base);
	if (s->http == NULL) {
		close(fd);
		return false;
	}
	evhttp_set_timeout(s->http, TIMEOUT);
	evhttp_set_max_headers_size(s->http, HEADERS);
	evhttp_set_max_body_size(s->http, 0);
	evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_gencb(s->http, request_cb, s);
	evhttp_set_bevcb(s->http, accepted_cb, s);
	bound = evhttp_accept_socket_with_handle(s->http, fd);
	if (bound == NULL) {
		close(fd);
		return false;
	}
	s->listener = evhttp_bound_socket_get_listener(bound);
	return true;
}

/* --- life --- */

/* The socket to listen at, or -1. */
static int
find_socket(
    const struct config_status *where, int passed, char *why, size_t size)
{
	if (passed < 0)
		return open_socket(where, why, size);
	if (is_wanted(passed, where, why, size))
		return passed;
	close(passed);
	return -1;
}

struct status *
status_new(struct event_base *base, const struct config *config, int passed,
    status_look_cb *look_cb, void *arg, char *why, size_t size)
{
	const struct config_status *where = &config->status;
	struct status *s = calloc(1, sizeof *s);
	int fd;

	snprintf(why, size, "status: no memory");
	if (s == NULL) {
		if (passed >= 0)
			close(passed);
		return NULL;
	}
	s->look = look_cb;
	s->arg = arg;
	s->started = s->window = s->looked = clock_ms();
	history_init(&s->history);
	if (where->listen == NULL && passed < 0)
		return s;
	fd = find_socket(where, passed, why, size);
	s->listen = fd >= 0 ? strdup(where->listen) : NULL;
	if (s->listen != NULL && serve(s, base, fd))
		return s;
	status_free(s);
	return NULL;
}

void
status_free(struct status *s)
{
	if (s == NULL)
		return;
	if (s->http != NULL)
		evhttp_free(s->http);
	for (size_t i = 0; i < OPEN; i++)
		if (s->visit[i].bev != NULL)
			bufferevent_decref(s->visit[i].bev);
	free(s->listen);
	free(s);
}

static void
look_at_flow(
    struct status_flow *flow, uint64_t messages, uint64_t bytes, double seconds)
{
	flow_look(&flow->messages, messages, seconds);
	flow_look(&flow->bytes, bytes, seconds);
}

static void
look_at_flows(struct status *s, const struct status_view *view, uint64_t now)
{
	double seconds = (double)(now - s->looked) / 1e3;
	const struct counters_type *types = view->counters->types;

	for (size_t i = 0; i < RECORD_TYPE_COUNT; i++)
		look_at_flow(&s->flows.type[i], types[i].messages,
		    types[i].bytes, seconds);
	for (size_t i = 0; i < view->config->stream_count; i++)
		look_at_flow(&s->flows.stream[i],
		    pipeline_stored(view->pipeline, i),
		    pipeline_written(view->pipeline, i), seconds);
	s->looked = now;
}

void
status_tick(struct status *s, uint64_t now)
{
	struct status_view view;
	struct show show;
	struct history_point sums;
	const struct counters *c;

	look(s, &view, &show);
	audit_look(view.audit, show.now, &s->sum);
	c = view.counters;
	sums = (struct history_point){
	    .messages = c->udp + c->tcp + c->tls,
	    .bytes = s->sum.bytes,
	    .stored = c->stored,
	    .unparsed = c->unparsed,
	    .drops = c->kernel_drops,
	    .losses = counters_losses(c),
	    .cut = c->truncated,
	    .unended = c->unterminated + c->frame_timeouts,
	    .no_ports = view.no_ports,
	};
	for (size_t i = 0; i < LATENCY_BUCKETS; i++)
		sums.commits[i] = (uint32_t)view.latency.count[i];
	history_add(&s->history, &sums, now);
	look_at_flows(s, &view, now);
	turn_window(s, now);
}

const char *
status_objection(const struct status *s, const struct config *config)
{
	const char *now = s->listen != NULL ? s->listen : "";
	const char *then =
	    config->status.listen != NULL ? config->status.listen : "";

	return strcmp(now, then) == 0
		   ? NULL
		   : "status.listen cannot change without a restart";
}
