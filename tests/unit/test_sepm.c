#include <check.h>
#include <stdlib.h>

#include "guard.h"
#include "run.h"
#include "sepm.h"
#include "testing.h"

static struct sepm_labels labels;
static struct sepm_context context;
static struct sepm_body body;
static struct timestamp_date date;
static struct record record;
static struct arena arena;

static void
setup(void)
{
	ck_assert(arena_init(&arena, 1 << 20));
	sepm_labels_init(&labels);
	context = (struct sepm_context){
	    .arena = &arena,
	    .labels = &labels,
	    .clock = {zone_utc(), NULL, &date, 0},
	    .tagged = true,
	};
}

static void
teardown(void)
{
	arena_clear(&arena);
}

static const char *
parse(struct span text)
{
	const char *reason;

	record_reset(&record);
	arena_reset(&arena);
	reason = sepm_parse(&body, text, &context, &record);
	ck_assert_int_eq(reason != NULL, record.type == RECORD_UNPARSED);
	return reason;
}

/* Nothing but the lines of `expected` without a `!`. */
static void
expect_nothing_else(const char *expected)
{
	static struct testing_text value;
	struct span rest = span_str(expected);
	unsigned lines = 0, present = 0;

	for (; rest.n > 0; rest = span_skip(rest, span_find(rest, '\n') + 1))
		lines += span_at(rest, 0) != '!';
	for (size_t f = 0; f < RECORD_FIELD_COUNT; f++) {
		if (!record_has(&record, (enum record_field)f))
			continue;
		present++;
		testing_value(&record, (enum record_field)f, &value);
		ck_assert_msg(memmem(expected, strlen(expected),
				  record_field_info[f].key.p,
				  record_field_info[f].key.n) != NULL,
		    "%s=%s", record_field_info[f].key.p, value.p);
	}
	ck_assert_uint_eq(present, lines);
}

/* --- splitting --- */

/* The fields as text: `[label=value]`, `[label?value]` when nobody knows the
 * label, `[value]` when there is none. */
struct split {
	const char *text, *fields;
};

static const struct split splits[] = {
    {"a", "[a]"},
    {"a,b,,c", "[a][b][][c]"},
    {"a,", "[a][]"},
    {",", "[][]"},
    {" a , b\t", "[a][b]"},
    {"Rule: a", "[Rule=a]"},
    {"Rule:a", "[Rule=a]"},
    {"Rule:", "[Rule=]"},
    {"Rule : a", "[Rule=a]"},
    {"Rule\u00a0: a", "[Rule=a]"},
    {" \u00a0Rule:\u00a0a\u00a0", "[Rule=a]"},
    {"rule: a", "[rule=a]"},
    {"Rule: a  b ", "[Rule=a  b]"},
    {"Rule: a:b", "[Rule=a:b]"},
    {"Rule: Action: Blocked", "[Rule=Action: Blocked]"},
    {"Rule: a,Action: Blocked", "[Rule=a][Action=Blocked]"},
    /* labels without their colon, in the security log */
    {"Local Port 443,Remote Port 80", "[Local Port=443][Remote Port=80]"},
    {"Local Port x,Local Portal 4", "[Local Port x][Local Portal 4]"},
    /* a label that nobody knows */
    {"Tenant: east", "[Tenant?east]"},
    {"Rule Serial: 7", "[Rule Serial?7]"},
    {"Note (old): 7", "[Note (old)?7]"},
    {"Étage: 7", "[Étage?7]"},
    {"Tenant:", "[Tenant?]"},
    /* no label: lower case, a digit, a path, an address, a long text */
    {"tenant: east", "[tenant: east]"},
    {"7th: east", "[7th: east]"},
    {"C:/a", "[C:/a]"},
    {"C: a", "[C: a]"},
    {"Drive:/a", "[Drive:/a]"},
    {"Http://a", "[Http://a]"},
    {"fe80::1", "[fe80::1]"},
    {"[SID: 7] x", "[[SID: 7] x]"},
    {"Mwhite;PC: x", "[Mwhite;PC: x]"},
    {"A text that is too long for being a label: x",
	"[A text that is too long for being a label: x]"},
    {"12:30:11", "[12:30:11]"},
    /* a field in quotes */
    {"\"Rule: a, b\",c", "[Rule=a, b][c]"},
    {"a, \"Rule: b, c\",d", "[a][Rule=b, c][d]"},
    {"\"Rule: a, b\" ,c", "[Rule=a, b][c]"},
    {"\"a, b\"", "[a, b]"},
    {"\"\"", "[]"},
    {"\"\",a", "[][a]"},
    {"\"Rule: a \"\"b\"\", c\",d", "[Rule=a \"b\", c][d]"},
    {"\"Rule: \"\"b\"\"\",d", "[Rule=\"b\"][d]"},
    {"\"Rule: a\"\"\",d", "[Rule=a\"][d]"},
    {"\"\"\"\",d", "[\"][d]"},
    {"\"Rule: a \"b\", c\",d", "[Rule=a \"b][c\"][d]"},
    {"\"Rule: a \"b\" c, d\",e", "[Rule=a \"b\" c, d][e]"},
    /* a backslash is no escape */
    {"\"Rule: a, b\\\",c", "[Rule=a, b\\][c]"},
    {"\"Rule: a\\\"\",b", "[\"Rule: a\\\"\"][b]"},
    /* a quote that is never closed is a character */
    {"\"Rule: a, b,c", "[\"Rule: a][b][c]"},
    {"Rule: \"a, b,c", "[Rule=\"a][b][c]"},
    {"Rule: 5\" disk,Location: b", "[Rule=5\" disk][Location=b]"},
    {"\"\"\"\"Name\"\",a", "[\"\"\"\"Name\"\"][a]"},
    /* quotes around the value only */
    {"Rule: \"a, b\",c", "[Rule=a, b][c]"},
    {"Rule:\"a, b\",c", "[Rule=a, b][c]"},
    {"Rule: \"a, b\" ,c", "[Rule=a, b][c]"},
    {"Rule: \"\",c", "[Rule=][c]"},
    {"Rule: \"a\" b,c", "[Rule=\"a\" b][c]"},
    {"Rule: \"a\" b, \"c\",d", "[Rule=\"a\" b][c][d]"},
    {"Rule: a \"b, c\",d", "[Rule=a \"b][c\"][d]"},
    {"Rule: \"a \"\"b\"\", c\",d", "[Rule=a \"b\", c][d]"},
    /* single quotes protect nothing */
    {"'a, b',c", "['a][b'][c]"},
    /* a stray quote at the very end */
    {"a,MD-5: \"", "[a][MD-5=]"},
    {"a,MD-5: x\"", "[a][MD-5=x]"},
    {"Rule: a \"b\"", "[Rule=a \"b\"]"},
    /* two styles of blanks in one record, as the label's blank tells */
    {"Rule:a,Note:b", "[Rule=a][Note?b]"},
    {"Rule: a,Note:b", "[Rule=a][Note:b]"},
    {"Rule:a,Note://b", "[Rule=a][Note://b]"},
};

static const char *
fields_text(struct testing_text *t)
{
	*t = (struct testing_text){.n = 0};
	for (size_t i = 0; i < body.count; i++) {
		const struct sepm_piece *piece = &body.piece[i];

		testing_add(t, SPAN("["));
		testing_add(t, piece->label);
		if (piece->id != SEPM_NO_LABEL)
			testing_add(t, piece->id == SEPM_CANDIDATE ? SPAN("?")
								   : SPAN("="));
		testing_add(t, piece->value);
		testing_add(t, SPAN("]"));
	}
	return t->p;
}

START_TEST(fields_are_split_as_sepm_quotes_them)
{
	static struct testing_text got;

	body.context = &context;
	sepm_split(&body, span_str(splits[_i].text));
	ck_assert_str_eq(fields_text(&got), splits[_i].fields);
}
END_TEST

START_TEST(the_last_field_takes_what_is_too_much)
{
	char text[1024];

	memset(text, ',', sizeof(text));
	memcpy(text, "Rule: a", 7);
	body.context = &context;
	for (size_t n = 300; n < sizeof(text); n += 331) {
		sepm_split(&body, span_of(text, n));
		ck_assert_uint_eq(body.count, SEPM_MAX_PIECES);
		ck_assert_ptr_eq(
		    span_end(body.piece[SEPM_MAX_PIECES - 1].raw), text + n);
	}
}
END_TEST

