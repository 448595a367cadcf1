/* A module for Redis 7 with one command of each kind that a proxy must tell apart. What it needs of
 * redismodule.h, which no package brings, is declared here. */
#include <stddef.h>
#include <stdint.h>

typedef struct Context Context;
typedef struct String String;
typedef struct Reply Reply;
typedef struct Command Command;
typedef int (*Handler)(Context *, String **, int);

typedef struct {
    int version;
    size_t history_size, key_spec_size, argument_size;
} Version;

typedef struct {
    const char *notes;
    uint64_t flags;
    int begin_type;
    union {
        int index;
        struct { const char *keyword; int from; } keyword;
    } begin;
    int find_type;
    struct { int a, b, c; } find;
} KeySpec;

typedef struct {
    const Version *version;
    const char *summary, *complexity, *since;
    void *history;
    const char *tips;
    int arity;
    KeySpec *key_specs;
    void *arguments;
} Info;

enum { BEGIN_INDEX = 2, BEGIN_KEYWORD = 3, FIND_RANGE = 2, FIND_COUNT = 3 };
enum { KEY_RO = 1 << 0, KEY_RW = 1 << 1, KEY_ACCESS = 1 << 4 };

static void (*SetModuleAttribs)(Context *, const char *, int, int);
static int (*CreateCommand)(Context *, const char *, Handler, const char *, int, int, int);
static int (*CreateSubcommand)(Command *, const char *, Handler, const char *, int, int, int);
static Command *(*GetCommand)(Context *, const char *);
static int (*SetCommandInfo)(Command *, const Info *);
static Reply *(*Call)(Context *, const char *, const char *, ...);
static int (*ReplyWithCallReply)(Context *, Reply *);
static int (*WrongArity)(Context *);

static int pass(Context *context, Reply *reply) {
    return reply ? ReplyWithCallReply(context, reply) : 1;
}

/* demo.append TIMES KEY TEXT: the key is the second argument. */
static int append(Context *context, String **argv, int argc) {
    if (argc != 4) return WrongArity(context);
    return pass(context, Call(context, "APPEND", "ss", argv[2], argv[3]));
}

/* demo.count NUMKEYS KEY [KEY ...]: how many of them exist. */
static int count(Context *context, String **argv, int argc) {
    if (argc < 3) return WrongArity(context);
    return pass(context, Call(context, "EXISTS", "v", argv + 2, (size_t)(argc - 2)));
}

/* demo.read KEY [KEY ...], and demo.after … KEYS KEY [KEY ...]. */
static int read_keys(Context *context, String **argv, int argc) {
    if (argc < 2) return WrongArity(context);
    return pass(context, Call(context, "MGET", "v", argv + 1, (size_t)(argc - 1)));
}

static int last_key(Context *context, String **argv, int argc) {
    return pass(context, Call(context, "GET", "s", argv[argc - 1]));
}

static int size(Context *context, String **argv, int argc) {
    (void)argv, (void)argc;
    return pass(context, Call(context, "DBSIZE", ""));
}

static int hello(Context *context, String **argv, int argc) {
    (void)argv, (void)argc;
    return pass(context, Call(context, "ECHO", "c", "hello"));
}

static void inform(Context *context, const char *name, int arity, const char *tips, KeySpec *keys) {
    static const Version version = { 1, 16, sizeof(KeySpec), 80 };
    Info info = { .version = &version, .arity = arity, .tips = tips, .key_specs = keys };
    info.summary = "A command of the demo";
    SetCommandInfo(GetCommand(context, name), &info);
}

int RedisModule_OnLoad(Context *context, String **argv, int argc) {
    (void)argv, (void)argc;
    int (*get)(const char *, void *) = (int (*)(const char *, void *))((void **)context)[0];
    get("RedisModule_SetModuleAttribs", &SetModuleAttribs);
    get("RedisModule_CreateCommand", &CreateCommand);
    get("RedisModule_CreateSubcommand", &CreateSubcommand);
    get("RedisModule_GetCommand", &GetCommand);
    get("RedisModule_SetCommandInfo", &SetCommandInfo);
    get("RedisModule_Call", &Call);
    get("RedisModule_ReplyWithCallReply", &ReplyWithCallReply);
    get("RedisModule_WrongArity", &WrongArity);
    SetModuleAttribs(context, "demo", 1, 1);

    CreateCommand(context, "Demo.Append", append, "write deny-oom", 2, 2, 1);
    CreateCommand(context, "demo.hidden", last_key, "readonly getkeys-api", 1, 1, 1);
    CreateCommand(context, "demo.hello", hello, "fast", 0, 0, 0);
    CreateCommand(context, "demo.write", hello, "write", 0, 0, 0);
    CreateCommand(context, "demo.admin", hello, "admin", 0, 0, 0);
    CreateCommand(context, "demo.listen", hello, "pubsub", 0, 0, 0);
    CreateCommand(context, "demo.wait", last_key, "readonly blocking", 1, 1, 1);

    CreateCommand(context, "demo.size", size, "readonly", 0, 0, 0);
    inform(context, "demo.size", 1, "request_policy:all_shards response_policy:agg_sum", NULL);

    CreateCommand(context, "demo.count", count, "readonly", 0, 0, 0);
    KeySpec counted[] = {
        { .flags = KEY_RO | KEY_ACCESS, .begin_type = BEGIN_INDEX, .begin.index = 1,
          .find_type = FIND_COUNT, .find = { 0, 1, 1 } },
        { 0 },
    };
    inform(context, "demo.count", -3, NULL, counted);

    CreateCommand(context, "demo.after", last_key, "readonly", 0, 0, 0);
    KeySpec after[] = {
        { .flags = KEY_RO | KEY_ACCESS, .begin_type = BEGIN_KEYWORD,
          .begin.keyword = { "KEYS", 1 }, .find_type = FIND_RANGE, .find = { -1, 1, 0 } },
        { 0 },
    };
    inform(context, "demo.after", -2, NULL, after);

    CreateCommand(context, "demo.read", read_keys, "readonly", 1, -1, 1);
    KeySpec all[] = {
        { .flags = KEY_RO | KEY_ACCESS, .begin_type = BEGIN_INDEX, .begin.index = 1,
          .find_type = FIND_RANGE, .find = { -1, 1, 0 } },
        { 0 },
    };
    inform(context, "demo.read", -2, "request_policy:multi_shard", all);

    CreateCommand(context, "demo.on", NULL, "", 0, 0, 0);
    Command *on = GetCommand(context, "demo.on");
    CreateSubcommand(on, "get", last_key, "readonly", 2, 2, 1);
    CreateSubcommand(on, "hello", hello, "", 0, 0, 0);
    return 0;
}
