#include <check.h>
#include <stdlib.h>

#include "guard.h"
#include "run.h"
#include "sepm_label.h"
#include "sepm_language.h"
#include "testing.h"

static struct sepm_labels labels;

static void
setup(void)
{
	sepm_labels_init(&labels);
}

struct row {
	const char *text;
	enum sepm_label label;
	unsigned number;
};

/* clang-format off */
static const struct row known[] = {
	/* every spelling of the traffic log */
	{ "Local",			SEPM_LOCAL, 0 },
	{ "Local Host",			SEPM_LOCAL_IP, 0 },
	{ "Local Host IP",		SEPM_LOCAL_IP, 0 },
	{ "Local Port",			SEPM_LOCAL_PORT, 0 },
	{ "Local Host MAC",		SEPM_LOCAL_MAC, 0 },
	{ "Remote",			SEPM_REMOTE, 0 },
	{ "Remote Host IP",		SEPM_REMOTE_IP, 0 },
	{ "Remote Host Name",		SEPM_REMOTE_NAME, 0 },
	{ "Remote Port",		SEPM_REMOTE_PORT, 0 },
	{ "Remote Host MAC",		SEPM_REMOTE_MAC, 0 },
	{ "Begin",			SEPM_BEGIN, 0 },
	{ "Begin Time",			SEPM_BEGIN, 0 },
	{ "End",			SEPM_END, 0 },
	{ "End Time",			SEPM_END, 0 },
	{ "Occurrences",		SEPM_OCCURRENCES, 0 },
	{ "Application",		SEPM_APPLICATION, 0 },
	{ "Rule",			SEPM_RULE, 0 },
	{ "Location",			SEPM_LOCATION, 0 },
	{ "User",			SEPM_USER, 0 },
	{ "User Name",			SEPM_USER, 0 },
	{ "Domain",			SEPM_DOMAIN, 0 },
	{ "Domain Name",		SEPM_DOMAIN, 0 },
	{ "Action",			SEPM_ACTION, 0 },
	{ "SHA-256",			SEPM_SHA256, 0 },
	{ "MD-5",			SEPM_MD5, 0 },
	/* case, blanks, U+00A0 */
	{ "local host ip",		SEPM_LOCAL_IP, 0 },
	{ "LOCAL HOST MAC",		SEPM_LOCAL_MAC, 0 },
	{ "sha-256",			SEPM_SHA256, 0 },
	{ "Md-5",			SEPM_MD5, 0 },
	{ "Action ",			SEPM_ACTION, 0 },
	{ " Domain",			SEPM_DOMAIN, 0 },
	{ "Action\u00a0",		SEPM_ACTION, 0 },
	{ "\u00a0Rule \u00a0",		SEPM_RULE, 0 },
	{ "User\u00a0Name",		SEPM_USER, 0 },
	/* the agent-info block, both spellings */
	{ "IP Address1",		SEPM_AGENT_IP, 1 },
	{ "MAC Address1",		SEPM_AGENT_MAC, 1 },
	{ "GATEWAY1",			SEPM_AGENT_GATEWAY, 1 },
	{ "IP Address 2",		SEPM_AGENT_IP, 2 },
	{ "MAC Address 3",		SEPM_AGENT_MAC, 3 },
	{ "GATEWAY IP 4",		SEPM_AGENT_GATEWAY, 4 },
	{ "gateway12",			SEPM_AGENT_GATEWAY, 12 },
	{ "ip address 99",		SEPM_AGENT_IP, 99 },
	{ "IP Address01",		SEPM_AGENT_IP, 1 },
	{ "IP Address",			SEPM_IP_ADDRESS, 0 },
	/* numbers that belong to the label */
	{ "User1",			SEPM_USER1, 0 },
	{ "User2",			SEPM_USER2, 0 },
	/* what tells types */
	{ "Event Description",		SEPM_EVENT_DESCRIPTION, 0 },
	{ "Intrusion ID",		SEPM_INTRUSION_ID, 0 },
	{ "CIDS Signature ID",		SEPM_CIDS_ID, 0 },
	{ "CIDS Signature string",	SEPM_CIDS_STRING, 0 },
	{ "CIDS Signature SubID",	SEPM_CIDS_SUBID, 0 },
	{ "Intrusion URL",		SEPM_INTRUSION_URL, 0 },
	{ "Intrusion Payload URL",	SEPM_INTRUSION_PAYLOAD_URL, 0 },
	{ "Detection type",		SEPM_DETECTION_TYPE, 0 },
	{ "Risk name",			SEPM_RISK_NAME, 0 },
	{ "Computer name",		SEPM_COMPUTER, 0 },
	{ "Computer",			SEPM_COMPUTER, 0 },
	{ "Category",			SEPM_CATEGORY, 0 },
	{ "Scan ID",			SEPM_SCAN_ID, 0 },
	{ "Action Type",		SEPM_ACTION_TYPE, 0 },
	{ "Device ID",			SEPM_DEVICE_ID, 0 },
	{ "Site",			SEPM_SITE, 0 },
	{ "Server",			SEPM_SERVER, 0 },
	{ "Server Name",		SEPM_SERVER, 0 },
	{ "Admin",			SEPM_ADMIN, 0 },
	{ "Event time",			SEPM_EVENT_TIME, 0 },
	{ "Group",			SEPM_GROUP, 0 },
	{ "Group Name",			SEPM_GROUP, 0 },
	{ "Permitted application reason", SEPM_ALLOWED_REASON, 0 },
	{ "Event Insert Time",		SEPM_EVENT_INSERT_TIME, 0 },
	{ "Source Computer IP",		SEPM_SOURCE_COMPUTER_IP, 0 },
	{ "Certificate serial number",	SEPM_CERTIFICATE_SERIAL, 0 },
	{ "URL Category",		SEPM_URL_CATEGORY, 0 },
	{ "Correlation ID",		SEPM_CORRELATION_ID, 0 },
};