/* --- the traffic log, every version --- */

#define LOCAL                                                                  \
	"Local Host IP: 192.0.2.47,Local Port: 53500,"                         \
	"Local Host MAC: 00005E005301,"
#define REMOTE                                                                 \
	"Remote Host IP: 198.51.100.20,Remote Host Name: web.example,"         \
	"Remote Port: 443,Remote Host MAC: 00005E0053FE,"
#define OLD_ENDS                                                               \
	"Local: 192.0.2.47,Local: 53500,Local: 00005E005301,"                  \
	"Remote: 198.51.100.20,Remote: web.example,Remote: 443,"               \
	"Remote: 00005E0053FE,"
#define TIMES                                                                  \
	"Begin: 2024-05-14 10:05:00,End Time: 2024-05-14 10:05:01,"            \
	"Occurrences: 3,"
#define OLD_TIMES                                                              \
	"Begin: 2024-05-14 10:05:00,End: 2024-05-14 10:05:01,Occurrences: 3,"
#define APPLICATION "Application: C:/Tools/a.exe,"
#define RULE "Rule: Permit web,"
#define PLACE "Location: Branch,User Name: mwhite,Domain Name: BIRCH,"
#define OLD_PLACE "Location: Branch,User: mwhite,Domain: BIRCH,"
#define HASHES                                                                 \
	"SHA-256: "                                                            \
	"A7D1C3F05B9E4826D0F7B3A15C8E9264F1D03B7A5E6C4982B0D7F3E1A59C8640,"    \
	"MD-5: 5C8E9264F1D03B7AA7D1C3F05B9E4826"
#define NO_HASHES "SHA-256: ,MD-5: "
#define HEAD "pc-0147," LOCAL REMOTE "TCP,Outbound," TIMES APPLICATION
#define OLD_HEAD "pc-0147," OLD_ENDS "TCP,Outbound," OLD_TIMES APPLICATION

#define NETWORK                                                                \
	"host=pc-0147\nlocal_ip=192.0.2.47\nlocal_port=53500\n"                \
	"local_mac=00:00:5e:00:53:01\nremote_ip=198.51.100.20\n"               \
	"remote_name=web.example\nremote_port=443\n"                           \
	"remote_mac=00:00:5e:00:53:fe\nprotocol=tcp\ndirection=outbound\n"     \
	"begin=2024-05-14T10:05:00Z\nend=2024-05-14T10:05:01Z\n"               \
	"occurrences=3\napplication=C:/Tools/a.exe\nrule=Permit web\n"         \
	"location=Branch\nuser=mwhite\ndomain=BIRCH\n"
#define DIGESTS                                                                \
	"sha256="                                                              \
	"a7d1c3f05b9e4826d0f7b3a15c8e9264f1d03b7a5e6c4982b0d7f3e1a59c8640\n"   \
	"md5=5c8e9264f1d03b7aa7d1c3f05b9e4826\n"

static const struct {
	const char *text, *expected;
} versions[] = {
    /* 11 */
    {"pc-0147," OLD_ENDS "TCP,Outbound," OLD_TIMES APPLICATION
     " \"Rule: Permit web\",Location: Branch,User: mwhite, Domain: BIRCH",
	NETWORK},
    /* 12.1 */
    {OLD_HEAD RULE OLD_PLACE "Action: Allowed", NETWORK "action=allowed\n"},
    /* 14.0.1 */
    {"pc-0147," HASHES "," OLD_ENDS
     "TCP,Outbound," OLD_TIMES APPLICATION RULE OLD_PLACE "Action: Allowed",
	NETWORK "action=allowed\n" DIGESTS},
    /* 14.2 */
    {"pc-0147,Local Host: 192.0.2.47,Local Port: 53500,"
     "Local Host MAC: 00005E005301," REMOTE
     "TCP,Outbound," OLD_TIMES APPLICATION RULE OLD_PLACE
     "Action: Allowed," HASHES,
	NETWORK "action=allowed\n" DIGESTS},
    /* 14.3, early and late */
    {"pc-0147," LOCAL REMOTE
     "TCP,Outbound," OLD_TIMES APPLICATION RULE OLD_PLACE
     "Action: Allowed," HASHES,
	NETWORK "action=allowed\n" DIGESTS},
    {HEAD RULE PLACE "Action: Allowed," HASHES,
	NETWORK "action=allowed\n" DIGESTS},
    {HEAD RULE PLACE "Action: Allowed,SHA-256: ,MD-5:",
	NETWORK "action=allowed\n"},
    /* 14.3 RU1 */
    {"SEPM-A1," HEAD RULE PLACE "Action: Allowed," HASHES,
	"sepm=SEPM-A1\n" NETWORK "action=allowed\n" DIGESTS},
    /* agent info */
    {HEAD RULE PLACE
	"IP Address1: 192.0.2.47,MAC Address1: 00005E005301,"
	"GATEWAY1: 192.0.2.254,IP Address2: ,MAC Address2: ,GATEWAY2: ,"
	"IP Address3: ,MAC Address3: 00005E005303,GATEWAY3: 0.0.0.0,"
	"Action: Allowed," NO_HASHES,
	NETWORK "action=allowed\n"
		"addresses=192.0.2.47/00:00:5e:00:53:01/192.0.2.254 "
		"/00:00:5e:00:53:03/\n"},
    /* labels in any case, with blanks on either side of them */
    {"pc-0147, LOCAL HOST IP:192.0.2.47, local port:53500,"
     " Local Host MAC:00005E005301, Remote Host IP:198.51.100.20,"
     " Remote Host Name:web.example, Remote Port:443,"
     " Remote Host MAC:00005E0053FE, TCP, Outbound,"
     " Begin:2024-05-14 10:05:00, End Time:2024-05-14 10:05:01,"
     " Occurrences:3, Application:C:/Tools/a.exe, Rule:Permit web,"
     " Location:Branch, User Name:mwhite, Domain Name:BIRCH,"
     " Action:Allowed, SHA-256:, MD-5:",
	NETWORK "action=allowed\n"},
    /* the order of labels is free */
    {"pc-0147," REMOTE LOCAL "TCP,Outbound," TIMES
     "Action: Allowed,Rule: Permit web,Domain: BIRCH,User: mwhite," APPLICATION
     "Location: Branch," HASHES,
	NETWORK "action=allowed\n" DIGESTS},
    /* translated labels */
    {"pc-0147,本地: 192.0.2.47,本地: 53500,本地: 00005E005301,"
     "远程: 198.51.100.20,远程: web.example,远程: 443,远程: 00005E0053FE,"
     "TCP,出站,开始: 2024-05-14 10:05:00,End: 2024-05-14 10:05:01,"
     "Occurrences: 3,应用程序: C:/Tools/a.exe,规则: Permit web,位置: Branch,"
     "用户: mwhite,域: BIRCH,操作: Allowed",
	NETWORK "action=allowed\n"},
    {"pc-0147,IP de l’hôte local : 192.0.2.47,Port local : 53500,"
     "Local Host MAC : 00005E005301,Adresse IP de l'hôte distant\u00a0: "
     "198.51.100.20,Nom de l’hôte distant : web.example,Port distant : 443,"
     "Remote Host MAC : 00005E0053FE,TCP,Sortant,Commencer : "
     "2024-05-14 10:05:00,End Time : 2024-05-14 10:05:01,Occurrences : 3,"
     "Application : C:/Tools/a.exe,Règle : Permit web,Location : Branch,"
     "User Name : mwhite,Domain Name : BIRCH,Action : Bloqués,"
     "SHA-256 : ,MD-5 : ",
	NETWORK "action=blocked\n"},
    /* everything empty or zero */
    {"pc-0147,Local: 0.0.0.0,Local: 0,Local: 000000000000,Remote: ::,"
     "Remote: ,Remote: 0,Remote: 00:00:00:00:00:00,OTHERS,Unknown,Begin: ,"
     "End: ,Occurrences: ,Application:  ,Rule: ,Location: ,User: ,Domain: ,"
     "Action: ",
	"host=pc-0147\nprotocol=others\ndirection=unknown\n"},
};

START_TEST(traffic_of_every_version_is_taken_apart)
{
	ck_assert_ptr_null(parse(span_str(versions[_i].text)));
	ck_assert_int_eq(record.type, RECORD_TRAFFIC);
	ck_assert_uint_eq(record.flags, 0);
	testing_expect(&record, versions[_i].expected);
	expect_nothing_else(versions[_i].expected);
}
END_TEST

