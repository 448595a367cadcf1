//! The few macros of man(7) that the page needs.

/// A page that grows.
#[derive(Debug, Default)]
pub struct Roff(String);

impl Roff {
    /// A page with this head line.
    pub fn new(name: &str, section: u8, footer: &str, about: &str) -> Self {
        let (name, footer, about) = (quoted(&name.to_uppercase()), quoted(footer), quoted(about));
        Self(format!(".TH {name} {section} \"\" {footer} {about}\n"))
    }

    /// A new section.
    pub fn section(&mut self, title: &str) {
        self.macro_line(".SH", title);
    }

    /// A section within one.
    pub fn subsection(&mut self, title: &str) {
        self.macro_line(".SS", title);
    }

    /// A paragraph of text.
    pub fn text(&mut self, text: &str) {
        self.0 += ".PP\n";
        self.line(&escaped(text));
    }

    /// A term in bold, and what it means.
    pub fn term(&mut self, term: &str, meaning: &str) {
        self.0 += ".TP\n";
        self.line(&format!("\\fB{}\\fR", escaped(term)));
        self.line(&escaped(meaning));
    }

    /// Lines that stay as they are, indented.
    pub fn example(&mut self, lines: &str) {
        self.0 += ".PP\n.nf\n.RS\n";
        for line in lines.lines() {
            self.line(&escaped(line));
        }
        self.0 += ".RE\n.fi\n";
    }

    /// The page as man(1) reads it.
    pub fn finish(self) -> String {
        self.0
    }

    fn macro_line(&mut self, name: &str, text: &str) {
        self.0 += &format!("{name} {}\n", quoted(text));
    }

    /// A line that begins with `.` or `'` would be a command.
    fn line(&mut self, escaped: &str) {
        if escaped.starts_with(['.', '\'']) {
            self.0 += "\\&";
        }
        self.0 += escaped;
        self.0 += "\n";
    }
}

/// Minus signs of options stay minus signs when they are copied.
fn escaped(text: &str) -> String {
    let flat = text.replace('`', "").replace('\\', "\\e").replace('-', "\\-");
    flat.chars().fold(String::new(), |mut line, c| {
        match c {
            _ if c.is_ascii() => line.push(c),
            _ => line += &format!("\\[u{:04X}]", u32::from(c)),
        }
        line
    })
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text).replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_read_as_a_command_is_not() {
        let mut page = Roff::new("a", 1, "a 1", "about");
        page.text(".not a macro, \\not an escape, --flag …");
        page.term("-x", "'quoted'");
        let text = page.finish();
        assert!(text.contains("\n\\&.not a macro, \\enot an escape, \\-\\-flag \\[u2026]\n"));
        assert!(text.contains("\n\\fB\\-x\\fR\n\\&'quoted'\n"), "{text}");
    }
}
