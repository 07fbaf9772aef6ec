#include <check.h>
#include <stdlib.h>

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

/* The whole record, a line for each key in the order of the table. */
static const char *
text_of(const struct record *r)
{
	static struct testing_text all, value;

	all = (struct testing_text){.n = 0};
	testing_add(&all, record_type_name[r->type]);
	for (size_t f = 0; f < RECORD_FIELD_COUNT; f++) {
		bool flags = f == RECORD_F_FLAGS && r->flags != 0;

		if (!record_has(r, (enum record_field)f) && !flags)
			continue;
		testing_value(r, (enum record_field)f, &value);
		testing_add(&all, SPAN("\n"));
		testing_add(&all, record_field_info[f].key);
		testing_add(&all, SPAN("="));
		testing_add(&all, span_of(value.p, value.n));
	}
	testing_add(&all, SPAN("\0"));
	return all.p;
}

#define RISK_HEAD                                                              \
	"IP Address: 192.0.2.31,Computer name: pc-31,Source: Look,"            \
	"Risk name: T.1,Occurrences: 2,"
#define RISK_HEAD_IS                                                           \
	"\nhost=pc-31\noccurrences=2\nevent_description=Virus found"           \
	"\nsource=Look\nip_address=192.0.2.31\nrisk_name=T.1"
#define T1 "2024-05-14 10:46:00"
#define T1_IS "2024-05-14T10:46:00Z"
#define SITE "Site: Oak,Server: s1,"