/* With either apostrophe and any blank before the colon. */
static const struct row french[] = {
	{ "IP de l’hôte local ",	SEPM_LOCAL_IP, 0 },
	{ "IP de l'hôte local\u00a0",	SEPM_LOCAL_IP, 0 },
	{ "IP de l’hôte local\u202f",	SEPM_LOCAL_IP, 0 },
	{ "ip\u00a0de l’hôte local",	SEPM_LOCAL_IP, 0 },
	{ "Port local ",		SEPM_LOCAL_PORT, 0 },
	{ "Adresse IP de l’hôte distant\u00a0", SEPM_REMOTE_IP, 0 },
	{ "Nom de l’hôte distant",	SEPM_REMOTE_NAME, 0 },
	{ "Port distant",		SEPM_REMOTE_PORT, 0 },
	{ "Application ",		SEPM_APPLICATION, 0 },
	{ "Action\u202f",		SEPM_ACTION, 0 },
	{ "Source ",			SEPM_SOURCE, 0 },
	{ "Commencer",			SEPM_BEGIN, 0 },
	{ "Règle",			SEPM_RULE, 0 },
	{ "règle ",			SEPM_RULE, 0 },
	{ "Nom d’utilisateur ",		SEPM_USER, 0 },
	{ "Nom d'utilisateur",		SEPM_USER, 0 },
	{ "Nom du domaine ",		SEPM_DOMAIN, 0 },
	{ "Type d’action",		SEPM_ACTION_TYPE, 0 },
	{ "Taille de fichier (octets) ", SEPM_FILE_SIZE, 0 },
	{ "ID du périphérique",		SEPM_DEVICE_ID, 0 },
	{ "Adresse IP ",		SEPM_IP_ADDRESS, 0 },
	{ "Adresse IP1 ",		SEPM_AGENT_IP, 1 },
	{ "Nom du risque ",		SEPM_RISK_NAME, 0 },
	{ "Chemin de fichier ",		SEPM_FILE_PATH, 0 },
	{ "Action réelle ",		SEPM_ACTUAL_ACTION, 0 },
	{ "Action secondaire ",		SEPM_SECONDARY_ACTION, 0 },
	{ "Nom du serveur ",		SEPM_SERVER, 0 },
	{ "Hachage d’application ",	SEPM_APPLICATION_HASH, 0 },
	{ "Jeu de catégories ",		SEPM_CATEGORY_SET, 0 },
	{ "Type de catégorie ",		SEPM_CATEGORY_TYPE, 0 },
	{ "ID de l’analyse ",		SEPM_SCAN_ID, 0 },
	{ "Utilisateur1 ",		SEPM_USER1, 0 },
	{ "Utilisateur2 ",		SEPM_USER2, 0 },
	{ "Ordinateur ",		SEPM_COMPUTER, 0 },
	{ "Type d’analyse ",		SEPM_SCAN_TYPE, 0 },
};

