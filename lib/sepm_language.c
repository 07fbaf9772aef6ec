/*
 * One table for each language. All of SEPM's languages are one list for those
 * who look a label up: a site with several servers sends several languages,
 * and a translated log has English labels between its own. Of a label that
 * two languages share, the first table counts.
 *
 * How sure a translation is: `seen` is in patterns that others publish for the
 * logs they have; `told` by the product's guide in that language; `derived` is
 * neither, but follows from a label that was seen. None is our own. What is
 * missing goes to extra under the label as it came.
 */
#include "sepm_language.h"

#define ROW(literal, label)                                                    \
	{                                                                      \
		{literal, sizeof(literal) - 1}, label                          \
	}

/* clang-format off */
static const struct sepm_label_row english[] = {
	/* traffic, old and new */
	ROW("Local",				SEPM_LOCAL),
	ROW("Remote",				SEPM_REMOTE),
	ROW("Local Host",			SEPM_LOCAL_IP),
	ROW("Local Host IP",			SEPM_LOCAL_IP),
	ROW("Local Port",			SEPM_LOCAL_PORT),
	ROW("Local Host MAC",			SEPM_LOCAL_MAC),
	ROW("Remote Host IP",			SEPM_REMOTE_IP),
	ROW("Remote Host",			SEPM_REMOTE_IP),
	ROW("Remote Host Name",			SEPM_REMOTE_NAME),
	ROW("Remote Port",			SEPM_REMOTE_PORT),
	ROW("Remote Host MAC",			SEPM_REMOTE_MAC),
	ROW("Begin",				SEPM_BEGIN),
	ROW("Begin Time",			SEPM_BEGIN),
	ROW("End",				SEPM_END),
	ROW("End Time",				SEPM_END),
	ROW("Occurrences",			SEPM_OCCURRENCES),
	ROW("Application",			SEPM_APPLICATION),
	ROW("Rule",				SEPM_RULE),
	ROW("Location",				SEPM_LOCATION),
	ROW("User",				SEPM_USER),
	ROW("User Name",			SEPM_USER),
	ROW("Domain",				SEPM_DOMAIN),
	ROW("Domain Name",			SEPM_DOMAIN),
	ROW("Action",				SEPM_ACTION),
	ROW("SHA-256",				SEPM_SHA256),
	ROW("MD-5",				SEPM_MD5),

	/* agent-info block; a number follows */
	ROW("MAC Address",			SEPM_AGENT_MAC),
	ROW("GATEWAY",				SEPM_AGENT_GATEWAY),
	ROW("GATEWAY IP",			SEPM_AGENT_GATEWAY),
	ROW("IP Address",			SEPM_IP_ADDRESS),

	/* other types */
	ROW("Event Description",		SEPM_EVENT_DESCRIPTION),
	ROW("Event Type",			SEPM_EVENT_TYPE),
	ROW("Intrusion ID",			SEPM_INTRUSION_ID),
	ROW("CIDS Signature ID",		SEPM_CIDS_ID),
	ROW("CIDS Signature string",		SEPM_CIDS_STRING),
	ROW("CIDS Signature SubID",		SEPM_CIDS_SUBID),
	ROW("Intrusion URL",			SEPM_INTRUSION_URL),
	ROW("Intrusion Payload URL",		SEPM_INTRUSION_PAYLOAD_URL),
	ROW("Detection type",			SEPM_DETECTION_TYPE),
	ROW("Risk name",			SEPM_RISK_NAME),
	ROW("Computer name",			SEPM_COMPUTER),
	ROW("Computer",				SEPM_COMPUTER),
	ROW("Category",				SEPM_CATEGORY),
	ROW("Scan ID",				SEPM_SCAN_ID),
	ROW("Action Type",			SEPM_ACTION_TYPE),
	ROW("Device ID",			SEPM_DEVICE_ID),
	ROW("Site",				SEPM_SITE),
	ROW("Server",				SEPM_SERVER),
	ROW("Server Name",			SEPM_SERVER),
	ROW("Admin",				SEPM_ADMIN),
	ROW("Event time",			SEPM_EVENT_TIME),
	ROW("Group",				SEPM_GROUP),
	ROW("Group Name",			SEPM_GROUP),
	ROW("Actual action",			SEPM_ACTUAL_ACTION),
	ROW("Allowed application reason",	SEPM_ALLOWED_REASON),
	ROW("Application hash",			SEPM_APPLICATION_HASH),
	ROW("Application name",			SEPM_APPLICATION_NAME),
	ROW("Application type",			SEPM_APPLICATION_TYPE),
	ROW("Application version",		SEPM_APPLICATION_VERSION),
	ROW("Category set",			SEPM_CATEGORY_SET),
	ROW("Category type",			SEPM_CATEGORY_TYPE),
	ROW("Certificate issuer",		SEPM_CERTIFICATE_ISSUER),
	ROW("Certificate serial number",	SEPM_CERTIFICATE_SERIAL),
	ROW("Certificate signer",		SEPM_CERTIFICATE_SIGNER),
	ROW("Certificate thumbprint",		SEPM_CERTIFICATE_THUMBPRINT),
	ROW("COH Engine Version",		SEPM_COH_ENGINE_VERSION),
	ROW("Command",				SEPM_COMMAND),
	ROW("Company name",			SEPM_COMPANY_NAME),
	ROW("Confidence",			SEPM_CONFIDENCE),
	ROW("Correlation ID",			SEPM_CORRELATION_ID),
	ROW("Description",			SEPM_DESCRIPTION),
	ROW("Detection score",			SEPM_DETECTION_SCORE),
	ROW("Detection Source",			SEPM_DETECTION_SOURCE),
	ROW("Disposition",			SEPM_DISPOSITION),
	ROW("Download site",			SEPM_DOWNLOAD_SITE),
	ROW("Downloaded by",			SEPM_DOWNLOADED_BY),
	ROW("Duration (seconds)",		SEPM_DURATION),
	ROW("Event Insert Time",		SEPM_EVENT_INSERT_TIME),
	ROW("File path",			SEPM_FILE_PATH),
	ROW("File size (bytes)",		SEPM_FILE_SIZE),
	ROW("First Seen",			SEPM_FIRST_SEEN),
	ROW("Hash type",			SEPM_HASH_TYPE),
	ROW("Infected",				SEPM_INFECTED),
	ROW("Inserted",				SEPM_EVENT_INSERT_TIME),
	ROW("Intensive Protection Level",	SEPM_PROTECTION_LEVEL),
	ROW("Last update time",			SEPM_LAST_UPDATE_TIME),
	ROW("Omitted",				SEPM_OMITTED),
	ROW("Permitted application reason",	SEPM_ALLOWED_REASON),
	ROW("Prevalence",			SEPM_PREVALENCE),
	ROW("Requested action",			SEPM_REQUESTED_ACTION),
	ROW("Risk action",			SEPM_RISK_ACTION),
	ROW("Risk Level",			SEPM_RISK_LEVEL),
	ROW("Risk type",			SEPM_RISK_TYPE),
	ROW("Scan Type",			SEPM_SCAN_TYPE),
	ROW("Secondary action",			SEPM_SECONDARY_ACTION),
	ROW("Sensitivity",			SEPM_SENSITIVITY),
	ROW("Signing timestamp",		SEPM_SIGNING_TIMESTAMP),
	ROW("Source",				SEPM_SOURCE),
	ROW("Source computer",			SEPM_SOURCE_COMPUTER_NAME),
	ROW("Source Computer IP",		SEPM_SOURCE_COMPUTER_IP),
	ROW("Source Computer Name",		SEPM_SOURCE_COMPUTER_NAME),
	ROW("Source IP",			SEPM_SOURCE_COMPUTER_IP),
	ROW("Threats",				SEPM_THREATS),
	ROW("Total files",			SEPM_TOTAL_FILES),
	ROW("URL Category",			SEPM_URL_CATEGORY),
	ROW("URL Risk",				SEPM_URL_RISK),
	ROW("URL Tracking Status",		SEPM_URL_TRACKING_STATUS),
	ROW("User1",				SEPM_USER1),
	ROW("User2",				SEPM_USER2),
	ROW("Web domain",			SEPM_WEB_DOMAIN),
};