/* Body, the SEPM's name in the header, and the whole record. */
static const struct {
	const char *text, *before, *record;
} bodies[] = {
    /* packet, 12.1: the labels repeated */
    {"pc-31,Local: 192.0.2.31,Local: 50300,Remote: 198.51.100.31,"
     "Remote: shop.example,Remote: 8443,Inbound,Application: C:/t.exe,"
     "Action: Blocked",
	"S",
	"packet\nsepm=S\nhost=pc-31\nlocal_ip=192.0.2.31\nlocal_port=50300\n"
	"remote_ip=198.51.100.31\nremote_name=shop.example\n"
	"remote_port=8443\ndirection=inbound\napplication=C:/t.exe\n"
	"action=blocked"},
    /* a comma in the application, no quotes */
    {"pc-31,Local Host IP: 192.0.2.31,Local Port: 1,"
     "Remote Host IP: 198.51.100.31,Remote Host Name: ,Remote Port: 2,"
     "Outbound,Application: C:/a,b.exe,Action: Allowed",
	"S",
	"packet\nsepm=S\nhost=pc-31\nlocal_ip=192.0.2.31\nlocal_port=1\n"
	"remote_ip=198.51.100.31\nremote_port=2\ndirection=outbound\n"
	"application=C:/a,b.exe\naction=allowed"},

    /* security, 14.3, everything filled */
    {"pc-31,Event Description: [SID: 9] Toy,Event Type: Intrusion,"
     "Local Host IP: 192.0.2.31,Local Host MAC: 00005E00531F,"
     "Remote Host Name: r.example,Remote Host IP: 198.51.100.13,"
     "Remote Host MAC: 00005E0053FE,Outbound,UDP,Intrusion ID: 7,"
     "Begin: 2024-05-14 10:45:00,End Time: 2024-05-14 10:45:09,"
     "Occurrences: 3,Application: a.exe,Location: Guest,User Name: u,"
     "Domain Name: W,Local Port: 1,Remote Port: 2,CIDS Signature ID: 9,"
     "CIDS Signature string: Toy,CIDS Signature SubID: 12,"
     "Intrusion URL: http://r.example/a?b=1,c=2,Intrusion Payload URL: p,"
     "IP Address1: 192.0.2.31,MAC Address1: 00005E00531F,GATEWAY1: ,"
     "SHA-256: ,MD-5: 5C8E9264F1D03B7AA7D1C3F05B9E4826,"
     "Intensive Protection Level: 1,URL Risk: 5,URL Category: Web,"
     "Correlation ID: c7",
	"S",
	"security\nsepm=S\nhost=pc-31\nlocal_ip=192.0.2.31\nlocal_port=1\n"
	"local_mac=00:00:5e:00:53:1f\nremote_ip=198.51.100.13\n"
	"remote_name=r.example\nremote_port=2\n"
	"remote_mac=00:00:5e:00:53:fe\nprotocol=udp\ndirection=outbound\n"
	"begin=2024-05-14T10:45:00Z\nend=2024-05-14T10:45:09Z\n"
	"occurrences=3\napplication=a.exe\nlocation=Guest\nuser=u\n"
	"domain=W\nmd5=5c8e9264f1d03b7aa7d1c3f05b9e4826\n"
	"addresses=192.0.2.31/00:00:5e:00:53:1f/\nevent_type=Intrusion\n"
	"event_description=[SID: 9] Toy\nintrusion_id=7\n"
	"cids_signature_id=9\ncids_signature_string=Toy\n"
	"cids_signature_subid=12\n"
	"intrusion_url=http://r.example/a?b=1,c=2\n"
	"intrusion_payload_url=p\nurl_risk=5\nurl_category=Web\n"
	"correlation_id=c7\nintensive_protection_level=1"},
    /* SEP 11: no label for the text, a word in the slot, ends with Domain */
    {"SEPM-A1,pc-31,Port scan seen,Local: 192.0.2.31,Local: 00005E00531F,"
     "Remote: ,Remote: 198.51.100.13,Remote: 00005E0053FE,Inbound,TCP,Slot,"
     "Begin: " T1 ",End: " T1 ",Occurrences: 1,Application: ,Location: Guest,"
     "User: u,Domain: W",
	"",
	"security\nsepm=SEPM-A1\nhost=pc-31\nlocal_ip=192.0.2.31\n"
	"local_mac=00:00:5e:00:53:1f\nremote_ip=198.51.100.13\n"
	"remote_mac=00:00:5e:00:53:fe\nprotocol=tcp\ndirection=inbound\n"
	"begin=" T1_IS "\nend=" T1_IS "\noccurrences=1\nlocation=Guest\n"
	"user=u\ndomain=W\nevent_description=Port scan seen\n"
	"intrusion_id=Slot"},
    /* a description that reads like a label, behind the hashes */
    {"pc-31,SHA-256: ,MD-5: ,Attack: Toy blocked,Local: 192.0.2.31,Local: ,"
     "Remote: ,Remote: 198.51.100.13,Remote: ,Inbound,TCP,,Begin: " T1
     ",End: " T1 ",Occurrences: 1",
	"S",
	"security\nsepm=S\nhost=pc-31\nlocal_ip=192.0.2.31\n"
	"remote_ip=198.51.100.13\nprotocol=tcp\ndirection=inbound\n"
	"begin=" T1_IS "\nend=" T1_IS "\noccurrences=1\n"
	"event_description=Attack: Toy blocked"},

    /* risk: path and description with and without their labels */
    {"Virus found," RISK_HEAD "D:\\t.exe,seen twice,Actual action: Deleted",
	"S",
	"risk\nsepm=S" RISK_HEAD_IS "\nfile_path=D:\\t.exe\n"
	"description=seen twice\nactual_action=Deleted"},
    {"SEPM-A1,Virus found," RISK_HEAD "D:\\t.exe,,Actual action: Deleted", "",
	"risk\nsepm=SEPM-A1" RISK_HEAD_IS "\nfile_path=D:\\t.exe\n"
	"actual_action=Deleted"},
    /* a comma too many is the description's */
    {"Virus found," RISK_HEAD "D:\\t.exe,seen,or so,Actual action: Deleted",
	"S",
	"risk\nsepm=S" RISK_HEAD_IS "\nfile_path=D:\\t.exe\n"
	"description=seen,or so\nactual_action=Deleted"},
    {"Virus found," RISK_HEAD "D:\\t.exe,\"seen, or\",so,Actual action: a", "S",
	"risk\nsepm=S" RISK_HEAD_IS "\nfile_path=D:\\t.exe\n"
	"description=seen, or,so\nactual_action=a"},
    /* old labels; what nobody knows is not taken for a path */
    {"Virus found," RISK_HEAD "Tenant: east,File path: D:\\t,Inserted: " T1
     ",Domain: d,Group: g,Server: s,User: u,Source computer: c,"
     "Source IP: 192.0.2.9,Risk action: x",
	"S",
	"risk\nsepm=S\nhost=pc-31\noccurrences=2\nuser=u\ndomain_name=d\n"
	"server_name=s\ngroup_name=g\nevent_insert_time=" T1_IS "\n"
	"event_description=Virus found\nsource=Look\n"
	"ip_address=192.0.2.31\nrisk_name=T.1\nrisk_action=x\n"
	"file_path=D:\\t\nsource_computer_name=c\n"
	"source_computer_ip=192.0.2.9\nextra=Tenant=east"},
    /* the protection level and certificates right behind the computer */
    {"Computer name: pc-31,Intensive Protection Level: 2,"
     "Certificate issuer: i,Certificate signer: s,Certificate thumbprint: t,"
     "Signing timestamp: 0,Certificate serial number: n,Source: Look,"
     "Risk name: T.1,Occurrences: x,File size (bytes): 1 KB",
	"S",
	"risk\nsepm=S\nhost=pc-31\nsource=Look\nrisk_name=T.1\n"
	"intensive_protection_level=2\ncertificate_issuer=i\n"
	"certificate_signer=s\ncertificate_thumbprint=t\n"
	"certificate_serial_number=n\nsigning_timestamp=0\n"
	"extra=Occurrences=x|File size (bytes)=1 KB"},
    /* one bare field more than is known is kept */
    {"SEPM-A1,odd,Virus found," RISK_HEAD "File path: p,Description: ", "",
	"risk\nhost=pc-31\noccurrences=2\nevent_description=Virus found\n"
	"source=Look\nip_address=192.0.2.31\nrisk_name=T.1\nfile_path=p\n"
	"extra=unlabelled=SEPM-A1|unlabelled=odd"},

    /* proactive: a reason without its label */
    {"Found,Computer name: pc-31,Detection type: Guess,"
     "COH Engine Version: 9,Detection Submissions Yes,as told,Disposition: d,"
     "Detection Source: s,Risk Level: l,Risk type: t,Detection score: 7,"
     "Risk name: ,Occurrences: 1,p,q",
	"S",
	"proactive\nsepm=S\nhost=pc-31\noccurrences=1\n"
	"event_description=Found\ndetection_type=Guess\ndetection_score=7\n"
	"detection_source=s\ndetection_submissions=Yes\n"
	"coh_engine_version=9\nrisk_level=l\nrisk_type=t\nfile_path=p\n"
	"description=q\ndisposition=d\nallowed_application_reason=as told"},
    {"Found,Computer name: pc-31,Detection type: Guess,COH Engine Version: 9,"
     "\u691c\u51fa,as told,Disposition: d",
	"S",
	"proactive\nsepm=S\nhost=pc-31\nevent_description=Found\n"
	"detection_type=Guess\ndetection_submissions=\u691c\u51fa\n"
	"coh_engine_version=9\ndisposition=d\n"
	"allowed_application_reason=as told"},

    /* scan: texts that read like labels, and commas in them */
    {"Scan ID: 7,Begin: " T1 ",End Time: " T1 ",Completed,"
     "Duration (seconds): 9,User1: a,User2: ,Scan started on all drives.,"
     "Scan Complete:  Risks: 0   Scanned: 22,Command: Not a command,"
     "Threats: 0,Infected: 0,Total files: 22,Omitted: 0,Computer: pc-31,"
     "IP Address: 192.0.2.31,Domain: d,Group: g,Server: s",
	"S",
	"scan\nsepm=S\nhost=pc-31\nbegin=" T1_IS "\nend=" T1_IS "\n"
	"domain_name=d\nserver_name=s\ngroup_name=g\n"
	"ip_address=192.0.2.31\nscan_id=7\nstatus=Completed\n"
	"duration_seconds=9\nuser1=a\nstart_text=Scan started on all drives.\n"
	"end_text=Scan Complete:  Risks: 0   Scanned: 22\n"
	"command=Not a command\nthreats=0\ninfected=0\ntotal_files=22\n"
	"omitted=0"},
    {"Scan ID: 7,Begin: " T1 ",End: ,Started,Duration (seconds): many,"
     "User1: ,User2: ,a,Risks: 0,Scanned: 3,Command: ,Computer: pc-31",
	"S",
	"scan\nsepm=S\nhost=pc-31\nbegin=" T1_IS "\nscan_id=7\n"
	"status=Started\nstart_text=a\nend_text=Risks: 0,Scanned: 3\n"
	"extra=Duration (seconds)=many"},

    /* behavior: a command line with commas; a name for an address */
    {"pc-31,masked,Blocked,rule set,File Write,Begin: " T1 ",End Time: ,"
     "Rule: \"a, b\",4711,C:/p.exe,0x1,m.dll,-a,-b,,-c,User Name: u,"
     "Domain Name: W,Action Type: 4,File size (bytes): 12,Device ID: USB\\1",
	"S",
	"behavior\nsepm=S\nhost=pc-31\nbegin=" T1_IS "\nrule=a, b\nuser=u\n"
	"domain=W\naction=blocked\nevent_description=rule set\n"
	"file_size_bytes=12\napi=File Write\nprocess_id=4711\n"
	"process=C:/p.exe\nreturn_address=0x1\nmodule=m.dll\n"
	"parameters=-a,-b,,-c\naction_type=4\ndevice_id=USB\\1\n"
	"extra=local_ip=masked"},
    /* a cut one: what is there keeps its place */
    {"pc-31,192.0.2.31,Continue,d,api,Begin: " T1 ",End Time: " T1
     ",Rule: r,1,p,0,,x,User Name: u,Domain Name: W,Action Type: 4,Device I",
	"S",
	"behavior\nsepm=S\nhost=pc-31\nlocal_ip=192.0.2.31\nbegin=" T1_IS
	"\nend=" T1_IS "\nrule=r\nuser=u\ndomain=W\naction=continue\n"
	"event_description=d\napi=api\nprocess_id=1\nprocess=p\n"
	"return_address=0\nparameters=x\naction_type=4\nflags=truncated\n"
	"cut=Device I"},

    /* agent_system: the text with and without its label */
    {"pc-31,Category: 2,Updater,Lost: the manager,IP Address1: 192.0.2.31,"
     "Event time: " T1 ",Group Name: g",
	"S",
	"agent_system\nsepm=S\nhost=pc-31\n"
	"addresses=192.0.2.31//\nevent_time=" T1_IS "\ngroup_name=g\n"
	"event_description=Lost: the manager\ncategory=2\nsource=Updater"},
    {"pc-31,Category: 0,Smc,Service began, again", "S",
	"agent_system\nsepm=S\nhost=pc-31\n"
	"event_description=Service began, again\ncategory=0\nsource=Smc"},
    {"pc-31,Category: 0,Smc,Event Description: a, b: c,d", "S",
	"agent_system\nsepm=S\nhost=pc-31\n"
	"event_description=a, b: c,d\ncategory=0\nsource=Smc"},

    /* the management server's logs: texts with commas and colons */
    {SITE "Domain: d,The text: with, Rule: commas,pc-31,m,W", "S",
	"agent_activity\nsepm=S\nhost=pc-31\nuser=m\ndomain=W\n"
	"domain_name=d\nserver_name=s1\n"
	"event_description=The text: with, Rule: commas\nsite=Oak"},
    {SITE "Domain: d,Event Description: x,pc-31,m,W", "S",
	"agent_activity\nsepm=S\nhost=pc-31\nuser=m\ndomain=W\n"
	"domain_name=d\nserver_name=s1\nevent_description=x\nsite=Oak"},
    {SITE "Domain: d,Admin: r,Location: x was added", "S",
	"admin\nsepm=S\ndomain_name=d\nserver_name=s1\n"
	"event_description=Location: x was added\nsite=Oak\nadmin=r"},
    {SITE "Domain: d,Admin: r,Policy changed: a,b,My policy", "S",
	"policy\nsepm=S\ndomain_name=d\nserver_name=s1\n"
	"event_description=Policy changed: a,b\nsite=Oak\nadmin=r\n"
	"policy_name=My policy"},
    {SITE "Domain: d,Admin: r,Event Description: a,b,My policy", "S",
	"policy\nsepm=S\ndomain_name=d\nserver_name=s1\n"
	"event_description=a,b\nsite=Oak\nadmin=r\npolicy_name=My policy"},
    {SITE "Rows removed: 41, Group: 2", "S",
	"server_system\nsepm=S\nserver_name=s1\n"
	"event_description=Rows removed: 41, Group: 2\nsite=Oak"},
    {SITE "Event Description: Rows removed, Group: 2,User: 3", "S",
	"server_system\nsepm=S\nserver_name=s1\n"
	"event_description=Rows removed, Group: 2,User: 3\nsite=Oak"},
    {SITE "Event Description: \"a, b\",\"c, d\"", "S",
	"server_system\nsepm=S\nserver_name=s1\n"
	"event_description=a, b,c, d\nsite=Oak"},
};