static const struct row simplified_chinese[] = {
	{ "本地",			SEPM_LOCAL, 0 },
	{ "远程",			SEPM_REMOTE, 0 },
	{ "开始",			SEPM_BEGIN, 0 },
	{ "应用程序",			SEPM_APPLICATION, 0 },
	{ "规则",			SEPM_RULE, 0 },
	{ "位置",			SEPM_LOCATION, 0 },
	{ "用户",			SEPM_USER, 0 },
	{ "域",				SEPM_DOMAIN, 0 },
	{ "操作",			SEPM_ACTION, 0 },
	{ "操作\u3000",			SEPM_ACTION, 0 },
	{ "CIDS 特征 ID",		SEPM_CIDS_ID, 0 },
	{ "cids 特征 id",		SEPM_CIDS_ID, 0 },
	{ "CIDS 特征字符串",		SEPM_CIDS_STRING, 0 },
	{ "入侵 URL",			SEPM_INTRUSION_URL, 0 },
	{ "IP 地址",			SEPM_IP_ADDRESS, 0 },
	{ "计算机名",			SEPM_COMPUTER, 0 },
	{ "风险名称",			SEPM_RISK_NAME, 0 },
	{ "出现次数",			SEPM_OCCURRENCES, 0 },
	{ "实际的操作",			SEPM_ACTUAL_ACTION, 0 },
	{ "请求的操作",			SEPM_REQUESTED_ACTION, 0 },
	{ "事件时间",			SEPM_EVENT_TIME, 0 },
	{ "源计算机",			SEPM_SOURCE_COMPUTER_NAME, 0 },
	{ "源 IP",			SEPM_SOURCE_COMPUTER_IP, 0 },
	{ "可信度",			SEPM_CONFIDENCE, 0 },
};

static const struct row japanese[] = {
	{ "ローカル",			SEPM_LOCAL, 0 },
	{ "リモート",			SEPM_REMOTE, 0 },
	{ "ローカルポート",		SEPM_LOCAL_PORT, 0 },
	{ "リモートポート",		SEPM_REMOTE_PORT, 0 },
	{ "アプリケーション",		SEPM_APPLICATION, 0 },
	{ "ユーザー",			SEPM_USER, 0 },
	{ "ドメイン",			SEPM_DOMAIN, 0 },
	{ "CIDS シグネチャ文字列",	SEPM_CIDS_STRING, 0 },
	{ "CIDS シグネチャ ID",		SEPM_CIDS_ID, 0 },
	{ "シグネチャ ID",		SEPM_CIDS_ID, 0 },
	{ "IP アドレス",		SEPM_IP_ADDRESS, 0 },
	{ "IP\u3000アドレス",		SEPM_IP_ADDRESS, 0 },
	{ "コンピュータ名",		SEPM_COMPUTER, 0 },
	{ "リスク名",			SEPM_RISK_NAME, 0 },
	{ "件数",			SEPM_OCCURRENCES, 0 },
	{ "実際の処理",			SEPM_ACTUAL_ACTION, 0 },
	{ "イベント時間",		SEPM_EVENT_TIME, 0 },
	{ "送信元 IP",			SEPM_SOURCE_COMPUTER_IP, 0 },
	{ "信頼度",			SEPM_CONFIDENCE, 0 },
	{ "アプリケーションハッシュ",	SEPM_APPLICATION_HASH, 0 },
	{ "会社名",			SEPM_COMPANY_NAME, 0 },
	{ "カテゴリセット",		SEPM_CATEGORY_SET, 0 },
	{ "カテゴリの種類",		SEPM_CATEGORY_TYPE, 0 },
	{ "スキャン ID",		SEPM_SCAN_ID, 0 },
	{ "ユーザー 1",			SEPM_USER1, 0 },
	{ "ユーザー 2",			SEPM_USER2, 0 },
	{ "脅威",			SEPM_THREATS, 0 },
	{ "感染",			SEPM_INFECTED, 0 },
	{ "コンピュータ",		SEPM_COMPUTER, 0 },
	{ "グループ",			SEPM_GROUP, 0 },
};

static const char *const unknown[] = {
	"", " ", "\u00a0", "1", "12", "L", "Loca", "Locals", "Local  Host",
	"Local-Host", "LocalHost", "Rule Serial", "Tenant", "SHA-1", "MD5",
	/* numbers outside the block, or none in it */
	"IP Address0", "IP Address100", "IP Address123456", "Local1",
	"User3", "MAC Address", "GATEWAY", "GATEWAY IP", "MAC Address 0",
	/* other letters are compared as they are */
	"RÈGLE", "Regle", "操", "作操", "コンピュータ 名",
	/* half a character */
	"R\xc3", "Action\xe2\x80", "\xe6\x93",
	"Action\xc2", "\xc2", "\xe2\x80", "\xff\xff",
	/* longer than any */
	"Local Host IP Local Host IP Local Host IP Local Host IP Local Host IP",
};
/* clang-format on */

