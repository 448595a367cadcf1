//! The reference of the configuration, as text for a terminal and as docs/configuration.md.

use super::reference::{KEYS, Key, Without};
use super::settings::{PREFIX, SETTINGS, SETTINGS_VARIABLE, variable};

/// docs/configuration.md, whole.
pub fn markdown() -> String {
    let mut text = INTRODUCTION.to_owned();
    text += "| key | takes | default | meaning | twemproxy |\n|---|---|---|---|---|\n";
    for key in KEYS {
        let Key { name, takes, meaning, twemproxy, .. } = key;
        let same = if twemproxy.is_empty() { "the same" } else { twemproxy };
        let (takes, default) = (takes.describe(), default_of(key));
        text += &format!("| `{name}` | {takes} | {default} | {meaning} | {same} |\n");
    }
    text += DIFFERENCES;
    text += SETTINGS_INTRODUCTION;
    text += "| setting | variable | flags | default | meaning |\n|---|---|---|---|---|\n";
    for setting in SETTINGS {
        let (name, flags, meaning) = (setting.name, setting.flags, setting.meaning);
        let default = if setting.default.is_empty() {
            "none".to_owned()
        } else {
            format!("`{}`", setting.default)
        };
        let variable = variable(name);
        text += &format!("| `{name}` | `{variable}` | `{flags}` | {default} | {meaning} |\n");
    }
    text += FLAGS;
    text
}

/// The keys and settings for a terminal.
pub fn plain() -> String {
    let mut text = "Keys of a pool\n\n".to_owned();
    for key in KEYS {
        let (takes, default) = (key.takes.describe(), default_of(key));
        let same = if key.twemproxy.is_empty() { "the same" } else { key.twemproxy };
        text += &format!("{}\n", key.name);
        let lines = [("takes", takes.as_str()), ("default", &default), ("meaning", key.meaning)];
        for (title, line) in lines.into_iter().chain([("twemproxy", same)]) {
            text += &format!("    {title:<10} {}\n", line.replace('`', ""));
        }
    }
    text += &format!(
        "\nSettings of the process (TOML file of --settings or {SETTINGS_VARIABLE} < variables \
         {PREFIX}… < flags)\n\n"
    );
    for setting in SETTINGS {
        text += &format!("{} ({})\n", setting.name, setting.flags);
        text +=
            &format!("    default    {}\n    meaning    {}\n", setting.default, setting.meaning);
    }
    text
}

fn default_of(key: &Key) -> String {
    match key.default {
        Without::Required => "required".to_owned(),
        Without::Text(text) => format!("`{text}`"),
        Without::Derived(meaning) => meaning.to_owned(),
        Without::Unset(meaning) => format!("none: {meaning}"),
    }
}

const INTRODUCTION: &str = "\
# Configuration

<!-- Written by `circlet config-reference --markdown`; change src/config/keys.rs, settings.rs and
document.rs instead, then run `circlet config-reference --markdown > docs/configuration.md`. -->

circlet reads twemproxy's nutcracker.yml as it is. The top level names pools; a pool is a mapping of
the keys below:

```yaml
alpha:
  listen: 127.0.0.1:22121
  redis: true
  servers:
    - 127.0.0.1:6379:1
    - 127.0.0.1:6380:1
```

The same in TOML, for files whose name ends in `.toml`:

```toml
[alpha]
listen = \"127.0.0.1:22121\"
redis = true
servers = [\"127.0.0.1:6379:1\", \"127.0.0.1:6380:1\"]
```

`circlet check FILE` tells everything that is wrong with a file at once: line, pool, key, what is
wrong, what would be right. A pool without a file: `circlet HOST:PORT HOST:PORT …` listens on
127.0.0.1:22121 with hash `md5`, `hash_tag: {}` and `auto_eject_hosts: true`, the rest as
below.

## Keys of a pool

Sizes are bytes, or a number with redis.conf's suffixes (`64kb`, `512mb`, `1gb`; `k`, `m`, `g` are
powers of 1000). Values are taken as typed: `redis_auth: 1e5` is the password \"1e5\".

";

const DIFFERENCES: &str = "
## What differs from twemproxy

A file that twemproxy runs means the same here, but for these, which are refused with the reason:

- `redis: false`, or no `redis` at all: circlet does not speak memcached's protocol.
- Numbers past 2147483647, which twemproxy wraps around.
- A server without a host, a server that ends in a space, `*` as the host to listen on (twemproxy
  then listens on the loopback address), permissions that are not octal.
- Two pools on one unix socket with different permissions.

More than twemproxy takes: flow style, `---`, anchors, aliases, merge keys and tags of YAML; IPv6
addresses in brackets; `reuseport` everywhere; a name to listen on is looked up when listening, so a
test of the file does not need the network.

";

const SETTINGS_INTRODUCTION: &str = "\
## Settings of the process

Not in nutcracker.yml, which twemproxy must still be able to read. They come from, later over
earlier: the defaults, a TOML file (`--settings FILE` or `CIRCLET_SETTINGS`) with lines such as
`threads = 4`, the environment, the flags.

";

const FLAGS: &str = "
## Flags

All of twemproxy's: `-h` `-V` `-t` `-d` `-D` `-v` `-o` `-c` `-s` `-a` `-i` `-p` `-m`. `-m` has no
effect, circlet has no mbufs. `-t` tests the file and tells its faults; exit code 0 or 1. A bad
option prints the usage and ends with 1.

Signals: TTIN and TTOU turn the log level up and down, HUP opens the log's file anew and
reads certificates again.
";
