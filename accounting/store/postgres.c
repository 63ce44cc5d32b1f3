/*
 * PostgreSQL, by libpq: opening, the writer's turn, statements.
 *
 * A statement is sent with its parameters and answered whole; what is known to come goes together.
 * From its second run on the server has it prepared. Texts sort by their bytes, as with SQLite:
 * each column of text has collation "C".
 *
 * Invariants of an open store:
 *   Q1  the schema's number was read from `meta` before anything else
 *   Q2  a writer holds an advisory lock of its schema, of LOCK_WRITERS, from before the first write
 *       to close, or as long as its connection lives; those that only load share it
 *   Q4  who loads beside others holds, to the end of each transaction, the nodes whose batches it
 *       loads (LOCK_NODES) and the job ids that are new to one of them (LOCK_JOBS)
 *   Q3  synchronous_commit is on: when a commit returns, it is on the server's disk
 *   Q5  an answer that was asked ahead is given within its transaction alone, which only reads and
 *       sees one instant: it is the answer that the same words would have later
 */
#include "config.h"

#include <assert.h>
#include <dlfcn.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/parse.h"
#include "core/utf8.h"
#include "store/db.h"

#define LOCK_WRITERS 0x43617262 /* "Carb", "Carn", "Carj" */
#define LOCK_NODES 0x4361726e
#define LOCK_JOBS 0x4361726a
#define WAIT_MS 6000 /* in one go: above a turn of those that load, who come in behind us */
#define PARAMETERS_MAX 1000
#define COLUMNS_MAX 32
#define ROWS_MAX 10000 /* in one statement */
#define FETCH_ROWS 2000
#define OID_INT8 20 /* pg_type.dat */
#define OID_TEXT 25

/* --- libpq ----------------------------------------------------------------------------------- */

/* It brings twenty libraries along: only who asks a server loads it. */
#define FUNCTIONS(x) \
    x(PQclear) x(PQcmdStatus) x(PQcmdTuples) x(PQconnectdbParams) x(PQconninfo) \
    x(PQconninfoFree) x(PQconsumeInput) x(PQdb) \
    x(PQerrorMessage) x(PQescapeLiteral) x(PQexec) x(PQexecParams) x(PQexecPrepared) x(PQfinish) \
    x(PQfreemem) x(PQgetCopyData) x(PQgetResult) x(PQgetisnull) x(PQgetlength) x(PQgetvalue) \
    x(PQhost) x(PQntuples) x(PQprepare) x(PQresultErrorField) x(PQresultStatus) x(PQsendQuery) \
    x(PQstatus) x(PQtransactionStatus)
#define POINTER(name) __typeof__(name) *name;
#define SYMBOL(name) { #name, (void **)&pq.name },

static struct {
    FUNCTIONS(POINTER)
} pq;

#define PQclear(...) pq.PQclear(__VA_ARGS__)
#define PQcmdStatus(...) pq.PQcmdStatus(__VA_ARGS__)
#define PQcmdTuples(...) pq.PQcmdTuples(__VA_ARGS__)
#define PQconnectdbParams(...) pq.PQconnectdbParams(__VA_ARGS__)
#define PQconninfo(...) pq.PQconninfo(__VA_ARGS__)
#define PQconninfoFree(...) pq.PQconninfoFree(__VA_ARGS__)
#define PQconsumeInput(...) pq.PQconsumeInput(__VA_ARGS__)
#define PQdb(...) pq.PQdb(__VA_ARGS__)
#define PQerrorMessage(...) pq.PQerrorMessage(__VA_ARGS__)
#define PQescapeLiteral(...) pq.PQescapeLiteral(__VA_ARGS__)
#define PQexec(...) pq.PQexec(__VA_ARGS__)
#define PQexecParams(...) pq.PQexecParams(__VA_ARGS__)
#define PQexecPrepared(...) pq.PQexecPrepared(__VA_ARGS__)
#define PQfinish(...) pq.PQfinish(__VA_ARGS__)
#define PQfreemem(...) pq.PQfreemem(__VA_ARGS__)
#define PQgetCopyData(...) pq.PQgetCopyData(__VA_ARGS__)
#define PQgetResult(...) pq.PQgetResult(__VA_ARGS__)
#define PQgetisnull(...) pq.PQgetisnull(__VA_ARGS__)
#define PQgetlength(...) pq.PQgetlength(__VA_ARGS__)
#define PQgetvalue(...) pq.PQgetvalue(__VA_ARGS__)
#define PQhost(...) pq.PQhost(__VA_ARGS__)
#define PQntuples(...) pq.PQntuples(__VA_ARGS__)
#define PQprepare(...) pq.PQprepare(__VA_ARGS__)
#define PQresultErrorField(...) pq.PQresultErrorField(__VA_ARGS__)
#define PQresultStatus(...) pq.PQresultStatus(__VA_ARGS__)
#define PQsendQuery(...) pq.PQsendQuery(__VA_ARGS__)
#define PQstatus(...) pq.PQstatus(__VA_ARGS__)
#define PQtransactionStatus(...) pq.PQtransactionStatus(__VA_ARGS__)

static int load_libpq(struct error *err)
{
    static const struct {
        const char *name;
        void **at;
    } symbols[] = { FUNCTIONS(SYMBOL) };
    static bool loaded;
    void *library;

    if (loaded)
        return 0;
    library = dlopen("libpq.so.5", RTLD_LAZY | RTLD_LOCAL);
    if (!library)
        return error_set(err, -ENOTSUP, "PostgreSQL's library cannot be loaded: %s; install "
                         "libpq5 (Debian) or libpq (RPM)", dlerror());
    for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
        *symbols[i].at = dlsym(library, symbols[i].name);
        if (!*symbols[i].at)
            return error_set(err, -ENOTSUP, "libpq.so.5 has no %s: it is older than 13",
                             symbols[i].name);
    }
    loaded = true;
    return 0;
}

/* --- errors ---------------------------------------------------------------------------------- */

/* By the class or the whole of its SQLSTATE (PostgreSQL's manual, appendix A). */
static int errno_of(const char *state)
{
    static const struct {
        const char *state;
        int rc;
    } known[] = {
        { "22", -EEXIST },    /* data exception: a number out of range */
        { "23", -EEXIST },    /* integrity constraint violation */
        { "28", -EACCES },    /* invalid authorization */
        { "40001", -EBUSY },  /* serialization failure */
        { "40P01", -EBUSY },  /* deadlock */
        { "42501", -EACCES }, /* insufficient privilege */
        { "53100", -ENOSPC }, /* disk full */
        { "53200", -ENOMEM },
        { "55P03", -EBUSY },  /* lock not available */
        { "57014", -EBUSY },  /* statement or lock timeout */
        { "XX001", -EUCLEAN }, { "XX002", -EUCLEAN }, /* corrupted data, index */
    };

    for (size_t i = 0; state && i < sizeof(known) / sizeof(known[0]); i++)
        if (strncmp(state, known[i].state, strlen(known[i].state)) == 0)
            return known[i].rc;
    return -EIO;
}