START_TEST(a_body_gives_this_record)
{
	struct span text = span_str(bodies[_i].text);

	context.name_before_tag = span_str(bodies[_i].before);
	record_reset(&record);
	arena_reset(&arena);
	ck_assert_ptr_null(sepm_parse(&body, text, &context, &record));
	ck_assert_str_eq(text_of(&record), bodies[_i].record);
}
END_TEST

static bool
ends_with_comma(struct span text, size_t n)
{
	struct span s = span_trim(span_take(text, n));

	return s.n == 0 || s.p[s.n - 1] == ',';
}

/* What a prefix has is what the whole has: no half values. */
static void
expect_part_of(const struct record *part, const struct record *whole)
{
	static struct testing_text a, b;

	for (size_t f = 0; f < RECORD_F_EXTRA; f++) {
		if (!record_has(part, (enum record_field)f) ||
		    f == RECORD_F_ADDRESSES)
			continue;
		testing_value(part, (enum record_field)f, &a);
		testing_value(whole, (enum record_field)f, &b);
		ck_assert_str_eq(a.p, b.p);
	}
}

START_TEST(a_message_over_the_limit_loses_its_last_field_only)
{
	static struct sepm_body other;
	static struct record part;
	static struct arena apart;
	struct span text = span_str(bodies[_i].text);

	context.name_before_tag = span_str(bodies[_i].before);
	record_reset(&record);
	ck_assert_ptr_null(sepm_parse(&body, text, &context, &record));
	ck_assert(arena_init(&apart, 1 << 20));
	context.arena = &apart;
	context.cut = true;
	for (size_t n = 0; n < text.n; n++) {
		record_reset(&part);
		arena_reset(&apart);
		if (sepm_parse(&other, span_take(text, n), &context, &part))
			continue;
		ck_assert(part.flags & RECORD_TRUNCATED);
		/* cut behind a comma: it may have ended a field, or not */
		if (part.type == record.type && !ends_with_comma(text, n))
			expect_part_of(&part, &record);
	}
	arena_clear(&apart);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("read");
	TCase *whole = tcase_create("whole");
	const int count = sizeof(bodies) / sizeof(bodies[0]);

	tcase_add_checked_fixture(whole, setup, teardown);
	tcase_set_timeout(whole, 60);
	tcase_add_loop_test(whole, a_body_gives_this_record, 0, count);
	tcase_add_loop_test(whole,
	    a_message_over_the_limit_loses_its_last_field_only, 0, count);
	suite_add_tcase(s, whole);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
