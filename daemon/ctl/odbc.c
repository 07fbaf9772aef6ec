#include "odbc.h"

#include <signal.h>
#include <sql.h>
#include <sqlext.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "ctl.h"
#include "text.h"

enum {
	MEMORY = 4 << 20, /* bytes of rows fetched at once */
	ROWS_MAX = 500,
	NUMBER = 64,     /* bytes of a value that is no text */
	LOGIN_WAIT = 30, /* s */
	NAME = 128,
	WHY = 640,
};

struct column {
	char name[NAME];
	size_t n;
	bool wide;
	size_t width; /* bytes of a value */
	char *values; /* ROWS of them */
	SQLLEN *lengths;
};

struct odbc {
	SQLHENV env;
	SQLHDBC dbc;
	SQLHSTMT stmt;
	bool connected;
	unsigned timeout;
	size_t count, rows;
	SQLULEN fetched, next;
	SQLUSMALLINT status[ROWS_MAX];
	struct column columns[ODBC_COLUMNS];
	struct span cells[ODBC_COLUMNS];
	char *recoded; /* wide cells of a row */
	bool failed;
	char state[6];
	char why[WHY];
};

/* --- waiting --- */

static void
expired_cb(int signal)
{
	static const char text[] =
	    "sepmlogctl pull: the database does not answer: look at it, or "
	    "raise pull.timeout; what was not committed is read again by the "
	    "next run\n";
	ssize_t ignored = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)ignored;
	(void)signal;
	_exit(CTL_FAILED);
}

static void
wait_at_most(unsigned seconds)
{
	const struct itimerval timer = {.it_value.tv_sec = (time_t)seconds};

	setitimer(ITIMER_REAL, &timer, NULL);
}

/* --- errors --- */

static const struct {
	const char *state; /* or the start of it */
	const char *advice;
} advices[] = {
    {"IM", "install the ODBC driver (FreeTDS: package tdsodbc) and check "
	   "pull.driver against odbcinst -q -d"},
    {"01000", "check pull.driver: the driver's library cannot be loaded"},
    {"28", "check pull.user and the password in pull.password_file"},
    {"42S02", "check pull.view and pull.database, and that the user may "
	      "SELECT from the view"},
    {"42P01", "check pull.view and pull.database, and that the user may "
	      "SELECT from the view"},
    {"42S22", "the view lacks a column that is needed: check pull.view"},
    {"42703", "the view lacks a column that is needed: check pull.view"},
    {"42501", "let the user SELECT from the view"},
    {"42", "check pull.view, and that the user may SELECT from it"},
    {"3D", "check pull.database"},
    {"HYT", "look at the database's load, raise pull.timeout, or pull less "
	    "at once with --from and --to"},
    {"57014", "raise pull.timeout, or pull less at once with --from and "
	      "--to"},
    {"08", "check that the database runs and can be reached: pull.host, "
	   "pull.port, firewalls, and its TLS (pull.tls); also pull.user and "
	   "the password"},
};

static void
one_line(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = ' ';
}

static bool
fail(struct odbc *o, SQLSMALLINT type, SQLHANDLE handle)
{
	SQLCHAR text[WHY - 64] = "";
	SQLINTEGER native = 0;
	SQLSMALLINT n = 0;

	o->failed = true;
	memcpy(o->state, "HY000", 6);
	if (!SQL_SUCCEEDED(SQLGetDiagRec(type, handle, 1, (SQLCHAR *)o->state,
		&native, text, sizeof(text), &n)))
		snprintf(
		    (char *)text, sizeof(text), "the driver says no reason");
	o->state[5] = '\0';
	snprintf(o->why, sizeof(o->why), "[%s] %s", o->state, (char *)text);
	one_line(o->why);
	return false;
}

static bool
fail_plain(struct odbc *o, const char *state, const char *why)
{
	o->failed = true;
	snprintf(o->state, sizeof(o->state), "%s", state);
	snprintf(o->why, sizeof(o->why), "%s", why);
	return false;
}

bool
odbc_failed(const struct odbc *o)
{
	return o->failed;
}

const char *
odbc_why(const struct odbc *o)
{
	return o->why;
}

const char *
odbc_advice(const struct odbc *o)
{
	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
		if (strncmp(o->state, advices[i].state,
			strlen(advices[i].state)) == 0)
			return advices[i].advice;
	return "look at the database's own log";
}

/* --- connecting --- */

