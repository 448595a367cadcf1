//! examples/kubernetes: each manifest refers to what there is, and what the Deployment starts serves.

use std::process::Stdio;

use crate::harness::{Address, Client, Process, Reply, eventually, free_port, get, say};

use super::*;

/// All objects of the example, by kind.
fn objects() -> HashMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/kubernetes");
    let mut objects = HashMap::new();
    for entry in fs::read_dir(folder).expect("the example is there") {
        let text = fs::read_to_string(entry.expect("an entry").path()).expect("text");
        for document in text.split("\n---\n") {
            let object: Value = serde_saphyr::from_str(document).expect("YAML");
            let kind = object["kind"].as_str().expect("a kind").to_owned();
            assert_eq!(object["metadata"]["name"], "circlet", "{kind}");
            assert!(objects.insert(kind, object).is_none());
        }
    }
    objects
}

fn container(objects: &HashMap<String, Value>) -> &Value {
    &objects["Deployment"]["spec"]["template"]["spec"]["containers"][0]
}

fn environment(container: &Value) -> HashMap<String, String> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let variables = container["env"].as_array().expect("a list");
    variables.iter().map(|variable| (text(&variable["name"]), text(&variable["value"]))).collect()
}

#[test]
fn objects_find_each_other() {
    let objects = objects();
    let pod = &objects["Deployment"]["spec"]["template"];
    let labels = &pod["metadata"]["labels"];
    assert_eq!(&objects["Service"]["spec"]["selector"], labels);
    for (kind, path) in [
        ("Deployment", "/spec/selector/matchLabels"),
        ("PodDisruptionBudget", "/spec/selector/matchLabels"),
        ("NetworkPolicy", "/spec/podSelector/matchLabels"),
    ] {
        assert_eq!(objects[kind].pointer(path), Some(labels), "{kind}");
    }
    assert_eq!(pod["spec"]["volumes"][0]["configMap"]["name"], "circlet");
    assert_eq!(objects["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["kind"], "Deployment");
    let container = container(&objects);
    let ports: Vec<&Value> =
        container["ports"].as_array().expect("a list").iter().map(|port| &port["name"]).collect();
    let used = [
        &objects["Service"]["spec"]["ports"][0]["targetPort"],
        &container["readinessProbe"]["httpGet"]["port"],
        &container["livenessProbe"]["httpGet"]["port"],
        &objects["NetworkPolicy"]["spec"]["ingress"][0]["ports"][0]["port"],
        &objects["NetworkPolicy"]["spec"]["ingress"][1]["ports"][0]["port"],
    ];
    assert!(used.iter().all(|port| ports.contains(port)), "{used:?} of {ports:?}");
    assert_eq!(container["image"], concat!("circlet:", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_pool_and_the_settings_are_valid_and_fit_the_pod() {
    let objects = objects();
    let text = objects["ConfigMap"]["data"]["nutcracker.yml"].as_str().expect("text");
    let config = config::parse(text, Format::Yaml, "ConfigMap").expect("a valid file");
    let Some(Listen::Tcp { port, .. }) = &config.pools[0].listen else { panic!("TCP") };
    let container = container(&objects);
    assert_eq!(container["ports"][0]["containerPort"], *port);
    let environment = environment(container);
    assert_eq!(config::settings::unknown_variables(&environment), Vec::<String>::new());
    let settings = Settings::resolve(None, &environment, &[]).expect("valid settings");
    let admin = container["ports"][1]["containerPort"].to_string();
    assert_eq!(settings.admin_addr, Some(format!("0.0.0.0:{admin}")));
    let template = &objects["Deployment"]["spec"]["template"];
    assert_eq!(template["metadata"]["annotations"]["prometheus.io/port"], admin);
    let mounted = container["volumeMounts"][0]["mountPath"].as_str().expect("text");
    assert_eq!(settings.conf_file, Path::new(mounted).join("nutcracker.yml"));
    let grace = template["spec"]["terminationGracePeriodSeconds"].as_u64().expect("seconds");
    assert!((settings.patience.delay + settings.patience.timeout).as_secs() < grace);
    let cores = container["resources"]["limits"]["cpu"].as_str().expect("text");
    assert_eq!(settings.threads.to_string(), cores);
}

#[test]
fn what_the_deployment_starts_answers_where_it_is_probed() {
    let objects = objects();
    let (pool, admin) = (free_port(), free_port());
    let text = objects["ConfigMap"]["data"]["nutcracker.yml"].as_str().expect("text");
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = folder.path().join("nutcracker.yml");
    let here = text.replace("0.0.0.0:22121", &format!("127.0.0.1:{pool}"));
    fs::write(&file, here).expect("a file in our own directory");
    let container = container(&objects);
    let process = Process::start(CIRCLET, |command| {
        command.envs(environment(container)).env("CIRCLET_CONF_FILE", &file);
        command.env("CIRCLET_ADMIN_ADDR", format!("127.0.0.1:{admin}"));
        command.env("CIRCLET_STATS_PORT", free_port().to_string());
        command.stdout(Stdio::null()).stderr(Stdio::null());
    });
    let _process = process.expect("setpriv is part of util-linux");
    eventually("it listens", || std::net::TcpStream::connect(("127.0.0.1", admin)).is_ok());
    let path = |probe: &str| container[probe]["httpGet"]["path"].as_str().expect("text").to_owned();
    assert_eq!(get(admin, &path("livenessProbe")).status, 200);
    // Its shards are not here.
    assert!([200, 503].contains(&get(admin, &path("readinessProbe")).status));
    // A family of commands is counted from its first one on.
    let mut client = Client::connect(&Address::Tcp(pool));
    assert_eq!(say(&mut client, "PING"), Reply::Simple("PONG".into()));
    let annotations = &objects["Deployment"]["spec"]["template"]["metadata"]["annotations"];
    let metrics = get(admin, annotations["prometheus.io/path"].as_str().expect("text"));
    assert_eq!(metrics.status, 200);
    let scaled = super::file("examples/kubernetes/availability.yaml");
    let series = scaled.split("seriesQuery: ").nth(1).and_then(|rest| rest.split('{').next());
    assert!(metrics.body.contains(&format!("# TYPE {} counter", series.expect("a series"))));
}