static int failed(const struct store *store, const PGresult *result, const char *what,
                  struct error *err)
{
    const char *text = result && PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)
                           ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)
                           : PQerrorMessage(store->pg);

    return error_set(err, errno_of(result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL),
                     "database %s: %s: %.*s", store->path, what, (int)strcspn(text, "\n"), text);
}

/* --- statements ------------------------------------------------------------------------------ */

struct parameter {
    Oid type;          /* 0: not bound yet, and for the server to find out */
    const char *value; /* NULL: is NULL */
    char number[24];
    char *copy;        /* of a text that is not valid UTF-8, or ends before its NUL */
};

/* Of a row of a stream: 8, 4 or 1 bytes of a number, or a text; -1: is NULL. */
struct field {
    const char *at;
    int len;
};

struct pg_stmt {
    struct stmt stmt;
    PGconn *pg;
    char *sql;
    char name[24];      /* "" until it is prepared */
    unsigned runs;
    int count;          /* of parameters */
    struct parameter *parameters;
    PGresult *result;   /* NULL: it has not run since it was reset */
    int row;
    bool many;          /* read it by a cursor … */
    unsigned cursor;    /* … that has this number; 0: there is none */
    bool streams;       /* or by COPY */
    bool copies;        /* that has begun … */
    char *data;         /* … and is at this row … */
    char *ahead;        /* … with the next one at hand, … */
    int ahead_len;      /* … unless this is 0; below 0: the end */
    struct field fields[COLUMNS_MAX];
};

static struct pg_stmt *of(struct stmt *stmt)
{
    return (struct pg_stmt *)stmt;
}

/* "?" and "?7" become "$1" and "$7", outside of quotes; how many there are. */
static int number_parameters(const char *sql, struct buf *buf)
{
    int count = 0;
    char quote = '\0';

    for (const char *at = sql; *at; at++) {
        size_t digits = *at == '?' && !quote ? strspn(at + 1, "0123456789") : 0;

        if ((*at == '\'' || *at == '"') && (!quote || quote == *at))
            quote = quote ? '\0' : *at;
        if (*at != '?' || quote) {
            buf_add(buf, at, 1);
        } else if (digits == 0) {
            buf_printf(buf, "$%d", ++count);
        } else {
            char text[8] = "";
            uint32_t number = 0;

            snprintf(text, sizeof(text), "%.*s", (int)digits, at + 1);
            if (parse_u32(text, 1, 999, &number) == 0 && (int)number > count)
                count = (int)number;
            buf_printf(buf, "$%s", text);
            at += digits;
        }
    }
    return count;
}

/* What ended it, with the rows that are still to come passed over. */
static PGresult *end_stream(struct pg_stmt *own)
{
    PGresult *result, *next;

    PQfreemem(own->ahead);
    own->ahead = NULL;
    do {
        PQfreemem(own->data);
        own->data = NULL;
    } while (own->ahead_len >= 0 && PQgetCopyData(own->pg, &own->data, 0) > 0);
    own->ahead_len = 0;
    result = PQgetResult(own->pg);
    while ((next = PQgetResult(own->pg)) != NULL)
        PQclear(next);
    own->copies = false;
    return result;
}

static void reset(struct stmt *stmt)
{
    struct pg_stmt *own = of(stmt);
    char sql[48];

    if (own->copies)
        PQclear(end_stream(own));
    own->streams = false;
    PQclear(own->result);
    own->result = NULL;
    if (own->cursor && PQtransactionStatus(own->pg) == PQTRANS_INTRANS) {
        snprintf(sql, sizeof(sql), "CLOSE carbon_cursor_%u", own->cursor);
        PQclear(PQexec(own->pg, sql));
    }
    own->cursor = 0;
    own->many = false;
}

static void free_stmt(struct stmt *stmt)
{
    struct pg_stmt *own = of(stmt);

    reset(stmt);
    for (int i = 0; own->parameters && i < own->count; i++)
        free(own->parameters[i].copy);
    free(own->parameters);
    free(own->sql);
    free(own);
}

/* A number that the SQL passes over has a type all the same. */
static void mark_unused(struct pg_stmt *own, const char *sql)
{
    for (int i = 0; i < own->count; i++)
        own->parameters[i].type = OID_INT8;
    for (const char *at = sql; (at = strchr(at, '$')) != NULL; at++) {
        char text[8] = "";
        uint32_t number;

        snprintf(text, sizeof(text), "%.*s", (int)strspn(at + 1, "0123456789"), at + 1);
        if (parse_u32(text, 1, (uint32_t)own->count, &number) == 0)
            own->parameters[number - 1].type = 0;
    }
}

static int prepare(struct store *store, const char *sql, struct stmt **ret, struct error *err)
{
    struct pg_stmt *own = calloc(1, sizeof(*own));
    struct buf buf;

    if (!own)
        return error_set(err, -ENOMEM, "out of memory");
    buf_init(&buf);
    own->stmt.backend = &postgres_backend;
    own->pg = store->pg;
    own->count = number_parameters(sql, &buf);
    if (own->count > PARAMETERS_MAX) {
        buf_free(&buf);
        free(own);
        return error_set(err, -E2BIG, "a statement has more than %d parameters", PARAMETERS_MAX);
    }
    own->parameters = calloc((size_t)own->count + 1, sizeof(*own->parameters));
    if (own->parameters && !buf_failed(&buf))
        mark_unused(own, buf.data ? buf.data : "");
    if (!buf_failed(&buf))
        own->sql = strdup(buf.data ? buf.data : "");
    buf_free(&buf);
    if (!own->parameters || !own->sql) {
        free_stmt(&own->stmt);
        return error_set(err, -ENOMEM, "out of memory");
    }
    *ret = &own->stmt;
    return 0;
}

static void many(struct stmt *stmt)
{
    of(stmt)->many = true;
}

static void stream(struct stmt *stmt)
{
    of(stmt)->streams = true;
}

static void clear(struct stmt *stmt)
{
    reset(stmt);
    for (int i = 0; i < of(stmt)->count; i++)
        of(stmt)->parameters[i].value = NULL;
}

static struct parameter *parameter_of(struct stmt *stmt, int number)
{
    return &of(stmt)->parameters[number - 1];
}

static void bind_int(struct stmt *stmt, int number, int64_t value)
{
    struct parameter *parameter = parameter_of(stmt, number);

    snprintf(parameter->number, sizeof(parameter->number), "%" PRId64, value);
    parameter->type = OID_INT8;
    parameter->value = parameter->number;
}

/* Users choose texts, and a server of encoding UTF8 refuses what is none: "?" for such bytes. */
static void bind_text(struct stmt *stmt, int number, const char *text, int len)
{
    struct parameter *parameter = parameter_of(stmt, number);

    parameter->type = OID_TEXT;
    parameter->value = text;
    if (!text || (len < 0 && !*utf8_find_bad(text)))
        return;
    free(parameter->copy);
    parameter->copy = strndup(text, len < 0 ? strlen(text) : (size_t)len);
    parameter->value = parameter->copy;
    if (parameter->copy)
        utf8_mend(parameter->copy);
}

static void bind_null(struct stmt *stmt, int number)
{
    parameter_of(stmt, number)->type = OID_INT8; /* a text that is NULL comes by bind_text() */
    parameter_of(stmt, number)->value = NULL;
}

