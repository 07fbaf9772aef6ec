#include "corpus.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_MESSAGE = 1400 }; /* fits a datagram on an Ethernet */

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define PICK(random, table) ((table)[below((random), COUNT(table))])

/* clang-format off */
static const char *const computers[] = {
	"LAPTOP", "DESKTOP", "PC-BRANCH", "SRV-FILE", "KIOSK", "VDI",
};
static const char *const remote_names[] = {
	"www.birch.example", "mail.birch.example", "cdn.oak.example",
	"sync.cloud-drive.example", "login.elm.example", "update.ash.example",
	"objects.eu-west.cloud.example", "ocsp.pine.example", "", "", "",
};
static const char *const applications[] = {
	"C:/Program Files/Birch Browser/Application/browser.exe",
	"C:/Program Files (x86)/Elm Office/root/Office16/mail.exe",
	"C:/Program Files (x86)/Elm Office/root/Office16/sheets.exe",
	"C:/Users/mwhite/AppData/Local/Cloud Drive/Client/drive-sync.exe",
	"C:/Users/alarsen/AppData/Local/Programs/Elm Teams/current/teams.exe",
	"C:\\Program Files\\Oak Backup\\Agent\\bin\\backup-agent.exe",
	"C:/ProgramData/Pine Support/session-4711/remote-help.exe",
	"C:/Windows/System32/svchost.exe", "C:/Windows/System32/lsass.exe",
	"C:/Windows/System32/spoolsv.exe", "SYSTEM", "",
};
static const char *const rules[] = {
	"Permit branch web", "Permit all other traffic and log",
	"Deny unknown cloud stores", "Permit name service",
	"Deny \"legacy\" tunnels", "Deny everything else and log",
	"Permit directory service from private addresses",
	"Printers only", "Deny file sharing with other networks",
};
static const char *const locations[] = {
	"Default", "Branch", "Inside the company network", "Remote - VPN",
	"Guest net", "Par d\303\251faut",
};
static const char *const users[] = {
	"mwhite", "alarsen", "j.o'neil", "k\303\266hler", "svc_backup",
	"SYSTEM", "none", "BIRCH\\pgrant",
};
static const char *const domains[] = {
	"BIRCH", "BIRCH-EMEA", "NT AUTHORITY", "WORKGROUP", "",
};
static const unsigned remote_ports[] = {
	443, 443, 443, 443, 80, 80, 53, 445, 389, 8080, 137, 3389, 5355,
};
/* Type and code stand in the places of the ports. */
static const unsigned icmp_numbers[][2] = {
	{ 8, 0 }, { 0, 0 }, { 3, 1 }, { 3, 3 }, { 11, 0 },
};
static const char months[][4] = {
	"Jan", "Feb", "Mar", "Apr", "May", "Jun",
	"Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
};
/* clang-format on */

/* What the messages are filled from; drawn anew for each. */
struct client {
	unsigned pri;
	unsigned month, day, hour, minute, second, year, lasted;
	char sepm[8], computer[32];
	char local_ip[16], remote_ip[16], local_mac[13], remote_mac[13];
	char begin[20], end[20], sha256[65], md5[33];
	unsigned local_port, remote_port, occurrences;
	const char *protocol, *direction, *action;
	const char *remote_name, *application, *rule, *location, *user, *domain;
};

/* xorshift64*: the same numbers everywhere, unlike random(3). */
static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

static unsigned
below(uint64_t *random, unsigned limit)
{
	return (unsigned)((next_random(random) >> 32) % limit);
}

static void
put_hex(uint64_t *random, char *out, size_t digits)
{
	for (size_t i = 0; i < digits; i++)
		out[i] = "0123456789ABCDEF"[below(random, 16)];
	out[digits] = '\0';
}

/* The remainders show the compiler that it fits. */
static void
put_time(const struct client *c, unsigned second, char out[static 20])
{
	snprintf(out, 20, "%04u-%02u-%02u %02u:%02u:%02u", c->year % 10000,
	    c->month % 100, c->day % 100, c->hour % 100, c->minute % 100,
	    second % 100);
}

static void
draw_times(struct client *c, uint64_t *random)
{
	c->year = 2016 + below(random, 9);
	c->month = 1 + below(random, 12);
	c->day = 1 + below(random, 28);
	c->hour = below(random, 24);
	c->minute = below(random, 60);
	c->second = below(random, 50);
	put_time(c, c->second, c->begin);
	put_time(c, c->second + below(random, 10), c->end);
}

/* 10.0.0.0/8 for clients; the other side is in 198.18.0.0/15, which RFC 2544
 * sets aside for this. */