static void
check_row(const struct row *row)
{
	unsigned number = 7;
	enum sepm_label label =
	    sepm_label_find(&labels, span_str(row->text), &number);

	ck_assert_int_eq(label, row->label);
	ck_assert_uint_eq(number, row->number);
}

START_TEST(each_label_has_one_meaning)
{
	check_row(&known[_i]);
}
END_TEST

START_TEST(french_labels_are_known)
{
	check_row(&french[_i]);
}
END_TEST

START_TEST(simplified_chinese_labels_are_known)
{
	check_row(&simplified_chinese[_i]);
}
END_TEST

START_TEST(japanese_labels_are_known)
{
	check_row(&japanese[_i]);
}
END_TEST

/* Nor does a language have a label twice. */
START_TEST(no_language_hides_a_label_of_another)
{
	const struct sepm_language *language = &sepm_languages[_i];

	for (size_t i = 0; i < language->count; i++) {
		const struct sepm_label_row *row = &language->rows[i];
		unsigned number, found = 0;

		if (row->label != SEPM_AGENT_MAC &&
		    row->label != SEPM_AGENT_GATEWAY)
			ck_assert_int_eq(
			    sepm_label_find(&labels, row->text, &number),
			    row->label);
		for (unsigned j = 0; j < labels.rows; j++)
			found += span_eq(labels.row[j]->text, row->text);
		ck_assert_msg(found == 1, "%s: %.*s", language->tag,
		    (int)row->text.n, row->text.p);
	}
}
END_TEST

START_TEST(nothing_is_guessed_of_no_label)
{
	char text[1024];

	memset(text, 'a', sizeof(text));
	ck_assert_ptr_null(sepm_label_guess(&labels, SPAN("")));
	ck_assert_ptr_null(
	    sepm_label_guess(&labels, span_of(text, sizeof(text))));
}
END_TEST

START_TEST(anything_else_has_none)
{
	unsigned number = 7;
	enum sepm_label label =
	    sepm_label_find(&labels, span_str(unknown[_i]), &number);

	ck_assert_int_eq(label, SEPM_NO_LABEL);
	ck_assert_uint_eq(number, 0);
}
END_TEST

START_TEST(labels_are_read_within_their_bytes)
{
	struct guard guard;
	unsigned number;

	guard_open(&guard, 256);
	for (unsigned i = 0; i < labels.rows; i++) {
		struct span text = labels.row[i]->text;

		for (size_t n = 0; n <= text.n; n++) {
			struct span part =
			    guard_place(&guard, span_take(text, n));

			sepm_label_find(&labels, part, &number);
			sepm_label_begins(part);
		}
	}
	guard_close(&guard);
}
END_TEST

/* So that a label cut in its middle is known for one. */
START_TEST(every_prefix_of_a_label_begins_one)
{
	static const char *const texts[] = {"Local Host MAC",
	    "Remote Host Name", "Occurrences", "SHA-256", "MD-5", "Domain Name",
	    "Intrusion Payload URL", "IP de l’hôte local", "风险名称",
	    "ローカルポート"};
	struct span text = span_str(texts[_i]);

	for (size_t n = 1; n <= text.n; n++)
		ck_assert(sepm_label_begins(span_take(text, n)));
}
END_TEST

START_TEST(other_text_begins_no_label)
{
	static const char *const texts[] = {
	    "", "local", "Zz", "Actions", "MD-5:", "Local Host IP 1", "x"};

	ck_assert(!sepm_label_begins(span_str(texts[_i])));
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("label");
	TCase *tc = tcase_create("labels");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, each_label_has_one_meaning, 0, COUNT(known));
	tcase_add_loop_test(tc, french_labels_are_known, 0, COUNT(french));
	tcase_add_loop_test(tc, simplified_chinese_labels_are_known, 0,
	    COUNT(simplified_chinese));
	tcase_add_loop_test(tc, japanese_labels_are_known, 0, COUNT(japanese));
	tcase_add_loop_test(
	    tc, no_language_hides_a_label_of_another, 0, SEPM_LANGUAGES);
	tcase_add_test(tc, nothing_is_guessed_of_no_label);
	tcase_add_loop_test(tc, anything_else_has_none, 0, COUNT(unknown));
	tcase_add_test(tc, labels_are_read_within_their_bytes);
	tcase_add_loop_test(tc, every_prefix_of_a_label_begins_one, 0, 10);
	tcase_add_loop_test(tc, other_text_begins_no_label, 0, 7);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