static int parameters(struct stmt *stmt)
{
    return of(stmt)->count;
}

/* It keeps its types: a parameter that was not bound the first time has the one that was found. */
static PGresult *prepare_on_server(struct pg_stmt *own, const Oid *types)
{
    static unsigned last;

    snprintf(own->name, sizeof(own->name), "carbon_%u", ++last);
    return PQprepare(own->pg, own->name, own->sql, own->count, types);
}

static PGresult *fetch(const struct pg_stmt *own)
{
    char sql[64];

    snprintf(sql, sizeof(sql), "FETCH %d FROM carbon_cursor_%u", FETCH_ROWS, own->cursor);
    return PQexec(own->pg, sql);
}

/* Open its cursor, and the first of its rows. */
static PGresult *open_cursor(struct pg_stmt *own, const Oid *types, const char *const *values)
{
    static unsigned last;
    PGresult *result;
    struct buf sql;

    buf_init(&sql);
    own->cursor = ++last;
    buf_printf(&sql, "DECLARE carbon_cursor_%u NO SCROLL CURSOR FOR %s", own->cursor, own->sql);
    result = PQexecParams(own->pg, buf_failed(&sql) ? "" : sql.data, own->count, types, values,
                          NULL, NULL, 0);
    buf_free(&sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        own->cursor = 0;
        return result;
    }
    PQclear(result);
    return fetch(own);
}

/* What takes no parameters has them written out. No text of ours has a "$" in quotes. False with
   the connection's error. */
static bool write_parameters(const struct pg_stmt *own, struct buf *buf)
{
    for (const char *at = own->sql; *at;) {
        const struct parameter *parameter;
        size_t plain = strcspn(at, "$");
        char *literal;
        int number = 0;

        buf_add(buf, at, plain);
        at += plain;
        if (!*at)
            break;
        for (at++; *at >= '0' && *at <= '9'; at++)
            number = number * 10 + (*at - '0');
        parameter = &own->parameters[number - 1];
        literal = parameter->value ? PQescapeLiteral(own->pg, parameter->value,
                                                     strlen(parameter->value)) : NULL;
        if (parameter->value && !literal)
            return false;
        buf_printf(buf, "%s%s%s", parameter->type ? "CAST(" : "", literal ? literal : "NULL",
                   !parameter->type ? "" : parameter->type == OID_TEXT ? " AS TEXT)"
                                                                       : " AS BIGINT)");
        PQfreemem(literal);
    }
    return true;
}

/* --- what is asked ahead (Q5) ---------------------------------------------------------------- */

/* First noted, then sent with all others when one of them is run; then each answer waits for who
   runs the same words, whichever statement that is. */
struct pg_asked {
    char *sql;        /* NULL: it was run */
    PGresult *result; /* NULL: it is still to come */
};

static void forget_asked(struct store *store)
{
    for (size_t i = 0; i < store->n_asked; i++) {
        free(store->asked[i].sql);
        PQclear(store->asked[i].result);
    }
    free(store->asked);
    PQclear(store->failed);
    store->asked = NULL;
    store->failed = NULL;
    store->n_asked = store->n_sent = store->n_answered = 0;
}

/* Its place; n_asked: it is not among them. */
static size_t find_asked(const struct store *store, const char *sql)
{
    size_t i = 0;

    while (i < store->n_asked && (!store->asked[i].sql || strcmp(store->asked[i].sql, sql) != 0))
        i++;
    return i;
}

static void note(struct store *store, const char *sql)
{
    struct pg_asked *asked;

    if (find_asked(store, sql) < store->n_asked)
        return;
    asked = realloc(store->asked, (store->n_asked + 1) * sizeof(*asked));
    if (!asked)
        return; /* then it is asked when it is run */
    store->asked = asked;
    asked[store->n_asked] = (struct pg_asked){ .sql = strdup(sql) };
    store->n_asked += asked[store->n_asked].sql != NULL;
}

static void ask(struct store *store, struct stmt *const *stmts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct pg_stmt *own = of(stmts[i]);
        struct buf sql;

        buf_init(&sql);
        if (!own->many && !own->streams && write_parameters(own, &sql) && !buf_failed(&sql))
            note(store, sql.data);
        buf_free(&sql);
    }
}

/* Have the first `count` answers here. What failed ended the transaction: nothing is left of them
   then, nor where libpq dropped what was to come for another statement. */
static void take_answers(struct store *store, size_t count)
{
    while (store->n_answered < count) {
        PGresult *result = PQgetResult(store->pg);
        bool good = PQresultStatus(result) == PGRES_TUPLES_OK;

        if (good)
            store->asked[store->n_answered++].result = result;
        if (!good || store->n_answered == store->n_sent)
            PQclear(PQgetResult(store->pg)); /* the end of the message */
        if (!good) {
            forget_asked(store);
            store->failed = result;
            return;
        }
    }
}

static void send_asked(struct store *store)
{
    struct buf sql;

    take_answers(store, store->n_sent);
    if (store->n_sent == store->n_asked)
        return;
    buf_init(&sql);
    for (; store->n_sent < store->n_asked; store->n_sent++)
        buf_printf(&sql, "%s;", store->asked[store->n_sent].sql);
    if (buf_failed(&sql) || !PQsendQuery(store->pg, sql.data))
        forget_asked(store);
    buf_free(&sql);
}

/* Whoever waits is told what failed, for his own answer is lost by it. NULL: this was not asked. */
static PGresult *answer(struct store *store, const struct pg_stmt *own)
{
    size_t i = store->n_asked;
    PGresult *result;
    struct buf sql;

    buf_init(&sql);
    if (write_parameters(own, &sql) && !buf_failed(&sql))
        i = find_asked(store, sql.data);
    buf_free(&sql);
    if (i >= store->n_sent && i < store->n_asked)
        send_asked(store);
    if (!store->failed)
        take_answers(store, i < store->n_sent ? i + 1 : store->n_sent);
    result = store->failed;
    store->failed = NULL;
    if (result || i >= store->n_asked)
        return result;
    result = store->asked[i].result;
    free(store->asked[i].sql);
    store->asked[i] = (struct pg_asked){ .sql = NULL };
    return result;
}

/* --- running --------------------------------------------------------------------------------- */

static PGresult *run(struct store *store, struct pg_stmt *own)
{
    Oid types[PARAMETERS_MAX];
    const char *values[PARAMETERS_MAX];
    PGresult *result = store->n_asked || store->failed ? answer(store, own) : NULL;

    if (result)
        return result;
    for (int i = 0; i < own->count; i++) {
        types[i] = own->parameters[i].type;
        values[i] = own->parameters[i].value;
    }
    if (own->many && PQtransactionStatus(own->pg) == PQTRANS_INTRANS)
        return open_cursor(own, types, values);
    if (own->runs++ == 0)
        return PQexecParams(own->pg, own->sql, own->count, types, values, NULL, NULL, 0);
    if (!own->name[0]) {
        result = prepare_on_server(own, types);
        if (PQresultStatus(result) != PGRES_COMMAND_OK) {
            own->name[0] = '\0';
            return result;
        }
        PQclear(result);
    }
    return PQexecPrepared(own->pg, own->name, own->count, values, NULL, NULL, 0);
}