#define END "Location: Branch,User Name: m,Domain Name: B,Action: Allowed,"

/* Free texts with commas, quotes and labels in them. */
static const struct {
	const char *text, *expected;
} texts[] = {
    {HEAD
	"\"Rule: Permit web, mail, and \"\"partner\"\" sites\"," END NO_HASHES,
	"rule=Permit web, mail, and \"partner\" sites\nlocation=Branch\n"
	"!extra"},
    {HEAD "Rule: \"Permit web, mail\"," END NO_HASHES,
	"rule=Permit web, mail\nlocation=Branch\n!extra"},
    {HEAD "Rule: a \"b\" | c," END NO_HASHES,
	"rule=a \"b\" | c\nlocation=Branch\n!extra"},
    {HEAD "Rule: \"b\" c, d," END NO_HASHES,
	"rule=\"b\" c, d\nlocation=Branch\n!extra"},
    {HEAD "Rule: 5\" disk, 3\" disk," END NO_HASHES,
	"rule=5\" disk, 3\" disk\nlocation=Branch\n!extra"},
    /* commas without quotes: the value goes on, its commas with it */
    {HEAD "Rule: a,b, c ,d," END NO_HASHES,
	"rule=a,b, c ,d\nlocation=Branch\n!extra"},
    {HEAD "Rule: ,b," END NO_HASHES, "rule=,b\nlocation=Branch\n!extra"},
    {HEAD "Rule: a,,b," END NO_HASHES, "rule=a,,b\nlocation=Branch\n!extra"},
    {HEAD "Rule: a,\"b, c\",d," END NO_HASHES,
	"rule=a,b, c,d\nlocation=Branch\n!extra"},
    {HEAD RULE "Location: Branch,User Name: m,PC12,Domain Name: B,"
	       "Action: Allowed," NO_HASHES,
	"user=m,PC12\ndomain=B\naction=allowed\n!extra"},
    {HEAD RULE "Location: east, west,User Name: BIRCH\\m,"
	       "Domain Name: NT AUTHORITY,Action: Allowed," NO_HASHES,
	"location=east, west\nuser=BIRCH\\m\ndomain=NT AUTHORITY\n!extra"},
    {"pc-0147," LOCAL REMOTE "TCP,Outbound," TIMES
     "Application: C:/a, b/c.exe," RULE END NO_HASHES,
	"application=C:/a, b/c.exe\nrule=Permit web\n!extra"},
    /* a doubled comma is nothing */
    {HEAD RULE "," END NO_HASHES, "rule=Permit web\nlocation=Branch\n!extra"},
    {HEAD RULE ",," END NO_HASHES, "rule=Permit web\nlocation=Branch\n!extra"},
    {HEAD RULE END "," NO_HASHES, "action=allowed\n!extra"},
    {HEAD RULE END NO_HASHES ",,", "action=allowed\n!extra\n!flags"},
    /* labels inside a value */
    {HEAD "Rule: Action: Blocked," END NO_HASHES,
	"rule=Action: Blocked\naction=allowed\n!extra"},
    {HEAD "Rule: Begin: 2024-01-01 00:00:00," END NO_HASHES,
	"rule=Begin: 2024-01-01 00:00:00\nbegin=2024-05-14T10:05:00Z\n!extra"},
    {HEAD "\"Rule: a,Action: Blocked\"," END NO_HASHES,
	"rule=a,Action: Blocked\naction=allowed\n!extra"},
    {HEAD "Rule: http://a/b:c," END NO_HASHES, "rule=http://a/b:c\n!extra"},
    {HEAD "Rule: a,C:/b," END NO_HASHES, "rule=a,C:/b\n!extra"},
    {HEAD "Rule: a, lower: b," END NO_HASHES, "rule=a, lower: b\n!extra"},
    /* the body in quotes, a stray quote at its end */
    {"\"" HEAD RULE END "SHA-256: ,MD-5: \"",
	"host=pc-0147\nrule=Permit web\naction=allowed\n!extra\n!md5\n!flags"},
    {HEAD RULE END "SHA-256: ,MD-5: \"", "action=allowed\n!md5\n!extra"},
    {"  " HEAD RULE END NO_HASHES "\t\t\r", "host=pc-0147\n!extra\n!flags"},
};

START_TEST(free_text_keeps_its_commas)
{
	ck_assert_ptr_null(parse(span_str(texts[_i].text)));
	ck_assert_int_eq(record.type, RECORD_TRAFFIC);
	testing_expect(&record, texts[_i].expected);
}
END_TEST

#define GROUP(number) "IP Address" number ": 192.0.2." number ","

/* Values that cannot be, labels that nobody knows, or that come twice. */
static const struct {
	const char *text, *expected;
} extras[] = {
    {"pc,Local Host IP: masked,Local Port: many,Local Host MAC: lobby-switch,"
     "Remote Host IP: 999.1.1.1,Remote Host Name: x,Remote Port: 70000,"
     "Remote Host MAC: 1,TCP,Outbound,Begin: yesterday,End Time: 2024-05-14,"
     "Occurrences: some,Application: a," RULE END "SHA-256: none,MD-5: n/a",
	"extra=Local Host IP=masked|Local Port=many|"
	"Local Host MAC=lobby-switch|Remote Host IP=999.1.1.1|"
	"Remote Port=70000|Remote Host MAC=1|Begin=yesterday|"
	"End Time=2024-05-14|Occurrences=some|SHA-256=none|MD-5=n/a\n"
	"remote_name=x\naction=allowed\n!local_ip\n!local_port\n!local_mac\n"
	"!remote_ip\n!remote_port\n!remote_mac\n!begin\n!end\n!occurrences\n"
	"!sha256\n!md5\n!flags"},
    /* of repeated ones under the modern label of the place */
    {"pc,Local: masked,Local: many,Local: x,Remote: y,Remote: z,"
     "Remote: 70000,Remote: w,TCP,Outbound," OLD_TIMES APPLICATION RULE
	    OLD_PLACE "Action: Allowed",
	"extra=Local Host IP=masked|Local Port=many|Local Host MAC=x|"
	"Remote Host IP=y|Remote Port=70000|Remote Host MAC=w\n"
	"remote_name=z"},
    /* more of them than there are places */
    {"pc," OLD_ENDS
     "Local: a,Remote: b,TCP,Outbound," OLD_TIMES APPLICATION RULE OLD_PLACE
     "Action: Allowed",
	"extra=Local=a|Remote=b\nlocal_ip=192.0.2.47\nprotocol=tcp\n"
	"local_mac=00:00:5e:00:53:01"},
    {HEAD RULE "Rule Serial: 7F21-3," END NO_HASHES ",Tenant: east",
	"extra=Rule Serial=7F21-3|Tenant=east\nrule=Permit web\n"
	"location=Branch\n!flags"},
    {HEAD RULE "Tenant: ," END NO_HASHES, "!extra"},
    /* as a rule in other logs */
    {HEAD RULE "Group Name: Lobby,IP Address: 192.0.2.1," END NO_HASHES,
	"group_name=Lobby\nip_address=192.0.2.1\n!extra"},
    /* the first value stays */
    {HEAD RULE
	"Rule: Other,Local Port: 1,Local Host IP: 192.0.2.1," END NO_HASHES,
	"extra=Rule=Other|Local Port=1|Local Host IP=192.0.2.1\n"
	"rule=Permit web\nlocal_port=53500\nlocal_ip=192.0.2.47"},
    {HEAD RULE "User: n," END NO_HASHES, "user=n\nextra=User Name=m"},
    {HEAD "Rule: ,Rule: b," END NO_HASHES, "rule=b\n!extra"},
    /* a value that could not be leaves room for one that can */
    {HEAD RULE END "SHA-256: x," HASHES,
	"md5=5c8e9264f1d03b7aa7d1c3f05b9e4826\nextra=SHA-256=x"},
    {HEAD RULE "IP Address1: masked,MAC Address1: x,GATEWAY1: y," END NO_HASHES,
	"extra=IP Address1=masked|MAC Address1=x|GATEWAY1=y\n!addresses"},
    {HEAD RULE "IP Address1: 192.0.2.1,IP Address1: 192.0.2.2," END NO_HASHES,
	"extra=IP Address1=192.0.2.2\naddresses=192.0.2.1//"},
    /* more groups than there is room for */
    {HEAD RULE GROUP("1") GROUP("2") GROUP("3") GROUP("4") GROUP("5") GROUP("6")
	    GROUP("7") GROUP("8") GROUP("9") GROUP("10") GROUP("11") GROUP("12")
		GROUP("13") GROUP("14") GROUP("15") GROUP("16") GROUP("17")
		    END NO_HASHES,
	"extra=IP Address17=192.0.2.17\n"
	"addresses=192.0.2.1// 192.0.2.2// 192.0.2.3// 192.0.2.4// "
	"192.0.2.5// 192.0.2.6// 192.0.2.7// 192.0.2.8// 192.0.2.9// "
	"192.0.2.10// 192.0.2.11// 192.0.2.12// 192.0.2.13// 192.0.2.14// "
	"192.0.2.15// 192.0.2.16//"},
};

