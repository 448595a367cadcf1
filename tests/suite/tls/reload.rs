//! Certificates that are renewed while circlet serves.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::Scene;
use crate::harness::{Reply, eventually};

fn shown(scene: &Scene) -> CertificateDer<'static> {
    scene.client().certificate().expect("a server shows one")
}

#[test]
fn a_new_certificate_is_in_force_without_a_word_and_open_sessions_stay() {
    let scene = Scene::on_both_sides("");
    let mut old = scene.client();
    let first = shown(&scene);
    // Signed into the same files.
    let papers = scene.authority.sign("circlet", &["localhost"]);
    let renewed = CertificateDer::from_pem_file(&papers.cert).expect("our own file");
    assert_ne!(first, renewed);
    eventually("the new one is shown", || shown(&scene) == renewed);
    scene.proxy.expect_log("certificates were read again");
    assert_eq!(old.command(&["SET", "a", "1"]), Reply::ok());
    assert_eq!(scene.client().command(&["GET", "a"]), Reply::bulk("1"));
}

#[test]
fn a_signal_reads_them_at_once() {
    let scene = Scene::start("");
    let before = scene.proxy.log().matches("certificates were read again").count();
    scene.proxy.signal(Signal::HUP);
    eventually("they were read", || {
        scene.proxy.log().matches("certificates were read again").count() > before
    });
}

#[test]
fn a_file_that_does_not_do_leaves_the_old_one_in_force() {
    let scene = Scene::start("");
    let (first, mut old) = (shown(&scene), scene.client());
    let key = fs::read(&scene.papers.key).expect("our own file");
    for broken in
        [&b"no key"[..], b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
    {
        let told = scene.proxy.log().matches("the old ones stay in force").count();
        fs::write(&scene.papers.key, broken).expect("our own file");
        eventually("it is told", || {
            scene.proxy.log().matches("the old ones stay in force").count() > told
        });
        assert_eq!(shown(&scene), first);
        assert_eq!(old.command(&["PING"]), Reply::Simple("PONG".into()));
    }
    let told = scene.proxy.log().matches("the old ones stay in force").count();
    fs::remove_file(&scene.papers.key).expect("our own file");
    eventually("it is told", || {
        scene.proxy.log().matches("the old ones stay in force").count() > told
    });
    assert_eq!(shown(&scene), first);
    // Told once, not at every look.
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(scene.proxy.log().matches("the old ones stay in force").count(), told + 1);
    fs::write(&scene.papers.key, key).expect("our own file");
    scene.proxy.expect_log("certificates were read again");
}

#[test]
fn traffic_goes_on_while_certificates_change_again_and_again() {
    let scene = Scene::on_both_sides("");
    let mut client = scene.client();
    for number in 0..20 {
        scene.authority.sign("circlet", &["localhost"]);
        scene.authority.sign("link", &[]);
        scene.proxy.signal(Signal::HUP);
        for count in 0..20 {
            let value = format!("{number}-{count}");
            assert_eq!(client.command(&["SET", "a", &value]), Reply::ok());
            assert_eq!(scene.client().command(&["GET", "a"]), Reply::bulk(&value));
        }
    }
}