static void
draw_addresses(struct client *c, uint64_t *random)
{
	snprintf(c->local_ip, sizeof c->local_ip, "10.%u.%u.%u",
	    below(random, 256), below(random, 256), 1 + below(random, 254));
	snprintf(c->remote_ip, sizeof c->remote_ip, "198.%u.%u.%u",
	    18 + below(random, 2), below(random, 256), 1 + below(random, 254));
	put_hex(random, c->local_mac, 12);
	put_hex(random, c->remote_mac, 12);
	c->local_port = 1024 + below(random, 64512);
	c->remote_port = PICK(random, remote_ports);
	c->remote_name = PICK(random, remote_names);
}

static void
draw_protocol(struct client *c, uint64_t *random)
{
	unsigned of_ten = below(random, 10);

	c->protocol = of_ten < 7 ? "TCP" : of_ten < 9 ? "UDP" : "ICMP";
	if (of_ten == 9) {
		const unsigned *pair = PICK(random, icmp_numbers);

		c->local_port = pair[0];
		c->remote_port = pair[1];
	}
	c->direction = below(random, 4) > 0 ? "Outbound" : "Inbound";
	c->action = below(random, 5) > 0 ? "Allowed" : "Blocked";
	c->occurrences = below(random, 4) > 0 ? 1 : 1 + below(random, 40);
}

/* An application has its hashes in most records, not in all. */
static void
draw_application(struct client *c, uint64_t *random)
{
	c->application = PICK(random, applications);
	c->sha256[0] = c->md5[0] = '\0';
	if (c->application[0] == '\0' || below(random, 4) == 0)
		return;
	put_hex(random, c->sha256, 64);
	if (below(random, 2) == 0)
		put_hex(random, c->md5, 32);
}

static void
draw_client(struct client *c, uint64_t *random, size_t number)
{
	c->pri = 48 + below(random, 8);
	snprintf(c->sepm, sizeof c->sepm, "SEPM%02u", 1 + below(random, 8));
	snprintf(c->computer, sizeof c->computer, "%s" CORPUS_MARK "%0*zu",
	    PICK(random, computers), CORPUS_DIGITS, number);
	draw_times(c, random);
	draw_addresses(c, random);
	draw_protocol(c, random);
	draw_application(c, random);
	c->rule = PICK(random, rules);
	c->location = PICK(random, locations);
	c->user = PICK(random, users);
	c->domain = PICK(random, domains);
}

static int
put_header(const struct client *c, char *out, size_t room)
{
	return snprintf(out, room,
	    "<%u>%s %2u %02u:%02u:%02u %s SymantecServer: ", c->pri,
	    months[c->month - 1], c->day, c->hour, c->minute, c->second,
	    c->sepm);
}

static int
put_traffic_old(const struct client *c, char *out, size_t room)
{
	return snprintf(out, room,
	    "%s,Local: %s,Local: %u,Local: %s,Remote: %s,Remote: %s,"
	    "Remote: %u,Remote: %s,%s,%s,Begin: %s,End: %s,Occurrences: %u,"
	    "Application: %s,Rule: %s,Location: %s,User: %s,Domain: %s,"
	    "Action: %s",
	    c->computer, c->local_ip, c->local_port, c->local_mac, c->remote_ip,
	    c->remote_name, c->remote_port, c->remote_mac, c->protocol,
	    c->direction, c->begin, c->end, c->occurrences, c->application,
	    c->rule, c->location, c->user, c->domain, c->action);
}

static int
put_traffic_new(const struct client *c, char *out, size_t room)
{
	return snprintf(out, room,
	    "%s,Local Host IP: %s,Local Port: %u,Local Host MAC: %s,"
	    "Remote Host IP: %s,Remote Host Name: %s,Remote Port: %u,"
	    "Remote Host MAC: %s,%s,%s,Begin: %s,End Time: %s,Occurrences: %u,"
	    "Application: %s,Rule: %s,Location: %s,User Name: %s,"
	    "Domain Name: %s,Action: %s,SHA-256: %s,MD-5: %s",
	    c->computer, c->local_ip, c->local_port, c->local_mac, c->remote_ip,
	    c->remote_name, c->remote_port, c->remote_mac, c->protocol,
	    c->direction, c->begin, c->end, c->occurrences, c->application,
	    c->rule, c->location, c->user, c->domain, c->action, c->sha256,
	    c->md5);
}

static int
put_admin(const struct client *c, char *out, size_t room)
{
	return snprintf(out, room,
	    "Site: Oak Site,Server Name: %s,Domain Name: Default,"
	    "Admin: admin-%s,Event Description: Administrator log on succeeded",
	    c->sepm, c->computer);
}

static int
put_server_system(const struct client *c, char *out, size_t room)
{
	return snprintf(out, room,
	    "Site: Oak Site,Server Name: %s,"
	    "Event Description: Package for %s is ready",
	    c->sepm, c->computer);
}