START_TEST(what_does_not_fit_goes_to_extra)
{
	ck_assert_ptr_null(parse(span_str(extras[_i].text)));
	ck_assert_int_eq(record.type, RECORD_TRAFFIC);
	testing_expect(&record, extras[_i].expected);
}
END_TEST

#define PLACES(local, remote, words)                                           \
	"pc,Local Host IP: 192.0.2.47,Local Port: " local                      \
	",Local Host MAC: ,Remote Host IP: 198.51.100.20,"                     \
	"Remote Host Name: ,Remote Port: " remote ",Remote Host MAC: ," words  \
	"," TIMES APPLICATION RULE END NO_HASHES

/* Protocol and direction have no label; ICMP has no ports. */
static const struct {
	const char *text, *expected;
} places[] = {
    {PLACES("53500", "443", "TCP,Outbound"),
	"protocol=tcp\ndirection=outbound\nlocal_port=53500\nremote_port=443"},
    {PLACES("0", "65535", "udp,INBOUND"),
	"protocol=udp\ndirection=inbound\n!local_port\nremote_port=65535"},
    {PLACES("8", "0", "ICMP,Outbound"),
	"protocol=icmp\nicmp=8,0\n!local_port\n!remote_port\n!extra"},
    {PLACES("0", "0", "icmp,Inbound"),
	"protocol=icmp\nicmp=0,0\n!local_port\n!remote_port"},
    {PLACES("8", "", "ICMP,Outbound"),
	"protocol=icmp\n!icmp\n!local_port\nextra=Local Port=8"},
    {PLACES("8", "x", "ICMP,Outbound"),
	"protocol=icmp\n!icmp\n!local_port\nextra=Remote Port=x|Local Port=8"},
    {PLACES("128", "0", "ipv6-icmp,Outbound"),
	"protocol=ipv6-icmp\n!icmp\nlocal_port=128"},
    {PLACES("35020", "0", "ETHERNET,Inbound"),
	"protocol=ethernet\nlocal_port=35020\n!remote_port\n!icmp"},
    {PLACES("35020", "0", "7,Outbound"),
	"protocol=7\ndirection=outbound\nlocal_port=35020"},
    {PLACES("0", "0", "8,Unknown"), "protocol=8\ndirection=unknown"},
    {PLACES("0", "0", "Unknown,Unknown"),
	"protocol=unknown\ndirection=unknown"},
    {PLACES("0", "0", "GRE over IP,Outbound"),
	"protocol=gre over ip\ndirection=outbound"},
    {PLACES("1", "2", "TCP,Herein"), "protocol=tcp\ndirection=herein"},
    {PLACES("1", "2", "TCP,2"), "protocol=tcp\ndirection=2"},
    {PLACES("1", "2", ",Outbound"), "!protocol\ndirection=outbound"},
    {PLACES("1", "2", "TCP,"), "protocol=tcp\n!direction"},
    {PLACES("1", "2", ","), "!protocol\n!direction\nrule=Permit web"},
    {PLACES("1", "2", "Outbound"), "!protocol\ndirection=outbound"},
    {PLACES("1", "2", "TCP"), "protocol=tcp\n!direction"},
    {PLACES("1", "2", "x,TCP,Outbound"),
	"protocol=tcp\ndirection=outbound\n!remote_mac\nextra=Remote Host "
	"MAC=,x"},
};

START_TEST(protocol_and_direction_stand_before_begin)
{
	ck_assert_ptr_null(parse(span_str(places[_i].text)));
	ck_assert_int_eq(record.type, RECORD_TRAFFIC);
	testing_expect(&record, places[_i].expected);
}
END_TEST

/* --- what a body is --- */

#define SECURITY                                                               \
	"Local Host IP: 192.0.2.47,Local Host MAC: ,Remote Host Name: ,"       \
	"Remote Host IP: 198.51.100.66,Remote Host MAC: ,Inbound,TCP,"
#define OLD_SECURITY                                                           \
	"Local: 192.0.2.47,Local: 000000000000,Remote: ,"                      \
	"Remote: 198.51.100.66,Remote: 000000000000,Inbound,TCP,"
#define SECURITY_END                                                           \
	"Application: a,Location: b,User: c,Domain: d,Local Port 50403,"       \
	"Remote Port 80,"
#define CIDS                                                                   \
	"CIDS Signature ID: 9001,CIDS Signature string: x,"                    \
	"CIDS Signature SubID: 12,Intrusion URL: ,Intrusion Payload URL: "
#define RISK                                                                   \
	"IP Address: 192.0.2.47,Computer name: pc-0147,Source: x,"             \
	"Risk name: Test,Occurrences: 1,File path: D:\\a,Description: b,"      \
	"Actual action: Deleted"
#define SCAN                                                                   \
	"Scan ID: 1,Begin: 2024-05-14 10:00:00,End Time: ,Started,"            \
	"Duration (seconds): 0,User1: m,User2: ,'x',,Command: none,"           \
	"Threats: 0,Infected: 0,Total files: 0,Omitted: 0,"                    \
	"Computer: pc-0147,IP Address: 192.0.2.47,Domain Name: Default"
#define BEHAVIOR                                                               \
	"192.0.2.47,Blocked,x,File Write,Begin: 2024-05-14 10:00:00,"          \
	"End Time: 2024-05-14 10:00:00,Rule: y,4711,C:/a.exe,0,,E:/b,"         \
	"User Name: m,Domain Name: B,Action Type: ,File size (bytes): 12,"     \
	"Device ID: "
#define ACTIVITY                                                               \
	"Site: Oak,Server Name: sepm,Domain Name: Default,Got it,pc-0147,m,"   \
	"birch.example"
#define PACKET                                                                 \
	"Local Host IP: 192.0.2.47,Local Port: 1,Remote Host IP: "             \
	"198.51.100.20,Remote Host Name: ,Remote Port: 2,Inbound,"             \
	"Application: a,Action: Allowed"
#define SYSTEM "Category: 2,Updater,Event Description: Up."

