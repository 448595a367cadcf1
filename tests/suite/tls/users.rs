//! Certificates that name a user: who needs no password.

use rcgen::DnType;

use super::Scene;
use super::certificates::uri;
use crate::harness::Reply;

#[test]
fn a_certificate_with_a_name_counts_as_the_password() {
    let scene =
        Scene::start("tls_auth_clients: optional\ntls_user: cn\nauth: pool\nredis_auth: s3cret");
    let ann = scene.authority.sign("ann", &[]);
    let nobody = scene.authority.sign_as("nobody", &[], |params| {
        params.distinguished_name.remove(DnType::CommonName);
    });
    let mut client = scene.client_with(&scene.authority.client(Some(&ann))).expect("a handshake");
    assert_eq!(client.command(&["SET", "a", "1"]), Reply::ok());
    // Nothing else opens the door: no certificate, one without a name, the plain port.
    let strangers = [
        scene.client(),
        scene.client_with(&scene.authority.client(Some(&nobody))).expect("a handshake"),
        scene.proxy.client(),
    ];
    for mut stranger in strangers {
        let refused = stranger.command(&["GET", "a"]);
        assert_eq!(refused.error(), Some("NOAUTH Authentication required."));
        assert_eq!(stranger.command(&["AUTH", "s3cret"]), Reply::ok());
        assert_eq!(stranger.command(&["GET", "a"]), Reply::bulk("1"));
    }
    scene.proxy.expect_log("the certificate has no such name");
}

#[test]
fn a_certificate_begins_as_the_user_that_it_names_and_no_other() {
    let scene = Scene::start(
        "tls_auth_clients: yes\ntls_user: cn\nusers: [\"default off\", \"ann on ~a* +@all\", \"off off ~* +@all\"]",
    );
    let with = |name: &str| {
        let papers = scene.authority.sign(name, &[]);
        scene.client_with(&scene.authority.client(Some(&papers))).expect("a handshake")
    };
    let mut ann = with("ann");
    assert_eq!(ann.command(&["ACL", "WHOAMI"]), Reply::bulk("ann"));
    assert_eq!(ann.command(&["SET", "a", "1"]), Reply::ok());
    let refused = ann.command(&["SET", "b", "1"]);
    assert!(refused.error().is_some_and(|text| text.starts_with("NOPERM")), "{refused}");
    for name in ["bob", "off", "default"] {
        let reply = with(name).command(&["GET", "a"]);
        assert_eq!(reply.error(), Some("NOAUTH Authentication required."), "{name}");
    }
    scene.proxy.expect_log("names none of the pool's users");
}

#[test]
fn without_tls_user_a_certificate_is_no_password() {
    let scene = Scene::start("tls_auth_clients: yes\nredis_auth: s3cret");
    let ann = scene.authority.sign("ann", &[]);
    let mut client = scene.client_with(&scene.authority.client(Some(&ann))).expect("a handshake");
    assert_eq!(client.command(&["GET", "a"]).error(), Some("NOAUTH Authentication required."));
}

#[test]
fn alternative_names_name_a_user_where_there_is_one_of_the_kind() {
    let scene =
        Scene::start("tls_auth_clients: yes\ntls_user: uri\nauth: pool\nredis_auth: s3cret");
    let with = |count: usize| {
        let papers = scene.authority.sign_as("spiffe", &["some.host"], |params| {
            let names = (0..count).map(|n| uri(&format!("spiffe://domain/user{n}")));
            params.subject_alt_names.extend(names);
        });
        scene.client_with(&scene.authority.client(Some(&papers))).expect("a handshake")
    };
    assert_eq!(with(1).command(&["SET", "a", "1"]), Reply::ok());
    for count in [0, 2] {
        let reply = with(count).command(&["SET", "a", "1"]);
        assert_eq!(reply.error(), Some("NOAUTH Authentication required."), "{count} names");
    }
    scene.proxy.expect_log("the certificate has more than one such name");
}