static int
put_security(const struct client *c, char *out, size_t room)
{
	return snprintf(out, room,
	    "%s,Event Description: ARP cache was poisoned,Event Type: ,"
	    "Local Host IP: %s,Local Host MAC: %s,Remote Host Name: ,"
	    "Remote Host IP: %s,Remote Host MAC: %s,Inbound,Unknown,,"
	    "Begin: %s,End Time: %s,Occurrences: %u,Application: %s,"
	    "Location: %s,User Name: %s,Domain Name: %s,Local Port: 0,"
	    "Remote Port: 0,CIDS Signature ID: 99990,"
	    "CIDS Signature string: ARP cache was poisoned,"
	    "CIDS Signature SubID: 0,Intrusion URL: ,Intrusion Payload URL: ,"
	    "SHA-256: ,MD-5: ,Intensive Protection Level: N/A,URL Risk: N/A,"
	    "URL Category: N/A,Correlation ID: 0",
	    c->computer, c->local_ip, c->local_mac, c->remote_ip, c->remote_mac,
	    c->begin, c->end, c->occurrences, c->application, c->location,
	    c->user, c->domain);
}

static int
put_risk(const struct client *c, char *out, size_t room)
{
	return snprintf(out, room,
	    "Virus found,IP Address: %s,Computer name: %s,"
	    "Source: Auto-Protect scan,Risk name: Test.Sample.1,"
	    "Occurrences: 1,File path: C:\\Users\\%u\\toy.exe,Description: ,"
	    "Actual action: Quarantined,Requested action: Cleaned,"
	    "Secondary action: Left alone,Event time: %s,"
	    "Event Insert Time: %s,End Time: %s,Last update time: %s,"
	    "Domain Name: Default,Group Name: Our Company\\Roaming,"
	    "Server Name: %s,User Name: %s,Source Computer Name: ,"
	    "Source Computer IP: 0.0.0.0",
	    c->local_ip, c->computer, c->local_port, c->begin, c->end, c->begin,
	    c->end, c->sepm, c->user);
}

static int
put_agent_system(const struct client *c, char *out, size_t room)
{
	return snprintf(out, room,
	    "%s,Category: 0,Smc,Event Description: Connected to the management "
	    "server (%s),Event time: %s,Group Name: Our Company\\Roaming",
	    c->computer, c->remote_ip, c->begin);
}

typedef int put_body(const struct client *c, char *out, size_t room);

static put_body *const other_bodies[] = {
    put_admin, put_server_system, put_security, put_risk, put_agent_system};

static put_body *
draw_body(uint64_t *random)
{
	unsigned of_forty = below(random, 40);

	if (of_forty < 19)
		return put_traffic_old;
	if (of_forty < 38)
		return put_traffic_new;
	return PICK(random, other_bodies);
}

/* Writes a message and answers its length. */
static size_t
put_message(uint64_t *random, size_t number, char out[static MAX_MESSAGE])
{
	struct client client;
	int header, body;

	draw_client(&client, random, number);
	header = put_header(&client, out, MAX_MESSAGE);
	body = draw_body(random)(
	    &client, out + header, MAX_MESSAGE - (size_t)header);
	if (header + body >= MAX_MESSAGE)
		errx(3, "a message of the corpus is too long");
	return (size_t)(header + body);
}

/* Frames the message at `out` and answers the size of the frame. */
static size_t
put_frame(
    enum corpus_framing framing, const char *message, size_t length, char *out)
{
	size_t at = 0;

	if (framing == CORPUS_COUNTED)
		at = (size_t)sprintf(out, "%zu ", length);
	memcpy(out + at, message, length);
	at += length;
	if (framing == CORPUS_LF)
		out[at++] = '\n';
	return at;
}

void
corpus_init(struct corpus *corpus, size_t count, enum corpus_framing framing)
{
	const size_t count_room = sizeof "1400 ";
	char text[MAX_MESSAGE];
	uint64_t random = 1;
	char *at;

	corpus->count = count;
	corpus->message = calloc(count, sizeof *corpus->message);
	corpus->bytes = calloc(count, MAX_MESSAGE + count_room);
	if (corpus->message == NULL || corpus->bytes == NULL)
		err(3, "corpus");
	at = corpus->bytes;
	for (size_t i = 0; i < count; i++) {
		size_t length = put_message(&random, i, text);
		size_t size = put_frame(framing, text, length, at);
		char *mark =
		    memmem(at, size, CORPUS_MARK, sizeof CORPUS_MARK - 1);

		corpus->message[i] = (struct corpus_message){
		    at, size, mark + sizeof CORPUS_MARK - 1};
		at += size;
	}
}

void
corpus_clear(struct corpus *corpus)
{
	free(corpus->message);
	free(corpus->bytes);
}

void
corpus_number(struct corpus_message *message, uint64_t number)
{
	for (int i = CORPUS_DIGITS - 1; i >= 0; i--) {
		message->number[i] = (char)('0' + number % 10);
		number /= 10;
	}
}