/* The server goes on with the next rows while we have those before in hand. Its compiler would take
   longer to load than it saves. */
static int begin_stream(struct store *store, struct pg_stmt *own, struct error *err)
{
    PGresult *result;
    struct buf sql;
    bool good;
    int rc = 0;

    take_answers(store, store->n_sent);
    result = store->failed;
    store->failed = NULL;
    buf_init(&sql);
    buf_printf(&sql, "SET LOCAL jit = off; COPY (");
    good = write_parameters(own, &sql);
    buf_printf(&sql, ") TO STDOUT (FORMAT binary)");
    if (!result && good && !buf_failed(&sql))
        result = PQexec(own->pg, sql.data);
    own->copies = result && PQresultStatus(result) == PGRES_COPY_OUT;
    if (!own->copies)
        rc = failed(store, result, "cannot run a statement", err);
    PQclear(result);
    buf_free(&sql);
    return rc;
}

static uint32_t read_u32(const char *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return be32toh(value);
}

/*
 * A row is the number of its fields, and each field behind its length (PostgreSQL's manual, COPY,
 * "Binary Format"); the first comes behind a header, and behind the last a number that is below 0.
 * The length, once it is read, is where the text before it ends.
 */
static bool find_fields(struct pg_stmt *own, int len)
{
    static const char signature[] = "PGCOPY\n\377\r\n"; /* and the NUL */
    const size_t head = sizeof(signature) + 2 * sizeof(uint32_t);
    char *at = own->data;
    int count;

    if ((size_t)len >= head && memcmp(at, signature, sizeof(signature)) == 0)
        at += head + read_u32(at + sizeof(signature) + sizeof(uint32_t));
    count = (int16_t)((unsigned char)at[0] << 8 | (unsigned char)at[1]);
    assert(count <= COLUMNS_MAX);
    at += 2;
    for (int i = 0; i < count; i++) {
        struct field *field = &own->fields[i];

        field->len = (int)read_u32(at);
        *at = '\0';
        at += sizeof(uint32_t);
        field->at = at;
        if (field->len > 0)
            at += field->len;
    }
    return count >= 0;
}

static int step_stream(struct store *store, struct pg_stmt *own, struct error *err)
{
    int rc = own->copies ? 0 : begin_stream(store, own, err), len;
    PGresult *result;

    if (rc < 0) {
        reset(&own->stmt);
        return rc;
    }
    PQfreemem(own->data);
    own->data = own->ahead;
    len = own->ahead_len ? own->ahead_len : PQgetCopyData(own->pg, &own->data, 0);
    own->ahead = NULL;
    own->ahead_len = len < 0 ? len : 0;
    if (len > 0 && find_fields(own, len))
        return 1;
    result = end_stream(own);
    if (len < -1 || PQresultStatus(result) != PGRES_COMMAND_OK)
        rc = failed(store, result, "cannot run a statement", err);
    PQclear(result);
    reset(&own->stmt);
    return rc;
}

/* What the server has sent is taken, and nothing is waited for. */
static bool is_ready(struct stmt *stmt)
{
    struct pg_stmt *own = of(stmt);

    if (own->copies && own->ahead_len == 0)
        own->ahead_len = PQgetCopyData(own->pg, &own->ahead, 1);
    if (own->copies && own->ahead_len == 0 && PQconsumeInput(own->pg))
        own->ahead_len = PQgetCopyData(own->pg, &own->ahead, 1);
    return !own->copies || own->ahead_len != 0;
}

static int step(struct store *store, struct stmt *stmt, struct error *err)
{
    struct pg_stmt *own = of(stmt);
    ExecStatusType status;
    int rc;

    if (own->streams)
        return step_stream(store, own, err);
    if (own->cursor && own->row + 1 == FETCH_ROWS) {
        PQclear(own->result);
        own->result = NULL;
    }
    if (!own->result) {
        own->result = own->cursor ? fetch(own) : run(store, own);
        own->row = -1;
        status = PQresultStatus(own->result);
        if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
            rc = failed(store, own->result, "cannot run a statement", err);
            reset(stmt);
            return rc;
        }
    }
    if (++own->row < PQntuples(own->result))
        return 1;
    if (PQresultStatus(own->result) == PGRES_COMMAND_OK) {
        uint32_t changed = 0;

        if (parse_u32(PQcmdTuples(own->result), 0, INT32_MAX, &changed) == 0)
            store->changed = (int)changed;
    }
    reset(stmt);
    return 0;
}

static bool is_null(struct stmt *stmt, int column)
{
    if (of(stmt)->data)
        return of(stmt)->fields[column].len < 0;
    return PQgetisnull(of(stmt)->result, of(stmt)->row, column);
}

static size_t get_bytes(struct stmt *stmt, int column)
{
    if (of(stmt)->data)
        return (size_t)of(stmt)->fields[column].len;
    return (size_t)PQgetlength(of(stmt)->result, of(stmt)->row, column);
}

static const char *get_text(struct stmt *stmt, int column)
{
    if (of(stmt)->data)
        return is_null(stmt, column) ? NULL : of(stmt)->fields[column].at;
    return is_null(stmt, column) ? NULL : PQgetvalue(of(stmt)->result, of(stmt)->row, column);
}

static int64_t get_field(const struct field *field)
{
    uint64_t value;

    switch (field->len) {
    case 8:
        memcpy(&value, field->at, sizeof(value));
        return (int64_t)be64toh(value);
    case 4:
        return (int32_t)read_u32(field->at);
    case 1:
        return *field->at;
    default:
        return 0;
    }
}

static int64_t get_int(struct stmt *stmt, int column)
{
    const char *text;
    int64_t value = 0;

    if (of(stmt)->data)
        return get_field(&of(stmt)->fields[column]);
    text = get_text(stmt, column);
    if (text && strcmp(text, "t") == 0)
        return 1;
    if (text && parse_i64(text, INT64_MIN, INT64_MAX, &value) < 0)
        return 0;
    return value;
}

/* --- many rows ------------------------------------------------------------------------------- */

/* From one array for each column, so that it is the same statement however many rows there are. */
static void insert_text(const void *key, struct buf *ret)
{
    const struct insert *insert = key;

    buf_printf(ret, "INSERT INTO %s (%s) SELECT * FROM unnest(", insert->table, insert->columns);
    for (size_t i = 0; insert->types[i]; i++)
        buf_printf(ret, "%sCAST(? AS %s[])", i ? ", " : "",
                   insert->types[i] == 'i' ? "BIGINT" : "TEXT");
    buf_printf(ret, ") AS many%s", insert->rest);
}

/* As an element of an array: in quotes, and each byte that is of no UTF-8 a "?". */
static void add_quoted(struct buf *buf, const char *text)
{
    uint32_t code;
    size_t len;

    buf_add(buf, "\"", 1);
    for (; *text; text += len) {
        len = utf8_decode(text, &code);
        if (*text == '"' || *text == '\\')
            buf_add(buf, "\\", 1);
        buf_add(buf, len ? text : "?", len ? len : 1);
        len = len ? len : 1;
    }
    buf_add(buf, "\"", 1);
}

