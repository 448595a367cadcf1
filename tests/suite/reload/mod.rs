//! Another configuration while circlet serves: by HUP, by POST /reload and by the file.

mod changes;
mod load;
mod refused;

use std::fs;
use std::net::TcpStream;

use rustix::process::Signal;

use crate::harness::{Circlet, Page, Proxy, Shard, ask, eventually, free_port, pool_yaml};

/// circlet over a configuration that changes, with two workers and an admin address.
struct Scene {
    proxy: Proxy,
    admin: u16,
}

impl Scene {
    fn start(text: &str) -> Scene {
        Scene::start_with(text, &[])
    }

    fn start_with(text: &str, arguments: &[&str]) -> Scene {
        let admin = free_port();
        let address = format!("127.0.0.1:{admin}");
        let own = ["--threads", "2", "--admin-addr", &address];
        let proxy = Circlet::with_arguments(text, &[&own[..], arguments].concat());
        eventually("the admin address accepts", || {
            TcpStream::connect(("127.0.0.1", admin)).is_ok()
        });
        Scene { proxy, admin }
    }

    /// One pool over these servers.
    fn over(servers: &[String], settings: &str) -> Scene {
        Scene::start(&pool_yaml("pool", servers, settings))
    }

    /// Writes this as the configuration. Ports that the first one named stay the same.
    fn write(&self, text: &str) {
        let mut text = text.replace("{dir}", &self.proxy.directory().display().to_string());
        while let Some((_, rest)) = text.split_once("{port:") {
            let name = rest.split_once('}').expect("{port:NAME} is closed").0.to_owned();
            let port = self.proxy.port_of(&name);
            text = text.replace(&format!("{{port:{name}}}"), &port.to_string());
        }
        // As editors do: nobody reads half of it.
        let new = self.proxy.directory().join("new.yml");
        fs::write(&new, text).expect("a file in our own directory");
        fs::rename(new, self.proxy.config_file()).expect("a file in our own directory");
    }

    /// Reloads, and says what came of it.
    fn reload(&self) -> Page {
        ask(self.admin, "POST", "/reload", "")
    }

    /// Reloads this, which must do; what is said of it.
    #[track_caller]
    fn change_to(&self, text: &str) -> String {
        self.write(text);
        let page = self.reload();
        assert_eq!(page.status, 200, "{}", page.body);
        page.body
    }

    /// As [`Scene::change_to`], for one pool.
    #[track_caller]
    fn change(&self, servers: &[String], settings: &str) -> String {
        self.change_to(&pool_yaml("pool", servers, settings))
    }

    fn hang_up(&self) {
        self.proxy.signal(Signal::HUP);
    }
}

/// Lines of a configuration for these shards: a name and a weight each.
fn named(shards: &[Shard], names: &[(usize, &str, u32)]) -> Vec<String> {
    names.iter().map(|&(shard, name, weight)| shards[shard].server(weight, Some(name))).collect()
}