/* The names that the header found are A (before the tag) and B (after it). */
static const struct {
	const char *text, *before, *after;
	const char *type, *sepm, *host;
} kinds[] = {
    {HEAD RULE END NO_HASHES, "A", "", "traffic", "A", "pc-0147"},
    {HEAD RULE END NO_HASHES, "A", "B", "traffic", "B", "pc-0147"},
    {HEAD RULE END NO_HASHES, "", "", "traffic", "", "pc-0147"},
    {"S," HEAD RULE END NO_HASHES, "", "", "traffic", "S", "pc-0147"},
    {"S," HEAD RULE END NO_HASHES, "A", "", "traffic", "S", "pc-0147"},
    {"S," HEAD RULE END NO_HASHES, "A", "B", "traffic", "B", "pc-0147"},
    {",Local: 192.0.2.47,Remote: 192.0.2.1,TCP,Outbound," TIMES RULE "Action:",
	"", "B", "traffic", "B", ""},
    /* packet: no times, the direction before the application */
    {"pc-0147," PACKET, "A", "", "packet", "A", "pc-0147"},
    {"S,pc-0147," PACKET, "", "", "packet", "S", "pc-0147"},
    {"pc-0147,Local: 192.0.2.47,Local: 1,Remote: 198.51.100.20,Remote: ,"
     "Remote: 2,Outbound,Application: a,Action: Blocked",
	"A", "", "packet", "A", "pc-0147"},
    {"pc-0147,Local: 192.0.2.47,Local: 1,Remote: 198.51.100.20,Remote: ,"
     "Remote: 2,Herein,Application: a,Action: Blocked",
	"A", "", "packet", "A", "pc-0147"},
    /* security: the direction first, then the protocol and one more */
    {"pc-0147,Event Description: x,Event Type: ," SECURITY
     "," TIMES SECURITY_END CIDS,
	"A", "", "security", "A", "pc-0147"},
    {"pc-0147,\"Event Description: x, y\"," SECURITY
     "Intrusion ID: 0," TIMES SECURITY_END CIDS,
	"A", "", "security", "A", "pc-0147"},
    {"S,pc-0147,Event Description: x," SECURITY "word," TIMES SECURITY_END CIDS,
	"", "", "security", "S", "pc-0147"},
    {"pc-0147,x," OLD_SECURITY "Intrusion ID: 0," OLD_TIMES SECURITY_END CIDS,
	"A", "", "security", "A", "pc-0147"},
    {"S,pc-0147,x," OLD_SECURITY "," OLD_TIMES SECURITY_END CIDS, "", "",
	"security", "S", "pc-0147"},
    {"pc-0147,SHA-256: ,MD-5: ,x," OLD_SECURITY "," OLD_TIMES SECURITY_END CIDS,
	"A", "", "security", "A", "pc-0147"},
    /* SEP 11: without any CIDS */
    {"pc-0147,x," OLD_SECURITY "," OLD_TIMES
     "Application: a,Location: b,User: c,Domain: d",
	"A", "", "security", "A", "pc-0147"},
    {"pc-0147,x,Local: 192.0.2.47,Local: ,Remote: ,Remote: 198.51.100.66,"
     "Remote: ,出站,7,," OLD_TIMES "Application: a",
	"A", "", "security", "A", "pc-0147"},
    /* risk and proactive: the event's text in front */
    {"Virus found," RISK, "A", "", "risk", "A", "pc-0147"},
    {"S,Virus found," RISK, "", "", "risk", "S", "pc-0147"},
    {RISK, "A", "", "risk", "A", "pc-0147"},
    {"Virus found,Computer name: pc-0147,Source: x,Risk name: ,"
     "Occurrences: 1,C:\\a,\"b, c\",Actual action: Deleted",
	"A", "", "risk", "A", "pc-0147"},
    {"Virus found,IP アドレス: 192.0.2.47,コンピュータ名: pc-0147,"
     "リスク名: Test,件数: 1",
	"A", "", "risk", "A", "pc-0147"},
    {"Found,Computer name: pc-0147,Detection type: Guess,Risk name: ,x", "A",
	"", "proactive", "A", "pc-0147"},
    {"S,Found,Computer name: pc-0147,Detection type: Guess,Risk name: ", "", "",
	"proactive", "S", "pc-0147"},
    /* scan */
    {SCAN, "A", "", "scan", "A", "pc-0147"},
    {"S," SCAN, "", "", "scan", "S", "pc-0147"},
    /* behavior: five places in front, any of them empty */
    {"pc-0147," BEHAVIOR, "A", "", "behavior", "A", "pc-0147"},
    {"S,pc-0147," BEHAVIOR, "", "", "behavior", "S", "pc-0147"},
    {"pc-0147,,Blocked,,,Begin: 2024-05-14 10:00:00,End Time: ,Rule: ,1,,0,,,"
     "User Name: ,Domain Name: ,Action Type: 4",
	"A", "", "behavior", "A", "pc-0147"},
    /* agent_system */
    {"pc-0147," SYSTEM, "A", "", "agent_system", "A", "pc-0147"},
    {"S,pc-0147," SYSTEM, "", "", "agent_system", "S", "pc-0147"},
    {"," SYSTEM, "", "B", "agent_system", "B", ""},
    /* the server's own */
    {ACTIVITY, "A", "", "agent_activity", "A", "pc-0147"},
    {"S," ACTIVITY, "", "", "agent_activity", "S", "pc-0147"},
    {"Site: Oak,Server: s,Domain: d,The text, with a comma,pc-0147,m,", "A", "",
	"agent_activity", "A", "pc-0147"},
    {"Site: Oak,Server: s,Domain: d,Admin: r,x", "A", "", "admin", "A", ""},
    {"Site: Oak,Server: s,Domain: d,Admin: r,Event Description: a: b", "A", "",
	"admin", "A", ""},
    {"S,Site: Oak,Server: s,Domain: d,Admin: r,Signed in", "", "", "admin", "S",
	""},
    {"Site: Oak,Server: s,Domain: d,Admin: r,Event Description: x,y", "A", "",
	"policy", "A", ""},
    {"S,Site: Oak,Server: s,Domain: d,Admin: r,x,y", "", "", "policy", "S", ""},
    {"Site: Oak,Server Name: s,Event Description: x", "A", "", "server_system",
	"A", ""},
    {"Site: Oak,Server: s,Backup done.", "A", "", "server_system", "A", ""},
    {"S,Site: Oak,Server: s,Backup done.", "", "", "server_system", "S", ""},
    {"\"Site: Oak,Server: s,Backup done.\"", "A", "", "server_system", "A", ""},
    {"Site: Oak,Server: s,\"Backup, done.\"", "A", "", "server_system", "A",
	""},
};

START_TEST(the_shape_tells_the_type_and_the_names)
{
	context.name_before_tag = span_str(kinds[_i].before);
	context.name_after_tag = span_str(kinds[_i].after);
	ck_assert_ptr_null(parse(span_str(kinds[_i].text)));
	ck_assert_msg(
	    span_eq(record_type_name[record.type], span_str(kinds[_i].type)),
	    "%s", record_type_name[record.type].p);
	ck_assert_msg(span_eq(record_text(&record, RECORD_F_SEPM),
			  span_str(kinds[_i].sepm)),
	    "sepm: %.*s", (int)record_text(&record, RECORD_F_SEPM).n,
	    record_text(&record, RECORD_F_SEPM).p);
	ck_assert_msg(span_eq(record_text(&record, RECORD_F_HOST),
			  span_str(kinds[_i].host)),
	    "host: %.*s", (int)record_text(&record, RECORD_F_HOST).n,
	    record_text(&record, RECORD_F_HOST).p);
	ck_assert_uint_eq(record.flags, 0);
}
END_TEST

/* What is no log of SEPM's, with its tag and without. */
static const struct {
	const char *text;
	bool tagged;
	const char *reason; /* a part of it */
} refused[] = {
    {"", true, "nothing"},
    {" \t\r", true, "nothing"},
    {"", false, "not SEPM"},
    {"Accepted publickey for mwhite from 192.0.2.47 port 50022", false,
	"not SEPM"},
    {"{\"User\":\"mwhite\",\"Action\":\"Allowed\",\"Rule\":\"x\"}", false,
	"not SEPM"},
    {"Action: Blocked,Rule: deny-all,User: mwhite,Remote: 198.51.100.3", false,
	"not SEPM"},
    {"fw1,Action: Blocked,Rule: x,Local: 192.0.2.1,Remote: 192.0.2.2", false,
	"not SEPM"},
    {"x,Risk name: y", false, "not SEPM"},
    {"x,Detection type: y,z", false, "not SEPM"},
    {"Scan ID: 7,Begin: 2024-05-14 10:00:00", false, "not SEPM"},
    {"x,Category: 2,y", false, "not SEPM"},
    {"Rule: x", false, "not SEPM"},
    {",,,,\"", false, "not SEPM"},
    {"hello", true, "no known shape"},
    {"a,b,c", true, "no known shape"},
    {"x,Rule: y,Action: Blocked", true, "no known shape"},
    {"Site: Oak", true, "no known shape"},
    {"Site: Oak,Server: s", true, "no known shape"},
    {"Site: Oak,Server: s,Domain: d,x,y", true, "no known shape"},
    /* a record that was cut in two: the part behind */
    {"Domain: BIRCH,Local Port 1,Remote Port 2," CIDS, true, "cut in two"},
    {"Remote Port: 443,Remote Host MAC: 00005E0053FE,TCP,Outbound," TIMES
	    APPLICATION RULE PLACE "Action: Allowed," NO_HASHES,
	true, "cut in two"},
    {LOCAL REMOTE "TCP,Outbound," TIMES APPLICATION RULE PLACE, true,
	"cut in two"},
    {"Local: 192.0.2.1,Local: 1,Remote: 192.0.2.2,Outbound,Application: x,"
     "Action: Blocked",
	true, "cut in two"},
    {"Rule: x,Location: y,Action: Blocked,SHA-256: ,MD-5: ", true,
	"cut in two"},
    {"MD-5: ", true, "cut in two"},
    /* and the part in front, when it is too short */
    {"pc-0147,Local Host IP: 192.0.2.47,Lo", true, "cut before"},
    {"pc-0147,Local: 192.0.2.47,Local: 53", true, "cut before"},
};