static void add_array(struct buf *buf, const struct cell *cells, size_t columns, size_t count)
{
    for (size_t row = 0; row < count; row++, cells += columns) {
        buf_add(buf, row ? "," : "{", 1);
        if (cells->kind == CELL_INT)
            buf_printf(buf, "%" PRId64, cells->number);
        else if (cells->kind == CELL_TEXT)
            add_quoted(buf, cells->text);
        else
            buf_add(buf, "NULL", 4);
    }
    buf_add(buf, "}", 1);
}

static int insert_some(struct store *store, const struct insert *insert, const struct cell *cells,
                       size_t count, struct error *err)
{
    size_t columns = strlen(insert->types);
    struct stmt *stmt = store_statement_of(store, insert, insert_text, err);
    struct buf arrays[COLUMNS_MAX];
    int rc = stmt ? 0 : -EIO;

    for (size_t i = 0; i < columns; i++) {
        buf_init(&arrays[i]);
        add_array(&arrays[i], cells + i, columns, count);
        if (rc == 0 && buf_failed(&arrays[i]))
            rc = error_set(err, -ENOMEM, "out of memory");
        if (rc == 0) {
            parameter_of(stmt, (int)i + 1)->type = 0; /* the cast says which */
            parameter_of(stmt, (int)i + 1)->value = arrays[i].data;
        }
    }
    if (rc == 0)
        rc = store_run(store, stmt, err);
    for (size_t i = 0; i < columns; i++)
        buf_free(&arrays[i]);
    return rc;
}

static int insert(struct store *store, const struct insert *insert, const struct cell *cells,
                  size_t count, struct error *err)
{
    size_t columns = strlen(insert->types), some;
    int rc = 0;

    for (; rc == 0 && count > 0; count -= some, cells += some * columns) {
        some = count < ROWS_MAX ? count : ROWS_MAX;
        rc = insert_some(store, insert, cells, some, err);
    }
    return rc;
}

/* --- beside others (Q4) ---------------------------------------------------------------------- */

/* Of an array that claim() ends. */
static void add_element(struct buf *buf, const char *text)
{
    buf_add(buf, buf->len ? "," : "{", 1);
    add_quoted(buf, text);
}

/* Run one with a class of locks and texts; each row says whether we got the lock of its text. */
static int claim(struct store *store, const char *sql, int lock_class, struct buf *texts,
                 bool *ret_got, struct error *err)
{
    struct stmt *stmt = store_statement(store, sql, err);
    int rc, i = 0;

    buf_printf(texts, "%s}", texts->len ? "" : "{");
    if (buf_failed(texts))
        return error_set(err, -ENOMEM, "out of memory");
    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, lock_class);
    parameter_of(stmt, 2)->type = 0;
    parameter_of(stmt, 2)->value = texts->data;
    while ((rc = store_step(store, stmt, err)) > 0)
        if (ret_got)
            ret_got[i++] = stmt_int(stmt, 0);
    return rc;
}

static int claim_nodes(struct store *store, const struct batch *const *batches, size_t count,
                       bool *ret_mine, struct error *err)
{
    static const char sql[] =
        "SELECT pg_try_advisory_xact_lock(CAST(?1 AS INTEGER), hashtext(current_schema() || name))"
        " FROM unnest(CAST(?2 AS TEXT[])) AS name";
    struct buf names;
    int rc;

    buf_init(&names);
    for (size_t i = 0; i < count; i++) {
        char name[sizeof(batches[i]->head.cluster) + sizeof(batches[i]->head.node) + 2];

        snprintf(name, sizeof(name), "/%s/%s", batches[i]->head.cluster, batches[i]->head.node);
        add_element(&names, name);
    }
    rc = claim(store, sql, LOCK_NODES, &names, ret_mine, err);
    buf_free(&names);
    return rc;
}

/* In one order for all, so that no two wait for each other. */
static int claim_jobs(struct store *store, const char *const *texts, size_t count,
                      struct error *err)
{
    static const char sql[] =
        "SELECT pg_advisory_xact_lock(CAST(?1 AS INTEGER), id) FROM (SELECT DISTINCT"
        " hashtext(current_schema() || '/' || name) AS id FROM unnest(CAST(?2 AS TEXT[])) AS name"
        " ORDER BY id) AS ids";
    struct buf names;
    int rc;

    buf_init(&names);
    for (size_t i = 0; i < count; i++)
        add_element(&names, texts[i]);
    rc = claim(store, sql, LOCK_JOBS, &names, NULL, err);
    buf_free(&names);
    return rc;
}

/* --- the rest -------------------------------------------------------------------------------- */

static int exec(struct store *store, const char *sql, struct error *err)
{
    PGresult *result;
    ExecStatusType status;
    int rc = 0;

    forget_asked(store); /* this may end the transaction */
    result = PQexec(store->pg, sql);
    status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY)
        rc = failed(store, result, "cannot run a statement", err);
    else if (strcmp(sql, "COMMIT") == 0 && strcmp(PQcmdStatus(result), "COMMIT") != 0)
        rc = error_set(err, -EIO, "database %s: a statement had failed, so that nothing of its "
                       "transaction was kept; run the command again", store->path);
    PQclear(result);
    return rc;
}

/* Those that are not used, as a transaction was rolled back or the process ended, are gone. */
static int new_keys(struct store *store, enum keyed keyed, struct new_keys *ret, struct error *err)
{
    static const char sql[] =
        "SELECT nextval(pg_get_serial_sequence(?1, ?2)) FROM generate_series(1, ?3)";
    static const char *const columns[][2] = {
        [KEYED_NODE] = { "node", "node_key" },
        [KEYED_JOB] = { "job", "job_key" },
        [KEYED_ALLOCATION] = { "allocation", "allocation_key" },
    };
    struct stmt *stmt = store_statement(store, sql, err);
    int rc;

    if (!stmt)
        return -EIO;
    stmt_bind_text(stmt, 1, columns[keyed][0]);
    stmt_bind_text(stmt, 2, columns[keyed][1]);
    stmt_bind_int(stmt, 3, NEW_KEYS);
    while ((rc = store_step(store, stmt, err)) > 0 && ret->count < NEW_KEYS)
        ret->keys[ret->count++] = get_int(stmt, 0);
    return rc;
}

static int64_t inserted(struct store *store)
{
    static const char sql[] = "SELECT lastval()";
    struct stmt *stmt = store_statement(store, sql, NULL);
    int64_t key = 0;

    if (stmt && store_step(store, stmt, NULL) > 0) {
        key = get_int(stmt, 0);
        reset(stmt);
    }
    return key;
}

static int changed(struct store *store)
{
    return store->changed;
}

static bool in_transaction(struct store *store)
{
    PGTransactionStatusType status = PQtransactionStatus(store->pg);

    return status == PQTRANS_INTRANS || status == PQTRANS_INERROR || status == PQTRANS_ACTIVE;
}

/* --- opening --------------------------------------------------------------------------------- */

/* The server would give the lock back a little after the connection is gone. */
static void close_store(struct store *store)
{
    if (!store->pg)
        return;
    forget_asked(store);
    if (store->writes && PQstatus(store->pg) == CONNECTION_OK)
        PQclear(PQexec(store->pg, "SELECT pg_advisory_unlock_all()"));
    PQfinish(store->pg);
}