/* Blanks before the colon are no part of a label: `Port local :`. */
static const struct sepm_label_row french[] = {
	/* seen: packet, 14.x */
	ROW("IP de l’hôte local",		SEPM_LOCAL_IP),
	ROW("Port local",			SEPM_LOCAL_PORT),
	ROW("Adresse IP de l’hôte distant",	SEPM_REMOTE_IP),
	ROW("Nom de l’hôte distant",		SEPM_REMOTE_NAME),
	ROW("Port distant",			SEPM_REMOTE_PORT),

	/* seen: behavior, 14.x */
	ROW("Commencer",			SEPM_BEGIN),
	ROW("Règle",				SEPM_RULE),
	ROW("Nom d’utilisateur",		SEPM_USER),
	ROW("Nom du domaine",			SEPM_DOMAIN),
	ROW("Type d’action",			SEPM_ACTION_TYPE),
	ROW("ID du périphérique",		SEPM_DEVICE_ID),
	/* derived: the unit was hidden in what was seen */
	ROW("Taille de fichier (octets)",	SEPM_FILE_SIZE),

	/* seen: risk, 14.x */
	ROW("Adresse IP",			SEPM_IP_ADDRESS),
	ROW("Nom du risque",			SEPM_RISK_NAME),
	ROW("Chemin de fichier",		SEPM_FILE_PATH),
	ROW("Action réelle",			SEPM_ACTUAL_ACTION),
	ROW("Action secondaire",		SEPM_SECONDARY_ACTION),
	ROW("Nom du serveur",			SEPM_SERVER),
	ROW("Hachage d’application",		SEPM_APPLICATION_HASH),
	ROW("Jeu de catégories",		SEPM_CATEGORY_SET),
	ROW("Type de catégorie",		SEPM_CATEGORY_TYPE),

	/* seen: scan, 14.x */
	ROW("ID de l’analyse",			SEPM_SCAN_ID),
	ROW("Utilisateur1",			SEPM_USER1),
	ROW("Utilisateur2",			SEPM_USER2),
	ROW("Ordinateur",			SEPM_COMPUTER),
	ROW("Type d’analyse",			SEPM_SCAN_TYPE),
};