START_TEST(anything_else_is_refused_with_a_reason)
{
	const char *reason;

	context.tagged = refused[_i].tagged;
	context.name_before_tag = SPAN("A");
	reason = parse(span_str(refused[_i].text));
	ck_assert_ptr_nonnull(reason);
	ck_assert_msg(strstr(reason, refused[_i].reason) != NULL, "%s", reason);
	testing_expect(&record, "sepm=A\n!host\n!local_ip\n!rule\n!action");
}
END_TEST

/* A body whose shape is strong enough needs no tag. */
START_TEST(a_strong_shape_needs_no_tag)
{
	static const char *const bodies[] = {
	    HEAD RULE END NO_HASHES,
	    OLD_HEAD RULE OLD_PLACE "Action: Allowed",
	    "pc-0147," PACKET,
	    "Virus found," RISK,
	    SCAN,
	    "pc-0147," BEHAVIOR,
	    "pc-0147," SYSTEM,
	    ACTIVITY,
	    "Site: Oak,Server: s,Domain: d,Admin: r,x",
	    "Site: Oak,Server: s,Backup done.",
	};

	context.tagged = false;
	ck_assert_ptr_null(parse(span_str(bodies[_i])));
}
END_TEST

/* --- cut records --- */

static const struct {
	const char *text, *expected;
} cuts[] = {
    /* in a value, a label, behind a label, behind a comma */
    {"pc," LOCAL "Remote Host IP: 198.51.1",
	"cut=Remote Host IP: 198.51.1\nlocal_port=53500\n!remote_ip"},
    {"pc," LOCAL "Remote Ho", "cut=Remote Ho\nlocal_port=53500\n!extra"},
    {"pc," LOCAL "Remote Host IP", "cut=Remote Host IP\n!extra"},
    {"pc," LOCAL "Remote Host IP:", "cut=Remote Host IP:\n!extra"},
    {"pc,Local Host IP: 192.0.2.47,Local Port: 53500,"
     "Local Host MAC: 00005E005301,",
	"local_mac=00:00:5e:00:53:01\n!cut\n!extra"},
    {"pc," LOCAL "Remote Host IP: 198.51.100.20,Remote Host Name: ,"
     "Remote Port: 44",
	"cut=Remote Port: 44\nremote_ip=198.51.100.20\n!remote_port"},
    {"pc," LOCAL REMOTE "TC",
	"cut=TC\nremote_mac=00:00:5e:00:53:fe\n!protocol\n!extra"},
    {"pc," LOCAL REMOTE "TCP,Outb", "cut=Outb\nprotocol=tcp\n!direction"},
    {"pc," LOCAL REMOTE "TCP,Outbound,Beg",
	"cut=Beg\nprotocol=tcp\ndirection=outbound\n!begin\n!extra"},
    {"pc," LOCAL REMOTE "TCP,Outbound,Begin: 2024-05-14 10:05:0",
	"cut=Begin: 2024-05-14 10:05:0\nprotocol=tcp\ndirection=outbound\n"
	"!begin\n!extra"},
    {"pc," LOCAL REMOTE "TCP,Outbound,Begin: 2024-05-14 10:05:00,End Time: 2",
	"cut=End Time: 2\nbegin=2024-05-14T10:05:00Z\nprotocol=tcp\n!end"},
    {HEAD, "application=C:/Tools/a.exe\n!cut\n!rule"},
    {HEAD "Rule: Permit we", "cut=Rule: Permit we\n!rule"},
    {HEAD "Rule: Permit web,ma", "cut=Rule: Permit web,ma\n!rule"},
    {HEAD "\"Rule: Permit web, ma",
	"cut=\"Rule: Permit web, ma\napplication=C:/Tools/a.exe\n!rule"},
    {HEAD "Rule: \"Permit web, ma", "cut=Rule: \"Permit web, ma\n!rule"},
    {HEAD RULE "Loc", "cut=Loc\nrule=Permit web\n!location"},
    {HEAD RULE "Tenant: ea", "cut=Tenant: ea\nrule=Permit web\n!extra"},
    {HEAD RULE PLACE "Act", "cut=Act\ndomain=BIRCH\n!action"},
    {HEAD RULE PLACE "Action: Allo", "cut=Action: Allo\n!action"},
    {HEAD RULE PLACE "Action: ", "cut=Action:\n!action"},
    {HEAD RULE PLACE "Action: Allowed,", "action=allowed\n!cut"},
    {HEAD RULE PLACE "Action: Allowed,SHA", "cut=SHA\naction=allowed"},
    {HEAD RULE PLACE "Action: Allowed,SHA-256: A7D1C3F05B9E",
	"cut=SHA-256: A7D1C3F05B9E\naction=allowed\n!sha256\n!extra"},
    {HEAD RULE PLACE "Action: Allowed,SHA-256: ",
	"cut=SHA-256:\naction=allowed"},
    {HEAD RULE PLACE "Action: Allowed,SHA-256: ,MD-5: 5C8",
	"cut=MD-5: 5C8\naction=allowed\n!md5\n!extra"},
    {HEAD RULE PLACE "Action: Allowed,SHA-256: ,MD-5: "
		     "5C8E9264F1D03B7AA7D1C3F05B9E482",
	"cut=MD-5: 5C8E9264F1D03B7AA7D1C3F05B9E482\n!md5"},
    {HEAD RULE PLACE "Action: Allowed,SHA-256: ,MD",
	"cut=MD\naction=allowed\n!extra"},
    /* the old labels end with the action, those of SEP 11 with the domain */
    {OLD_HEAD RULE "Location: Branch,User: mwh",
	"cut=User: mwh\nlocation=Branch\n!user"},
    {OLD_HEAD RULE OLD_PLACE "Act", "cut=Act\ndomain=BIRCH\n!action"},
    {OLD_HEAD RULE OLD_PLACE, "domain=BIRCH\n!cut\n!action"},
    {"pc,Local: 192.0.2.1,Local: 1,Local: 00005E005301,Remote: 198.51",
	"cut=Remote: 198.51\nlocal_port=1\n!remote_ip"},
    /* 14.0.1 has hashes, and with them an action */
    {"pc-0147," HASHES "," OLD_ENDS "TCP,Outbound," OLD_TIMES APPLICATION RULE
     "Location: Branch,User: mwhite,Domain: BIR",
	"cut=Domain: BIR\nuser=mwhite\n!domain"},
};

START_TEST(the_last_field_of_a_cut_record_is_dropped)
{
	ck_assert_ptr_null(parse(span_str(cuts[_i].text)));
	ck_assert_int_eq(record.type, RECORD_TRAFFIC);
	ck_assert_uint_eq(record.flags, RECORD_TRUNCATED);
	testing_expect(&record, cuts[_i].expected);
}
END_TEST

/* Without hashes, or with them in front; by the general way first, then on the
 * course that it taught. */
START_TEST(new_labels_may_end_with_a_known_action)
{
	static const char *const whole[] = {
	    HEAD RULE PLACE "Action: Blocked",
	    HEAD RULE PLACE "Action: Blocked ",
	    "pc-0147," HASHES "," LOCAL REMOTE
	    "TCP,Outbound," TIMES APPLICATION RULE PLACE "Action: Blocked",
	};

	for (size_t i = 0; i < 2 * sizeof whole / sizeof whole[0]; i++) {
		ck_assert_ptr_null(parse(span_str(whole[i / 2])));
		ck_assert_uint_eq(record.flags, 0);
		testing_expect(&record, "action=blocked\ndomain=BIRCH\n!cut");
	}
	ck_assert_ptr_null(parse(SPAN(HEAD RULE PLACE "Action: Bloc")));
	ck_assert_uint_eq(record.flags, RECORD_TRUNCATED);
	testing_expect(&record, "cut=Action: Bloc\n!action");
}
END_TEST