/* What to call it in messages: never the whole name, which may hold a password. */
static void name_it(struct store *store)
{
    snprintf(store->path, sizeof(store->path), "postgresql://%.200s/%.200s",
             PQhost(store->pg) ? PQhost(store->pg) : "", PQdb(store->pg) ? PQdb(store->pg) : "");
}

#define SETTINGS \
    "SET client_min_messages = warning; SET synchronous_commit = on;" \
    "SET cursor_tuple_fraction = 1; SET timezone = 'UTC';" \
    "SET idle_in_transaction_session_timeout = 0;"
#define READ_ONLY "SET default_transaction_read_only = on;"
#define BEGIN_READING "BEGIN ISOLATION LEVEL REPEATABLE READ"

static int connect_to(struct store *store, const char *database, const char *who,
                      struct error *err)
{
    const char *const keys[] = { "dbname", "fallback_application_name", "client_encoding", NULL };
    const char *const values[] = { database, who ? who : "slurm-carbon", "UTF8", NULL };

    if (load_libpq(err) < 0)
        return -ENOTSUP;
    store->pg = PQconnectdbParams(keys, values, 1);
    if (!store->pg)
        return error_set(err, -ENOMEM, "out of memory");
    name_it(store);
    if (PQstatus(store->pg) != CONNECTION_OK) {
        const char *text = PQerrorMessage(store->pg);

        return error_set(err, -ECONNREFUSED, "database %s: %.*s; is PostgreSQL up, and may this "
                         "user connect?", store->path, (int)strcspn(text, "\n"), text);
    }
    return store->writes ? exec(store, SETTINGS, err) : 0; /* a reader's: read_version() */
}

/* Who writes now, as that connection called itself. */
static int refuse(struct store *store, const struct store_turn *turn, struct error *err)
{
    static const char sql[] =
        "SELECT application_name || ', process ' || pg_stat_activity.pid FROM pg_locks"
        " JOIN pg_stat_activity ON pg_stat_activity.pid = pg_locks.pid"
        " WHERE locktype = 'advisory' AND classid = ?1 AND granted"
        " AND CAST(objid AS BIGINT) = CAST(hashtext(current_schema()) AS BIGINT) & 4294967295"
        " AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        " LIMIT 1";
    struct stmt *stmt = store_statement(store, sql, err);
    char waited[48] = "";
    int rc;

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, LOCK_WRITERS);
    rc = store_step(store, stmt, err);
    if (rc < 0)
        return rc;
    if (turn->patience_ms > 0)
        snprintf(waited, sizeof(waited), ", and was not free for %d s", turn->patience_ms / 1000);
    rc = error_set(err, -EBUSY, "database %s is held by %s%s; one process writes at a time, so try "
                   "again when that has ended, or end it", store->path,
                   rc > 0 && stmt_text(stmt, 0) ? stmt_text(stmt, 0) : "another process", waited);
    stmt_reset(stmt);
    return rc;
}

/* 1: it is ours; 0: not within the time (0: at once). */
static int try_lock(struct store *store, int wait_ms, struct error *err)
{
    const char *shared = store->shared ? "_shared" : "";
    struct error why = { "" };
    int64_t taken = 1;
    char sql[160];
    int rc;

    if (wait_ms == 0) {
        snprintf(sql, sizeof(sql), "SELECT pg_try_advisory_lock%s(%d, hashtext(current_schema()))",
                 shared, LOCK_WRITERS);
        rc = store_integer(store, sql, &taken, err);
        return rc < 0 ? rc : (int)taken;
    }
    snprintf(sql, sizeof(sql), "SET lock_timeout = %d; SELECT pg_advisory_lock%s(%d,"
             " hashtext(current_schema())); SET lock_timeout = 0", wait_ms, shared, LOCK_WRITERS);
    rc = exec(store, sql, &why);
    if (rc == -EBUSY)
        return exec(store, "SET lock_timeout = 0", err);
    return rc < 0 ? error_set(err, rc, "%s", why.text) : 1;
}

/* Q2 */
static int take_lock(struct store *store, const struct store_turn *turn, struct error *err)
{
    uint64_t end_ns = clock_boottime_ns() + (uint64_t)turn->patience_ms * 1000000, now_ns;
    int rc = try_lock(store, 0, err);

    if (rc == 0 && turn->patience_ms > 0 && turn->waits)
        turn->waits("another process", turn->patience_ms);
    while (rc == 0) {
        if (turn->stop && *turn->stop)
            return error_set(err, -EINTR, "stopped while waiting for %s", store->path);
        now_ns = clock_boottime_ns();
        if (now_ns >= end_ns)
            return refuse(store, turn, err);
        rc = try_lock(store, end_ns - now_ns < WAIT_MS * UINT64_C(1000000)
                                 ? (int)((end_ns - now_ns) / 1000000) + 1 : WAIT_MS, err);
    }
    return rc < 0 ? rc : 0;
}

#define SQL_VERSION \
    "SELECT CAST(content AS BIGINT) FROM meta WHERE name = 'schema'" \
    " AND to_regclass('batch_component') IS NOT NULL"

/* 0: there is none of ours. A reader's settings go with the question. */
static int read_version(struct store *store, int64_t *ret_version, struct error *err)
{
    PGresult *result = PQexec(store->pg, store->writes ? SQL_VERSION
                                                      : SETTINGS READ_ONLY SQL_VERSION);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    int rc = 0;

    *ret_version = 0;
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        /* another's database: no such table, or no such column */
        if (!state || (strcmp(state, "42P01") != 0 && strcmp(state, "42703") != 0))
            rc = failed(store, result, "cannot run a statement", err);
    } else if (PQntuples(result) > 0 &&
               parse_i64(PQgetvalue(result, 0, 0), INT64_MIN, INT64_MAX, ret_version) < 0) {
        *ret_version = 0;
    }
    PQclear(result);
    return rc;
}

/* Q1 */
static int check_version(struct store *store, struct error *err)
{
    int64_t version;
    int rc = read_version(store, &version, err);

    if (rc < 0)
        return rc;
    if (version == 0)
        return error_set(err, -ENOENT, "there are no books in database %s; `carbonctl init` makes "
                         "them, or Database in carbon.conf names another", store->path);
    if (version > STORE_SCHEMA_VERSION)
        return error_set(err, -EPROTO, "database %s has schema %" PRId64 ", and this program knows "
                         "up to %d; install the slurm-carbon that wrote it, or a newer one",
                         store->path, version, STORE_SCHEMA_VERSION);
    if (version < STORE_SCHEMA_VERSION)
        return error_set(err, -EPROTO, "database %s has schema %" PRId64 ", older than any that "
                         "this program knows for PostgreSQL", store->path, version);
    return 0;
}

static int open_store(struct store *store, const char *database, const struct store_turn *turn,
                      struct error *err)
{
    int rc = connect_to(store, database, turn ? turn->who : NULL, err);

    if (rc == 0 && turn)
        rc = take_lock(store, turn, err);
    return rc == 0 ? check_version(store, err) : rc;
}

#define OPTIONS_MAX 80 /* of a connection; libpq 17 knows 50 */

