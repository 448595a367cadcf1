//! What a run takes place on: the thread of the wires, the shards, the proxy's configuration.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::fleet::Member;
use super::namespace::Namespace;
use super::record::Rule;
use super::run::Plan;
use crate::harness::pool_yaml;

/// The thread that moves the bytes of all wires.
pub struct Network {
    pub handle: Handle,
    end: Option<oneshot::Sender<()>>,
}

impl Network {
    pub fn start() -> Network {
        let (tell, told) = mpsc::channel();
        let (end, ended) = oneshot::channel::<()>();
        thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            tell.send(runtime.handle().clone()).expect("it is awaited");
            let _ = runtime.block_on(ended);
        });
        Network { handle: told.recv().expect("the thread tells"), end: Some(end) }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            let _ = end.send(());
        }
    }
}

/// The shards of a pool, each behind its wire.
pub fn fleet(plan: &Plan, rule: Rule, handle: &Handle) -> Vec<Arc<Member>> {
    let start = |number: usize| {
        // One shard that a partition can cut off, where the machine allows.
        let namespace = match (rule, number) {
            (Rule::Exact, 2) => Namespace::create()
                .inspect_err(|why| println!("chaos: no partitions by namespaces here: {why}"))
                .ok(),
            _ => None,
        };
        let name = format!("{}{number}", name(rule));
        Arc::new(Member::start(&name, handle, namespace))
    };
    (0..plan.shards).map(start).collect()
}

/// The pool in the proxy's configuration.
pub fn config(plan: &Plan, rule: Rule, servers: &[String]) -> String {
    let mut settings = format!(
        "hash: md5\nhash_tag: \"{{}}\"\ntimeout: 1500\nserver_retry_timeout: 500\n\
         server_failure_limit: 2\nauto_eject_hosts: {}",
        rule == Rule::OwnOrNothing
    );
    if plan.is_circlet {
        settings += "\nheartbeat_interval: 200\nheartbeat_timeout: 1000\nconnect_timeout: 1000";
    }
    pool_yaml(name(rule), servers, &settings)
}

/// What a pool with this rule is called.
pub fn name(rule: Rule) -> &'static str {
    match rule {
        Rule::Exact => "keep",
        Rule::OwnOrNothing => "eject",
    }
}