static const struct {
	const char *text;
	enum record_release release;
} releases[] = {
    {OLD_HEAD RULE "Location: Branch,User: mwhite, Domain: BIRCH",
	RECORD_RELEASE_11},
    {OLD_HEAD RULE OLD_PLACE "Action: Blocked", RECORD_RELEASE_12_1},
    {"pc-0147," HASHES "," OLD_ENDS
     "TCP,Outbound," OLD_TIMES APPLICATION RULE OLD_PLACE "Action: Blocked",
	RECORD_RELEASE_14_0},
    {"pc-0147,Local Host: 192.0.2.47,Local Port: 53500,Local Host MAC: ," REMOTE
     "TCP,Outbound," OLD_TIMES APPLICATION RULE OLD_PLACE
     "Action: Blocked," HASHES,
	RECORD_RELEASE_14_2},
    {"pc-0147," LOCAL REMOTE
     "TCP,Outbound," OLD_TIMES APPLICATION RULE OLD_PLACE
     "Action: Blocked," NO_HASHES,
	RECORD_RELEASE_14_3_EARLY},
    {HEAD RULE PLACE "Action: Blocked," HASHES, RECORD_RELEASE_14_3},
    {"sepm-1," HEAD RULE PLACE "Action: Blocked," HASHES,
	RECORD_RELEASE_14_3_RU1},
    {HEAD RULE PLACE "Action: Blocked", RECORD_RELEASE_14_2_BARE},
    /* labels of both styles */
    {"pc-0147,Local: 192.0.2.47,Local Port: 1,Local Host MAC: ," REMOTE
     "TCP,Outbound," TIMES APPLICATION RULE PLACE "Action: Blocked," HASHES,
	RECORD_RELEASE_14_2_ON},
    {HEAD RULE PLACE "Action: Bloc", RECORD_RELEASE_UNTOLD},
    {"Site: Oak Site,Server Name: sepm,Event Description: x",
	RECORD_RELEASE_UNTOLD},
    {"sepm-1,Site: Oak Site,Server Name: sepm,Event Description: x",
	RECORD_RELEASE_14_3_RU1},
    {"pc-0147,Category: 2,Updater,Event Description: x", RECORD_RELEASE_UNTOLD},
    {"pc,Event Description: x," LOCAL "Inbound,TCP,," TIMES
     "Application: a,Location: b," CIDS ",URL Risk: N/A",
	RECORD_RELEASE_14_3_RU1_ON},
    {"pc,Event Description: x," LOCAL "Inbound,TCP,," TIMES
     "Application: a,Location: b," CIDS ",URL Risk: N/A,Correlation ID: 7",
	RECORD_RELEASE_14_3_LATER},
};

/* Twice: traffic is on its course then. */
START_TEST(lines_tell_the_release_that_wrote_them)
{
	for (int i = 0; i < 2; i++) {
		ck_assert_ptr_null(parse(span_str(releases[_i].text)));
		ck_assert_uint_eq(record.release, releases[_i].release);
	}
}
END_TEST

START_TEST(a_message_over_the_limit_is_cut_wherever_it_ends)
{
	context.cut = true;
	ck_assert_ptr_null(
	    parse(SPAN(HEAD RULE PLACE "Action: Allowed," NO_HASHES)));
	ck_assert_uint_eq(record.flags, RECORD_TRUNCATED);
	testing_expect(&record, "action=allowed\ncut=MD-5:");
}
END_TEST

START_TEST(security_is_cut_before_the_payload)
{
	static const struct {
		const char *text;
		unsigned flags;
	} cases[] = {
	    {"pc,x," OLD_SECURITY "," OLD_TIMES SECURITY_END CIDS, 0},
	    {"pc,x," OLD_SECURITY "," OLD_TIMES SECURITY_END
	     "CIDS Signature ID: 9001,Intrusion URL: http://x/?a=1,b=2,Intr",
		RECORD_TRUNCATED},
	    /* the payload's label in a language that nobody has told us */
	    {"pc,x," OLD_SECURITY "," OLD_TIMES SECURITY_END
	     "CIDS 特征 ID: 9001,入侵 URL: http://x/?a=1,b=2,玩具 URL: ",
		0},
	};

	ck_assert_ptr_null(parse(span_str(cases[_i].text)));
	ck_assert_int_eq(record.type, RECORD_SECURITY);
	ck_assert_uint_eq(record.flags, cases[_i].flags);
}
END_TEST

/* A language that nobody knows, in the old style and in the new one. */
#define TOY_OLD_ENDS                                                           \
	"Toy: 192.0.2.47,Toy: 53605,Toy: 00005E005301,Far: 198.51.100.20,"     \
	"Far: far.example,Far: 443,Far: 00005E0053FE,"
#define TOY_ENDS                                                               \
	"Toy IP: 192.0.2.47,Toy Port: 53605,Toy MAC: 00005E005301,"            \
	"Far IP: 198.51.100.20,Far Name: far.example,Far Port: 443,"           \
	"Far MAC: 00005E0053FE,"
#define TOY_TIMES "Aa: 2024-05-14 10:21:00,Bb: 2024-05-14 10:21:01,Cc: 3,"
#define TOY_TEXTS                                                              \
	"Dd: C:/a.exe,\"Ee: b, c\",Ff: Branch,Gg: mwhite,Hh: BIRCH,Ii: Halt"
#define TOY_RECORD                                                             \
	"host=pc-0147\nlocal_ip=192.0.2.47\nlocal_port=53605\n"                \
	"local_mac=00:00:5e:00:53:01\nremote_ip=198.51.100.20\n"               \
	"remote_name=far.example\nremote_port=443\n"                           \
	"remote_mac=00:00:5e:00:53:fe\nprotocol=tcp\ndirection=away\n"         \
	"begin=2024-05-14T10:21:00Z\nend=2024-05-14T10:21:01Z\n"               \
	"occurrences=3\napplication=C:/a.exe\nrule=b, c\nlocation=Branch\n"    \
	"user=mwhite\ndomain=BIRCH\naction=halt\n!flags\n!cut\n!extra"

START_TEST(traffic_of_an_unknown_language_is_told_by_its_order)
{
	static const char *const bodies[] = {
	    "pc-0147," TOY_OLD_ENDS "TCP,Away," TOY_TIMES TOY_TEXTS,
	    "S,pc-0147," TOY_OLD_ENDS "TCP,Away," TOY_TIMES TOY_TEXTS,
	    "pc-0147,SHA-256: ,MD-5: ," TOY_OLD_ENDS
	    "TCP,Away," TOY_TIMES TOY_TEXTS,
	    "pc-0147," TOY_ENDS "TCP,Away," TOY_TIMES TOY_TEXTS
	    ",SHA-256: ,MD-5: ",
	    /* some labels are those of a language that is known */
	    "pc-0147,Local: 192.0.2.47,Local: 53605,Local: 00005E005301,"
	    "Far: 198.51.100.20,Far: far.example,Far: 443,Far: 00005E0053FE,"
	    "TCP,Away," TOY_TIMES TOY_TEXTS,
	    "pc-0147,ローカル: 192.0.2.47,ローカル: 53605,"
	    "ローカル: 00005E005301,リモート: 198.51.100.20,"
	    "リモート: far.example,リモート: 443,リモート: 00005E0053FE,"
	    "TCP,Away," TOY_TIMES "アプリケーション: C:/a.exe,\"Ee: b, c\","
	    "Ff: Branch,ユーザー: mwhite,ドメイン: BIRCH,Ii: Halt",
	    /* letters of two bytes each */
	    "pc-0147,Ёёёёёёёёё Ёёёёёёёёё Ёёёёёёёёё: 192.0.2.47,Ж: 53605,"
	    "З: 00005E005301,И: 198.51.100.20,Й: far.example,К: 443,"
	    "Л: 00005E0053FE,TCP,Away," TOY_TIMES TOY_TEXTS ",SHA-256: ,MD-5: ",
	};

	ck_assert_ptr_null(parse(span_str(bodies[_i])));
	ck_assert_int_eq(record.type, RECORD_TRAFFIC);
	testing_expect(&record, TOY_RECORD);
}
END_TEST

