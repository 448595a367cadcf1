//! A network of its own for a shard, which can be cut off as a cable is: nobody is told.

use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A network namespace and the pair of interfaces that leads into it.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    number: u8,
}

impl Namespace {
    /// A new one, or why this machine has none to give.
    pub fn create() -> Result<Namespace, String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let mut refusal = String::new();
        for _ in 0..20 {
            let number = std::process::id().wrapping_mul(31) + NEXT.fetch_add(7, Ordering::Relaxed);
            let number = (number % 250) as u8;
            let namespace = Namespace { name: format!("circlet-{number}"), number };
            match run(&["netns", "add", &namespace.name]) {
                // Somebody else's: it stays.
                Err(why) if why.contains("File exists") => {
                    refusal = why;
                    std::mem::forget(namespace);
                }
                Err(why) => {
                    std::mem::forget(namespace);
                    return Err(why);
                }
                Ok(()) => return namespace.connect().map(|()| namespace),
            }
        }
        Err(refusal)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address of what is inside.
    pub fn inside(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 231, self.number, 2)
    }

    /// Cuts the cable: packets vanish, and neither side is told.
    pub fn cut(&self) {
        let _ = self.within(&["link", "set", &self.inner(), "down"]);
    }

    /// Mends it.
    pub fn mend(&self) {
        let _ = self.within(&["link", "set", &self.inner(), "up"]);
    }

    fn connect(&self) -> Result<(), String> {
        let (outer, inner) = (self.outer(), self.inner());
        run(&["link", "add", &outer, "type", "veth", "peer", "name", &inner, "netns", &self.name])?;
        run(&["addr", "add", &format!("10.231.{}.1/30", self.number), "dev", &outer])?;
        run(&["link", "set", &outer, "up"])?;
        self.within(&["addr", "add", &format!("{}/30", self.inside()), "dev", &inner])?;
        self.within(&["link", "set", "lo", "up"])?;
        self.within(&["link", "set", &inner, "up"])
    }

    fn within(&self, arguments: &[&str]) -> Result<(), String> {
        run(&[&["-n", &self.name], arguments].concat())
    }

    fn outer(&self) -> String {
        format!("circ{}o", self.number)
    }

    fn inner(&self) -> String {
        format!("circ{}i", self.number)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = run(&["link", "del", &self.outer()]);
        let _ = run(&["netns", "del", &self.name]);
    }
}

fn run(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("ip: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}