/* As the first was opened, with what it found in the environment, a service or a password file. */
static int connect_again(struct store *store, struct store *beside, struct error *err)
{
    PQconninfoOption *options = PQconninfo(store->pg);
    const char *keys[OPTIONS_MAX + 1], *values[OPTIONS_MAX];
    size_t count = 0;

    for (const PQconninfoOption *option = options; option && option->keyword; option++) {
        if (!option->val || count == OPTIONS_MAX)
            continue;
        keys[count] = option->keyword;
        values[count++] = option->val;
    }
    keys[count] = NULL;
    beside->pg = options ? PQconnectdbParams(keys, values, 0) : NULL;
    PQconninfoFree(options);
    if (!beside->pg)
        return error_set(err, -ENOMEM, "out of memory");
    name_it(beside);
    return PQstatus(beside->pg) == CONNECTION_OK ? 0 : failed(beside, NULL, "cannot connect", err);
}

static int open_beside(struct store *store, struct store *beside, struct error *err)
{
    static const char sql[] = "SELECT pg_export_snapshot()";
    struct stmt *stmt = store_statement(store, sql, err);
    int rc = stmt ? store_step(store, stmt, err) : -EIO;
    char begin[sizeof(SETTINGS) + sizeof(READ_ONLY) + 200];

    if (rc <= 0)
        return rc < 0 ? rc : -EIO;
    snprintf(begin, sizeof(begin), SETTINGS READ_ONLY BEGIN_READING ";"
             "SET TRANSACTION SNAPSHOT '%.80s'", stmt_text(stmt, 0));
    stmt_reset(stmt);
    rc = connect_again(store, beside, err);
    return rc == 0 ? exec(beside, begin, err) : rc;
}

/* --- creating -------------------------------------------------------------------------------- */

/* Every `from` of a text in other words. */
static int replace(const char *text, const char *from, const char *to, struct buf *buf)
{
    const char *found;

    for (; (found = strstr(text, from)) != NULL; text = found + strlen(from)) {
        buf_add(buf, text, (size_t)(found - text));
        buf_add(buf, to, strlen(to));
    }
    buf_add(buf, text, strlen(text));
    return buf_failed(buf) ? -ENOMEM : 0;
}

/* A schema in PostgreSQL's words: keys that count by themselves, one width of integers, texts that
   sort by their bytes. */
static int apply_schema(struct store *store, int version, struct error *err)
{
    static const char *const words[][2] = {
        { "INTEGER PRIMARY KEY", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY" },
        { " INTEGER", " BIGINT" },
        { " TEXT", " TEXT COLLATE \"C\"" },
    };
    char *text = strdup(store_schema(version));
    int rc = text ? 0 : -ENOMEM;

    for (size_t i = 0; rc == 0 && i < sizeof(words) / sizeof(words[0]); i++) {
        struct buf buf;

        buf_init(&buf);
        rc = replace(text, words[i][0], words[i][1], &buf);
        free(text);
        text = rc == 0 ? strdup(buf.data) : NULL;
        buf_free(&buf);
        if (!text)
            rc = -ENOMEM;
    }
    rc = rc < 0 ? error_set(err, rc, "out of memory") : exec(store, text, err);
    free(text);
    return rc;
}

/* Goes with the transaction that made the table, as its sequence does. */
static int count_on(struct store *store, const char *table, const char *key, struct error *err)
{
    char sql[400];
    int64_t last;

    snprintf(sql, sizeof(sql), "SELECT setval(pg_get_serial_sequence('%s', '%s'),"
             " COALESCE(MAX(%s), 1), MAX(%s) IS NOT NULL) FROM %s", table, key, key, key, table);
    return store_integer(store, sql, &last, err);
}

/* Rows that are added to for an hour, or as long as a job lives: with room on their page, a change
   leaves the indexes alone. */
static const char SQL_LEAVE_ROOM[] =
    "ALTER TABLE energy SET (fillfactor = 70); ALTER TABLE node_total SET (fillfactor = 70);"
    "ALTER TABLE job_hour SET (fillfactor = 70); ALTER TABLE node_hour SET (fillfactor = 70);"
    "ALTER TABLE cluster_hour SET (fillfactor = 10);"
    "ALTER TABLE allocation SET (fillfactor = 70); ALTER TABLE step SET (fillfactor = 70);"
    "ALTER TABLE job SET (fillfactor = 80); ALTER TABLE node SET (fillfactor = 70)";

/*
 * Power by the minute is what is dropped by time (prune.h), and so it lies by month: an old month
 * goes with its file, and leaves nothing for autovacuum. What is of no such month, since it came
 * late or from another database, lies in power_rest. Each question names a job, and asks as many
 * indexes as there are months.
 */
static const char SQL_PARTITION[] =
    "CREATE TABLE power_by_month (LIKE power) PARTITION BY RANGE (minute_s);"
    "DROP TABLE power; ALTER TABLE power_by_month RENAME TO power;"
    "ALTER TABLE power ADD PRIMARY KEY (job_key, minute_s, node_key, component);"
    "CREATE TABLE power_rest PARTITION OF power DEFAULT WITH (fillfactor = 90)";

/*
 * A foreign key is looked up for each row that comes, which is a third of the work of loading. What
 * loading writes names what it has just found or made, and so those tables have none here; the
 * audit looks, with SQL_NAMELESS.
 */
#define LOADED "'batch', 'batch_component', 'allocation', 'allocation_month', 'step', 'energy'," \
    " 'node_total', 'node_hour', 'power'"

static const char SQL_DROP_KEYS[] =
    "DO $$ DECLARE key RECORD; BEGIN FOR key IN"
    " SELECT conrelid::regclass AS loaded, conname FROM pg_constraint"
    " JOIN pg_class ON pg_class.oid = conrelid WHERE contype = 'f'"
    " AND connamespace = current_schema()::regnamespace AND relname IN (" LOADED ")"
    " LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', key.loaded, key.conname);"
    " END LOOP; END $$";

#define NAMELESS(table, key, named) \
    "SELECT '" table "', COUNT(*), '" named "' FROM " table " AS t LEFT JOIN " named " AS named" \
    " USING (" key ") WHERE named IS NULL HAVING COUNT(*) > 0"

static const char SQL_NAMELESS[] =
    NAMELESS("batch", "node_key", "node")
    " UNION ALL " NAMELESS("batch_component", "node_key, stream, seq", "batch")
    " UNION ALL " NAMELESS("allocation", "job_key", "job")
    " UNION ALL " NAMELESS("allocation", "node_key", "node")
    " UNION ALL " NAMELESS("allocation_month", "allocation_key", "allocation")
    " UNION ALL " NAMELESS("step", "job_key", "job")
    " UNION ALL " NAMELESS("step", "allocation_key", "allocation")
    " UNION ALL " NAMELESS("energy", "node_key", "node")
    " UNION ALL " NAMELESS("node_total", "node_key", "node")
    " UNION ALL " NAMELESS("node_hour", "node_key", "node")
    " UNION ALL " NAMELESS("power", "job_key", "job")
    " UNION ALL " NAMELESS("power", "node_key", "node");

#define MONTH_NAME_SIZE 24

/* power_2026_11; a month has one name, and later ones come behind it. */
static void name_month(int64_t month_s, char ret_name[MONTH_NAME_SIZE])
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_utc(month_s, text);
    snprintf(ret_name, MONTH_NAME_SIZE, "power_%.4s_%.2s", text, text + 5);
}

