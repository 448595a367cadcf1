//! Users as ACL LIST and ACL GETUSER show them.

use super::account::Account;
use super::selector::{KeyPattern, Selector};
use crate::resp::Writer;

impl Account {
    /// The line of ACL LIST, by which the user could be made anew.
    pub fn line(&self) -> String {
        let mut line = format!("user {} {}", self.name, self.flags().join(" "));
        for password in &self.passwords {
            line += &format!(" #{}", hexadecimal(password));
        }
        let [own, others @ ..] = &self.selectors[..] else { return line };
        line += &format!(" {}", own.shown());
        for selector in others {
            line += &format!(" ({})", selector.shown());
        }
        line
    }

    /// The reply to ACL GETUSER.
    pub fn describe(&self, writer: &mut Writer<'_>) {
        writer.map(6);
        writer.bulk(b"flags");
        let flags = self.flags();
        writer.set(flags.len());
        flags.iter().for_each(|flag| writer.bulk(flag.as_bytes()));
        writer.bulk(b"passwords");
        writer.array(self.passwords.len());
        self.passwords.iter().for_each(|hash| writer.bulk(hexadecimal(hash).as_bytes()));
        let [own, others @ ..] = &self.selectors[..] else { return };
        own.describe(writer);
        writer.bulk(b"selectors");
        writer.array(others.len());
        for selector in others {
            writer.map(3);
            selector.describe(writer);
        }
    }

    fn flags(&self) -> Vec<&'static str> {
        let state = if self.is_on { "on" } else { "off" };
        let nopass = self.needs_no_password.then_some("nopass");
        [Some(state), nopass].into_iter().flatten().collect()
    }
}

impl Selector {
    fn shown(&self) -> String {
        let (keys, channels) = (self.shown_keys(), self.shown_channels());
        let reset = if self.all_channels { "" } else { "resetchannels" };
        let parts = [&keys, reset, &channels, &self.commands.shown()];
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(" ")
    }

    fn describe(&self, writer: &mut Writer<'_>) {
        let values = [
            ("commands", self.commands.shown()),
            ("keys", self.shown_keys()),
            ("channels", self.shown_channels()),
        ];
        for (name, value) in values {
            writer.bulk(name.as_bytes());
            writer.bulk(value.as_bytes());
        }
    }

    fn shown_keys(&self) -> String {
        if self.all_keys {
            return "~*".into();
        }
        let shown: Vec<_> = self.keys.iter().map(KeyPattern::shown).collect();
        shown.join(" ")
    }

    fn shown_channels(&self) -> String {
        if self.all_channels {
            return "&*".into();
        }
        let shown: Vec<_> = self.channels.iter().map(|channel| format!("&{channel}")).collect();
        shown.join(" ")
    }
}

impl KeyPattern {
    fn shown(&self) -> String {
        let rights = match (self.reads, self.writes) {
            (true, true) => "",
            (true, false) => "%R",
            _ => "%W",
        };
        format!("{rights}~{}", self.glob)
    }
}

/// As `sha256sum` prints it.
fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