static const struct sepm_label_row simplified_chinese[] = {
	/* seen: traffic, 12.1 and 14.0 */
	ROW("本地",				SEPM_LOCAL),
	ROW("远程",				SEPM_REMOTE),
	ROW("开始",				SEPM_BEGIN),
	ROW("应用程序",				SEPM_APPLICATION),
	ROW("规则",				SEPM_RULE),
	ROW("用户",				SEPM_USER),
	ROW("域",				SEPM_DOMAIN),
	ROW("操作",				SEPM_ACTION),
	/* told: what the guide calls a location */
	ROW("位置",				SEPM_LOCATION),

	/* seen: security, 12.1 and 14.0; `Intrusion ID` stays English */
	ROW("CIDS 特征 ID",			SEPM_CIDS_ID),
	ROW("CIDS 特征字符串",			SEPM_CIDS_STRING),
	ROW("入侵 URL",				SEPM_INTRUSION_URL),

	/* seen: risk */
	ROW("IP 地址",				SEPM_IP_ADDRESS),
	ROW("计算机名",				SEPM_COMPUTER),
	ROW("风险名称",				SEPM_RISK_NAME),
	ROW("出现次数",				SEPM_OCCURRENCES),
	ROW("实际的操作",			SEPM_ACTUAL_ACTION),
	ROW("请求的操作",			SEPM_REQUESTED_ACTION),
	ROW("事件时间",				SEPM_EVENT_TIME),
	ROW("源计算机",				SEPM_SOURCE_COMPUTER_NAME),
	ROW("源 IP",				SEPM_SOURCE_COMPUTER_IP),
	ROW("可信度",				SEPM_CONFIDENCE),
};

static const struct sepm_label_row japanese[] = {
	/* seen: security, 14.0; its ports have no colon, see sepm_split.c */
	ROW("ローカル",				SEPM_LOCAL),
	ROW("ローカルポート",			SEPM_LOCAL_PORT),
	ROW("リモートポート",			SEPM_REMOTE_PORT),
	ROW("アプリケーション",			SEPM_APPLICATION),
	ROW("ユーザー",				SEPM_USER),
	ROW("ドメイン",				SEPM_DOMAIN),
	ROW("CIDS シグネチャ文字列",		SEPM_CIDS_STRING),
	ROW("シグネチャ ID",			SEPM_CIDS_ID),
	/* derived: from their neighbours in the same log */
	ROW("リモート",				SEPM_REMOTE),
	ROW("CIDS シグネチャ ID",		SEPM_CIDS_ID),

	/* seen: risk and proactive */
	ROW("IP アドレス",			SEPM_IP_ADDRESS),
	ROW("コンピュータ名",			SEPM_COMPUTER),
	ROW("リスク名",				SEPM_RISK_NAME),
	ROW("件数",				SEPM_OCCURRENCES),
	ROW("実際の処理",			SEPM_ACTUAL_ACTION),
	ROW("イベント時間",			SEPM_EVENT_TIME),
	ROW("送信元 IP",			SEPM_SOURCE_COMPUTER_IP),
	ROW("信頼度",				SEPM_CONFIDENCE),
	ROW("アプリケーションハッシュ",		SEPM_APPLICATION_HASH),
	ROW("会社名",				SEPM_COMPANY_NAME),
	ROW("カテゴリセット",			SEPM_CATEGORY_SET),
	ROW("カテゴリの種類",			SEPM_CATEGORY_TYPE),

	/* seen: scan */
	ROW("スキャン ID",			SEPM_SCAN_ID),
	ROW("ユーザー 1",			SEPM_USER1),
	ROW("脅威",				SEPM_THREATS),
	ROW("感染",				SEPM_INFECTED),
	ROW("コンピュータ",			SEPM_COMPUTER),
	ROW("グループ",				SEPM_GROUP),
	/* derived: the one behind `ユーザー 1` */
	ROW("ユーザー 2",			SEPM_USER2),
};
/* clang-format on */

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define LANGUAGE(tag, rows)                                                    \
	{                                                                      \
		tag, rows, COUNT(rows)                                         \
	}

const struct sepm_language sepm_languages[SEPM_LANGUAGES] = {
    LANGUAGE("en", english),
    LANGUAGE("fr", french),
    LANGUAGE("zh-Hans", simplified_chinese),
    LANGUAGE("ja", japanese),
};

enum {
	ALL_ROWS = COUNT(english) + COUNT(french) + COUNT(simplified_chinese) +
		   COUNT(japanese)
};
_Static_assert((int)ALL_ROWS <= (int)SEPM_LABEL_ROWS, "one guess for each");
_Static_assert(
    (int)ALL_ROWS * 2 < (int)SEPM_LABEL_SLOTS, "half of the slots are free");