static int add_month(struct store *store, int64_t month_s, struct error *err)
{
    const int64_t next_s = clock_month_next_s(month_s);
    char name[MONTH_NAME_SIZE], sql[320];
    int64_t is_there = 0;
    int rc;

    name_month(month_s, name);
    snprintf(sql, sizeof(sql), "SELECT (to_regclass('%s') IS NOT NULL OR EXISTS (SELECT 1"
             " FROM power_rest WHERE minute_s >= %" PRId64 " AND minute_s < %" PRId64
             "))::INTEGER", name, month_s, next_s);
    rc = store_integer(store, sql, &is_there, err);
    if (rc < 0 || is_there)
        return rc;
    snprintf(sql, sizeof(sql), "CREATE TABLE %s PARTITION OF power FOR VALUES FROM (%" PRId64
             ") TO (%" PRId64 ") WITH (fillfactor = 90)", name, month_s, next_s);
    return exec(store, sql, err);
}

/* The first partition of a month behind `after` and before `end`; 1, 0 when there is none. */
static int next_month(struct store *store, const char *after, const char *end,
                      char ret_name[MONTH_NAME_SIZE], struct error *err)
{
    static const char sql[] =
        "SELECT MIN(relname::TEXT COLLATE \"C\") FROM pg_inherits JOIN pg_class"
        " ON pg_class.oid = inhrelid WHERE inhparent = 'power'::regclass"
        " AND relname::TEXT COLLATE \"C\" > CAST(?1 AS TEXT)"
        " AND relname::TEXT COLLATE \"C\" < CAST(?2 AS TEXT)";
    struct stmt *stmt = store_statement(store, sql, err);
    int rc;

    if (!stmt)
        return -EIO;
    stmt_bind_text(stmt, 1, after);
    stmt_bind_text(stmt, 2, end);
    rc = store_step(store, stmt, err);
    if (rc <= 0)
        return rc;
    rc = !stmt_is_null(stmt, 0);
    snprintf(ret_name, MONTH_NAME_SIZE, "%s", rc ? stmt_text(stmt, 0) : "");
    stmt_reset(stmt);
    return rc;
}

/* Months that are over before before_s, and have no row any more. */
static int drop_months(struct store *store, int64_t before_s, struct error *err)
{
    char name[MONTH_NAME_SIZE] = "power_0", end[MONTH_NAME_SIZE], sql[128];
    int64_t rows;
    int rc;

    name_month(clock_month_begin_s(before_s > 0 ? before_s : 0), end);
    while ((rc = next_month(store, name, end, name, err)) > 0) {
        snprintf(sql, sizeof(sql), "SELECT COUNT(*) FROM (SELECT 1 FROM %s LIMIT 1) AS one", name);
        rc = store_integer(store, sql, &rows, err);
        snprintf(sql, sizeof(sql), "DROP TABLE %s", name);
        if (rc == 0 && rows == 0)
            rc = exec(store, sql, err);
        if (rc < 0)
            break;
    }
    return rc;
}

/* A reader holds us up for a second at most: there is another day. */
static int partition(struct store *store, int64_t now_s, int64_t before_s, struct error *err)
{
    const int64_t month_s = clock_month_begin_s(now_s);
    int rc = store_begin(store, err);

    if (rc == 0)
        rc = exec(store, "SET LOCAL lock_timeout = '1s'", err);
    if (rc == 0)
        rc = add_month(store, month_s, err);
    if (rc == 0)
        rc = add_month(store, clock_month_next_s(month_s), err);
    if (rc == 0)
        rc = drop_months(store, before_s, err);
    if (rc == 0)
        rc = store_commit(store, err);
    if (rc < 0)
        store_rollback(store);
    return rc == -EBUSY ? 0 : rc;
}

static int create_schema(struct store *store, bool *ret_created, struct error *err)
{
    const int64_t month_s = clock_month_begin_s(clock_wall_ns() / (int64_t)NS_PER_S);
    char mark[96];
    int64_t version;
    int rc = read_version(store, &version, err);

    *ret_created = false;
    if (rc < 0 || version != 0)
        return rc;
    rc = exec(store, "BEGIN", err);
    for (int next = 1; rc == 0 && next <= STORE_SCHEMA_VERSION; next++)
        rc = apply_schema(store, next, err);
    if (rc == 0)
        rc = exec(store, SQL_LEAVE_ROOM, err);
    if (rc == 0)
        rc = exec(store, SQL_PARTITION, err);
    if (rc == 0)
        rc = exec(store, SQL_DROP_KEYS, err);
    if (rc == 0)
        rc = add_month(store, month_s, err);
    if (rc == 0)
        rc = add_month(store, clock_month_next_s(month_s), err);
    snprintf(mark, sizeof(mark), "INSERT INTO meta (name, content) VALUES ('schema', '%d')",
             STORE_SCHEMA_VERSION);
    if (rc == 0)
        rc = exec(store, mark, err);
    *ret_created = rc == 0;
    return rc;
}

static int create_store(struct store *store, const char *database, const struct store_turn *turn,
                        bool *ret_created, struct error *err)
{
    int rc = connect_to(store, database, turn->who, err);

    if (rc == 0)
        rc = take_lock(store, turn, err);
    if (rc == 0)
        rc = create_schema(store, ret_created, err);
    return rc == 0 ? check_version(store, err) : rc;
}

/* Several services may load at once: there is nothing to lock; moved books refuse them all. */
static int lock_service(const char *database, const char *who, struct error *err)
{
    struct store *store;
    int rc = store_open(database, STORE_READ, who, &store, err);

    if (rc < 0)
        return rc;
    store_close(store);
    rc = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return rc < 0 ? error_set_errno(err, -errno, "cannot open /dev/null") : rc;
}

const struct backend postgres_backend = {
    .scheme = "postgresql:",
    .create = create_store,
    .open = open_store,
    .open_beside = open_beside,
    .close = close_store,
    .lock_service = lock_service,
    .foreign_keys = SQL_NAMELESS,
    .begin_reading = BEGIN_READING,
    .begin_writing = "BEGIN",
    .list_begin = " = ANY ('{", /* one word, whatever its length */
    .list_end = "}')",
    .exec = exec,
    .prepare = prepare,
    .ask = ask,
    .is_ready = is_ready,
    .send_asked = send_asked,
    .step = step,
    .claim_nodes = claim_nodes,
    .claim_jobs = claim_jobs,
    .insert = insert,
    .new_keys = new_keys,
    .inserted = inserted,
    .changed = changed,
    .in_transaction = in_transaction,
    .free = free_stmt,
    .clear = clear,
    .reset = reset,
    .many = many,
    .stream = stream,
    .bind_int = bind_int,
    .bind_text = bind_text,
    .bind_null = bind_null,
    .parameters = parameters,
    .get_int = get_int,
    .get_text = get_text,
    .is_null = is_null,
    .get_bytes = get_bytes,
    .partition = partition,
    .count_on = count_on,
};