/* A field too few or too many, or one that is not what stands in its place. */
START_TEST(the_order_is_not_guessed)
{
	static const char *const bodies[] = {
	    TOY_OLD_ENDS "TCP,Away," TOY_TIMES TOY_TEXTS,
	    "pc-0147," TOY_OLD_ENDS "Away,TCP," TOY_TIMES TOY_TEXTS,
	    "pc-0147," TOY_OLD_ENDS "TCP," TOY_TIMES TOY_TEXTS,
	    "pc-0147," TOY_OLD_ENDS "TCP,Away,Aa: x,Bb: y,Cc: 3," TOY_TEXTS,
	    "pc-0147," TOY_OLD_ENDS "TCP,Away," TOY_TIMES TOY_TEXTS ",Jj: x",
	    "pc-0147," TOY_OLD_ENDS "TCP,Away," TOY_TIMES "Dd: a,Ee: b",
	    "pc-0147," TOY_TIMES TOY_TEXTS,
	};

	ck_assert_ptr_nonnull(parse(span_str(bodies[_i])));
}
END_TEST

START_TEST(the_order_is_not_enough_without_the_tag)
{
	context.tagged = false;
	ck_assert_ptr_nonnull(
	    parse(SPAN("pc-0147," TOY_ENDS "TCP,Away," TOY_TIMES TOY_TEXTS)));
}
END_TEST

/*
 * What a shorter part of a record may be taken for. The texts of the server's
 * logs have no label behind them that could tell.
 */
static bool
plausible(enum record_type whole, enum record_type part)
{
	switch (part) {
	case RECORD_UNPARSED:
		return true;
	case RECORD_SERVER_SYSTEM:
		return whole == RECORD_SERVER_SYSTEM ||
		       whole == RECORD_AGENT_ACTIVITY ||
		       whole == RECORD_ADMIN || whole == RECORD_POLICY;
	case RECORD_AGENT_ACTIVITY:
	case RECORD_ADMIN:
		return whole == part || whole == RECORD_POLICY;
	default:
		return whole == part;
	}
}

/* What is in a part of a traffic record is in the whole of it: the beginning
 * of a text that has commas, else the same. Half a group of addresses is
 * possible, and half an old `Action`, which can be the last. */
static void
check_part(const struct record *whole, const struct record *part)
{
	static struct testing_text a, b;

	for (size_t i = 0; i < RECORD_F_EXTRA; i++) {
		enum record_field f = (enum record_field)i;
		bool text = record_field_info[f].kind == RECORD_TEXT;

		if (!record_has(part, f) || f == RECORD_F_ACTION ||
		    f == RECORD_F_ADDRESSES)
			continue;
		testing_value(part, f, &a);
		b.p[b.n = 0] = '\0';
		if (record_has(whole, f))
			testing_value(whole, f, &b);
		ck_assert_msg(
		    text ? span_starts(span_of(b.p, b.n), span_of(a.p, a.n))
			 : strcmp(a.p, b.p) == 0,
		    "%s: '%s' of '%s'", record_field_info[f].key.p, a.p, b.p);
	}
}

START_TEST(every_prefix_is_a_part_of_the_record)
{
	static const char *const bodies[] = {
	    HEAD RULE PLACE "Action: Allowed," HASHES,
	    "SEPM-A1," HEAD RULE PLACE "Action: Allowed," HASHES,
	    OLD_HEAD RULE OLD_PLACE "Action: Allowed",
	    "pc-0147," HASHES "," OLD_ENDS "UDP,Outbound," OLD_TIMES APPLICATION
	    "Rule: a,b,Location: c,User: d,Domain: e",
	    HEAD "\"Rule: a, \"\"b\"\", c\"," PLACE
		 "IP Address1: 192.0.2.1,MAC Address1: 00005E005301,"
		 "GATEWAY1: 192.0.2.2,Action: Allowed," HASHES,
	    "pc-0147," PACKET,
	    "pc-0147,Event Description: x,Event Type: ," SECURITY
	    "," TIMES SECURITY_END CIDS,
	    "Virus found," RISK,
	    "Found,Computer name: pc,Detection type: Guess,Risk name: x",
	    SCAN,
	    "pc-0147," BEHAVIOR,
	    "pc-0147," SYSTEM,
	    ACTIVITY,
	    "Site: Oak,Server: s,Domain: d,Admin: r,Event Description: x",
	    "Site: Oak,Server: s,Domain: d,Admin: r,x,y",
	    "Site: Oak,Server: s,Backup done.",
	};
	static struct record whole;
	struct span text = span_str(bodies[_i]);
	struct guard guard;

	guard_open(&guard, text.n);
	for (size_t n = text.n + 1; n-- > 0;) {
		parse(guard_place(&guard, span_take(text, n)));
		if (n == text.n)
			whole = record;
		ck_assert_msg(plausible(whole.type, record.type), "%s: %.*s",
		    record_type_name[record.type].p, (int)n, text.p);
		if (whole.type != RECORD_TRAFFIC ||
		    record.type != RECORD_TRAFFIC || n == text.n)
			continue;
		/* The bytes move: the whole again, from where they stay. */
		context.explain = NULL;
		record_reset(&whole);
		sepm_parse(&body, text, &context, &whole);
		check_part(&whole, &record);
	}
	guard_close(&guard);
}
END_TEST

/* Without room for rewritten values they stay as they came, or are left out;
 * the record is there all the same. */
START_TEST(a_full_arena_does_no_harm)
{
	char room[256];
	struct arena small = {room, 0, 0};
	struct span text = SPAN(
	    "pc,\"Local Host IP: 2001:DB8::1\"," REMOTE
	    "Odd,Herein," TIMES APPLICATION
	    "Rule: \"a \"\"b\"\"\",\"c, d\",e," PLACE "Action: Ask," HASHES);

	context.arena = &small;
	for (small.size = 0; small.size < sizeof(room); small.size++) {
		small.used = 0;
		record_reset(&record);
		ck_assert_ptr_null(sepm_parse(&body, text, &context, &record));
		testing_expect(&record, "host=pc\nremote_port=443");
	}
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("sepm");
	TCase *split = tcase_create("split"),
	      *traffic = tcase_create("traffic");
	TCase *type = tcase_create("type"), *cut = tcase_create("cut");

	tcase_add_checked_fixture(split, setup, teardown);
	tcase_add_loop_test(
	    split, fields_are_split_as_sepm_quotes_them, 0, COUNT(splits));
	tcase_add_test(split, the_last_field_takes_what_is_too_much);
	suite_add_tcase(s, split);

	tcase_add_checked_fixture(traffic, setup, teardown);
	tcase_add_loop_test(traffic, traffic_of_every_version_is_taken_apart, 0,
	    COUNT(versions));
	tcase_add_loop_test(
	    traffic, free_text_keeps_its_commas, 0, COUNT(texts));
	tcase_add_loop_test(
	    traffic, what_does_not_fit_goes_to_extra, 0, COUNT(extras));
	tcase_add_loop_test(traffic, protocol_and_direction_stand_before_begin,
	    0, COUNT(places));
	tcase_add_test(traffic, a_full_arena_does_no_harm);
	suite_add_tcase(s, traffic);

	tcase_add_checked_fixture(type, setup, teardown);
	tcase_add_loop_test(
	    type, the_shape_tells_the_type_and_the_names, 0, COUNT(kinds));
	tcase_add_loop_test(
	    type, anything_else_is_refused_with_a_reason, 0, COUNT(refused));
	tcase_add_loop_test(type, a_strong_shape_needs_no_tag, 0, 10);
	suite_add_tcase(s, type);

	tcase_set_timeout(cut, 60);
	tcase_add_checked_fixture(cut, setup, teardown);
	tcase_add_loop_test(
	    cut, the_last_field_of_a_cut_record_is_dropped, 0, COUNT(cuts));
	tcase_add_test(cut, new_labels_may_end_with_a_known_action);
	tcase_add_loop_test(cut, lines_tell_the_release_that_wrote_them, 0,
	    (int)(sizeof releases / sizeof releases[0]));
	tcase_add_test(cut, a_message_over_the_limit_is_cut_wherever_it_ends);
	tcase_add_loop_test(cut, security_is_cut_before_the_payload, 0, 3);
	tcase_add_loop_test(
	    cut, traffic_of_an_unknown_language_is_told_by_its_order, 0, 7);
	tcase_add_loop_test(cut, the_order_is_not_guessed, 0, 7);
	tcase_add_test(cut, the_order_is_not_enough_without_the_tag);
	tcase_add_loop_test(cut, every_prefix_is_a_part_of_the_record, 0, 16);
	suite_add_tcase(s, cut);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