static bool
connect_to(struct odbc *o, const char *connection)
{
	SQLULEN login = o->timeout < LOGIN_WAIT ? o->timeout : LOGIN_WAIT;
	SQLRETURN got;

	if (!SQL_SUCCEEDED(
		SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &o->env)))
		return fail_plain(o, "HY001", "ODBC has no memory");
	SQLSetEnvAttr(
	    o->env, SQL_ATTR_ODBC_VERSION, (SQLPOINTER)SQL_OV_ODBC3, 0);
	if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_DBC, o->env, &o->dbc)))
		return fail(o, SQL_HANDLE_ENV, o->env);
	SQLSetConnectAttr(o->dbc, SQL_ATTR_LOGIN_TIMEOUT, (SQLPOINTER)login, 0);
	wait_at_most(o->timeout);
	got = SQLDriverConnect(o->dbc, NULL, (SQLCHAR *)connection, SQL_NTS,
	    NULL, 0, NULL, SQL_DRIVER_NOPROMPT);
	wait_at_most(0);
	if (!SQL_SUCCEEDED(got))
		return fail(o, SQL_HANDLE_DBC, o->dbc);
	o->connected = true;
	/* it is only read; drivers that cannot say so are none the worse */
	SQLSetConnectAttr(
	    o->dbc, SQL_ATTR_ACCESS_MODE, (SQLPOINTER)SQL_MODE_READ_ONLY, 0);
	return true;
}

struct odbc *
odbc_open(const char *connection, unsigned timeout)
{
	const struct sigaction expired = {.sa_handler = expired_cb};
	struct odbc *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->timeout = timeout;
	sigaction(SIGALRM, &expired, NULL);
	connect_to(o, connection);
	return o;
}

static void
free_rows(struct odbc *o)
{
	for (size_t i = 0; i < o->count; i++) {
		free(o->columns[i].values);
		free(o->columns[i].lengths);
	}
	free(o->recoded);
	o->recoded = NULL;
	o->count = 0;
	o->fetched = o->next = 0;
}

static void
end_query(struct odbc *o)
{
	if (o->stmt != NULL)
		SQLFreeHandle(SQL_HANDLE_STMT, o->stmt);
	o->stmt = NULL;
	free_rows(o);
}

void
odbc_close(struct odbc *o)
{
	if (o == NULL)
		return;
	wait_at_most(LOGIN_WAIT);
	end_query(o);
	if (o->connected)
		SQLDisconnect(o->dbc);
	if (o->dbc != NULL)
		SQLFreeHandle(SQL_HANDLE_DBC, o->dbc);
	if (o->env != NULL)
		SQLFreeHandle(SQL_HANDLE_ENV, o->env);
	wait_at_most(0);
	free(o);
}

/* --- queries --- */

/* How many bytes a value of this type takes as text, its NUL included. */
static size_t
width_of(SQLSMALLINT type, SQLULEN size, bool *wide)
{
	size_t width;

	*wide = false;
	switch (type) {
	case SQL_WCHAR:
	case SQL_WVARCHAR:
	case SQL_WLONGVARCHAR:
		*wide = true;
		width = size * 2 + 2;
		break;
	case SQL_CHAR:
	case SQL_VARCHAR:
	case SQL_LONGVARCHAR:
		width = size * 4 + 1; /* of UTF-8 */
		break;
	case SQL_BINARY:
	case SQL_VARBINARY:
	case SQL_LONGVARBINARY:
		width = size * 2 + 1;
		break;
	default:
		return NUMBER;
	}
	if (size == 0 || size > ODBC_CELL || width > ODBC_CELL)
		return ODBC_CELL;
	return width < NUMBER ? NUMBER : width;
}

static bool
describe(struct odbc *o, size_t i)
{
	struct column *c = &o->columns[i];
	SQLSMALLINT n = 0, type = 0, digits = 0, nullable = 0;
	SQLULEN size = 0;

	*c = (struct column){.n = 0};
	if (!SQL_SUCCEEDED(SQLDescribeCol(o->stmt, (SQLUSMALLINT)(i + 1),
		(SQLCHAR *)c->name, sizeof(c->name), &n, &type, &size, &digits,
		&nullable)))
		return fail(o, SQL_HANDLE_STMT, o->stmt);
	c->n = strnlen(c->name, sizeof(c->name));
	c->width = width_of(type, size, &c->wide);
	return true;
}

static bool
bind(struct odbc *o, size_t i)
{
	struct column *c = &o->columns[i];

	c->values = calloc(o->rows, c->width);
	c->lengths = calloc(o->rows, sizeof(*c->lengths));
	if (c->values == NULL || c->lengths == NULL)
		return fail_plain(o, "HY001", "no memory");
	if (!SQL_SUCCEEDED(SQLBindCol(o->stmt, (SQLUSMALLINT)(i + 1),
		c->wide ? SQL_C_WCHAR : SQL_C_CHAR, c->values, (SQLLEN)c->width,
		c->lengths)))
		return fail(o, SQL_HANDLE_STMT, o->stmt);
	return true;
}

static bool
bind_all(struct odbc *o)
{
	size_t row = 0, wide = 1;

	for (size_t i = 0; i < o->count; i++) {
		row += o->columns[i].width;
		/* a unit of two bytes becomes three at most */
		if (o->columns[i].wide)
			wide += o->columns[i].width / 2 * 3 + 4;
	}
	o->rows = row > 0 ? MEMORY / row : 1;
	o->rows = o->rows > ROWS_MAX ? ROWS_MAX : o->rows < 1 ? 1 : o->rows;
	o->recoded = malloc(wide);
	if (o->recoded == NULL)
		return fail_plain(o, "HY001", "no memory");
	SQLSetStmtAttr(
	    o->stmt, SQL_ATTR_ROW_ARRAY_SIZE, (SQLPOINTER)o->rows, 0);
	SQLSetStmtAttr(o->stmt, SQL_ATTR_ROWS_FETCHED_PTR, &o->fetched, 0);
	SQLSetStmtAttr(o->stmt, SQL_ATTR_ROW_STATUS_PTR, o->status, 0);
	for (size_t i = 0; i < o->count; i++)
		if (!bind(o, i))
			return false;
	return true;
}

static bool
execute(struct odbc *o, const char *sql)
{
	SQLRETURN got;

	if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, o->dbc, &o->stmt)))
		return fail(o, SQL_HANDLE_DBC, o->dbc);
	SQLSetStmtAttr(o->stmt, SQL_ATTR_QUERY_TIMEOUT,
	    (SQLPOINTER)(SQLULEN)o->timeout, 0);
	/* ours a little later: the driver's says more */
	wait_at_most(o->timeout + 5);
	got = SQLExecDirect(o->stmt, (SQLCHAR *)sql, SQL_NTS);
	wait_at_most(0);
	return SQL_SUCCEEDED(got) || fail(o, SQL_HANDLE_STMT, o->stmt);
}

bool
odbc_query(struct odbc *o, const char *sql)
{
	SQLSMALLINT count = 0;

	end_query(o);
	if (!execute(o, sql))
		return false;
	if (!SQL_SUCCEEDED(SQLNumResultCols(o->stmt, &count)))
		return fail(o, SQL_HANDLE_STMT, o->stmt);
	if (count < 1)
		return fail_plain(o, "42S02", "the view has no columns");
	if (count > ODBC_COLUMNS)
		count = ODBC_COLUMNS; /* others are left out */
	for (; o->count < (size_t)count; o->count++)
		if (!describe(o, o->count))
			return false;
	return bind_all(o);
}

size_t
odbc_columns(const struct odbc *o)
{
	return o->count;
}

struct span
odbc_column(const struct odbc *o, size_t i)
{
	return span_of(o->columns[i].name, o->columns[i].n);
}

/* --- rows --- */

/* UTF-16 of this machine's byte order; a lone surrogate becomes U+FFFD. */
static struct span
recode(const char *from, size_t n, char **out)
{
	char *start = *out;

	for (size_t i = 0; i + 1 < n; i += 2) {
		uint16_t unit, low = 0;
		uint32_t code;

		memcpy(&unit, from + i, 2);
		if (i + 3 < n)
			memcpy(&low, from + i + 2, 2);
		code = unit;
		if (unit >= 0xd800 && unit < 0xdc00 && low >= 0xdc00 &&
		    low < 0xe000) {
			code = 0x10000 + ((uint32_t)(unit - 0xd800) << 10) +
			       (low - 0xdc00);
			i += 2;
		}
		*out += text_put_utf8(code, *out);
	}
	return span_between(start, *out);
}

static struct span
take_cell(const struct column *c, size_t row, char **recoded, bool *cut)
{
	const char *value = c->values + row * c->width;
	SQLLEN length = c->lengths[row];
	size_t most = c->width - (c->wide ? 2 : 1), n;

	if (length == SQL_NULL_DATA)
		return (struct span){NULL, 0};
	if (length < 0 || (size_t)length > most) {
		*cut = true;
		n = most;
	} else {
		n = (size_t)length;
	}
	return c->wide ? recode(value, n, recoded) : span_of(value, n);
}

static void
take_row(struct odbc *o, size_t at, struct odbc_row *row)
{
	char *recoded = o->recoded;

	*row = (struct odbc_row){
	    .cell = o->cells, .broken = o->status[at] == SQL_ROW_ERROR};
	for (size_t i = 0; i < o->count; i++)
		o->cells[i] = row->broken ? (struct span){NULL, 0}
					  : take_cell(&o->columns[i], at,
						&recoded, &row->cut);
}

enum odbc_status
odbc_next(struct odbc *o, struct odbc_row *row)
{
	SQLRETURN got;

	while (o->next == o->fetched) {
		o->fetched = o->next = 0;
		wait_at_most(o->timeout + 5);
		got = SQLFetch(o->stmt);
		wait_at_most(0);
		if (got == SQL_NO_DATA)
			return ODBC_END;
		if (!SQL_SUCCEEDED(got)) {
			fail(o, SQL_HANDLE_STMT, o->stmt);
			o->fetched = 0;
			return ODBC_FAILED;
		}
	}
	take_row(o, o->next++, row);
	if (o->status[o->next - 1] == SQL_ROW_NOROW)
		return odbc_next(o, row);
	return ODBC_ROW;
}
