//! Every format's own bytes, and what is read from them.

use coordd_api::discovery::{Format, InstanceState};

use super::json::Path;
use super::*;

pub(super) const CURATOR: &str = r#"{"name":"orders","id":"d0f0","address":"10.1.2.3","port":8080,"sslPort":null,
 "payload":{"@class":"com.acme.Meta","zone":"a"},"registrationTimeUTC":1724300000000,
 "serviceType":"DYNAMIC",
 "uriSpec":{"parts":[{"value":"scheme","variable":true},{"value":"://","variable":false},
 {"value":"address","variable":true},{"value":":","variable":false},{"value":"port","variable":true}]},
 "enabled":true}"#;
pub(super) const SPRING: &str = r#"{"name":"app","id":"app-1","address":"10.1.2.4","port":8081,"sslPort":8443,"payload":
 {"@class":"org.springframework.cloud.zookeeper.discovery.ZookeeperInstance","id":"app-1","name":"app",
 "metadata":{"instance_status":"OUT_OF_SERVICE"}},"registrationTimeUTC":1724300000000,"serviceType":"DYNAMIC"}"#;
pub(super) const DUBBO3: &str = r#"{"name":"orders","id":"10.1.2.3:20880","address":"10.1.2.3","port":20880,
 "sslPort":null,
 "payload":{"@class":"org.apache.dubbo.registry.zookeeper.ZookeeperInstance","id":"10.1.2.3:20880","name":"orders",
 "metadata":{"dubbo.endpoints":"[{\"port\":20880,\"protocol\":\"dubbo\"},{\"port\":50051,\"protocol\":\"tri\"}]",
 "dubbo.metadata.revision":"d9","dubbo.metadata.storage-type":"local","timestamp":"1724300000000"}},
 "registrationTimeUTC":1724300000001,"serviceType":"DYNAMIC","uriSpec":null}"#;
pub(super) const SERVER_SET: &str = r#"{"serviceEndpoint":{"host":"10.1.2.3","port":8080},
 "additionalEndpoints":{"admin":{"host":"10.1.2.3","port":9990},"far":{"host":"::1","port":1}},
 "status":"ALIVE","shard":0,"metadata":{"zone":"a"}}"#;
pub(super) const VECTOR: &str = r#"{"vector":[{"select":"inet=10.1.2.3:8080","weight":2.0,"priority":1},
 {"select":"shard=0","weight":0.25},{"select":"member=9","weight":7}]}"#;
pub(super) const NERVE: &str = r#"{"host":"10.1.2.3","port":3000,"name":"i-0abc","weight":100,
 "haproxy_server_options":"backup","labels":{"az":"us-east-1a"}}"#;
pub(super) const KAFKA: &str = r#"{"listener_security_protocol_map":{"PLAINTEXT":"PLAINTEXT"},"endpoints":
 ["PLAINTEXT://kafka-0:9092","OUT://[2001:db8::1]:9094"],"jmx_port":-1,"features":{},"host":"kafka-0",
 "timestamp":"1724300000000","port":9092,"version":5,"rack":"r1"}"#;
pub(super) const DUBBO: &str = "dubbo%3A%2F%2F10.1.2.3%3A20880%2Fcom.acme.OrderService%3Fapplication%3Dorders\
%26deprecated%3Dfalse\
%26dubbo%3D2.0.2%26dynamic%3Dtrue%26generic%3Dfalse%26group%3Dg1%26interface%3Dcom.acme.OrderService\
%26methods%3Dget%2Cput%26pid%3D7%26release%3D3.2.1\
%26revision%3D1.0%26side%3Dprovider%26timestamp%3D1724300000000%26version%3D1.0.0\
%26weight%3D100%26disabled%3Dfalse";

fn one(format: Format, name: &str, data: &[u8]) -> Verdict {
    decode(format, &[Entry { name, data }], &Paths::default()).remove(0)
}

fn found(format: Format, name: &str, data: &str) -> Registration {
    match one(format, name, data.as_bytes()) {
        Verdict::Instance(found) => found,
        other => panic!("{name} {data}: {other:?}"),
    }
}

fn reason(format: Format, name: &str, data: &str) -> String {
    match one(format, name, data.as_bytes()) {
        Verdict::Rejected(reason) => reason.to_string(),
        other => panic!("{name} {data}: {other:?}"),
    }
}

/// Everything of a registration but its metadata, on one line.
fn line(found: &Registration) -> String {
    let Registration { id, address, ports, state, zone, weight, .. } = found;
    format!("{id} {address} {ports:?} {state:?} {zone:?} {weight:?}")
}

#[test]
fn each_format_is_read_from_its_own_bytes_and_recognised_by_them() {
    let base64 = "eyJob3N0IjoiMTAuMS4yLjMiLCJwb3J0IjozMDAwfQ==";
    let in_name = format!("base64_{}_{base64}_0000000003", base64.len());
    for (format, name, data, expected) in [
        (Format::Curator, "d0f0", CURATOR, r#"d0f0 10.1.2.3 {"default": 8080} Up Some("a") None"#),
        (Format::Curator, "app-1", SPRING, r#"app-1 10.1.2.4 {"default": 8081, "secure": 8443} Down None None"#),
        (Format::Curator, "x", DUBBO3, r#"10.1.2.3:20880 10.1.2.3 {"dubbo": 20880, "tri": 50051} Up None None"#),
        (
            Format::ServerSet,
            "member_0000000007",
            SERVER_SET,
            r#"member_0000000007 10.1.2.3 {"admin": 9990, "default": 8080} Up Some("a") None"#,
        ),
        (
            Format::Nerve,
            "i-0abc_0000000001",
            NERVE,
            r#"i-0abc 10.1.2.3 {"default": 3000} Up Some("us-east-1a") Some(100.0)"#,
        ),
        (Format::Nerve, &in_name, "", &format!(r#"{in_name} 10.1.2.3 {{"default": 3000}} Up None None"#)),
        (Format::Kafka, "0", KAFKA, r#"0 kafka-0 {"PLAINTEXT": 9092} Up Some("r1") None"#),
        (
            Format::Dubbo,
            DUBBO,
            "10.1.2.3",
            r#"g1/com.acme.OrderService:1.0.0@10.1.2.3:20880 10.1.2.3 {"dubbo": 20880} Up None Some(100.0)"#,
        ),
        (Format::HostPort, "n1", "10.1.2.3:80\n", r#"n1 10.1.2.3 {"default": 80} Up None None"#),
        (Format::HostPort, "n1", "http://web.example/a?b", r#"n1 web.example {"http": 80} Up None None"#),
        (Format::HostPort, "10.1.2.3:8983_solr", "", r#"10.1.2.3:8983_solr 10.1.2.3 {"default": 8983} Up None None"#),
        (
            Format::HostPort,
            "rs1,16020,1724300000000",
            "PBUF\u{1}",
            r#"rs1,16020,1724300000000 rs1 {"default": 16020} Up None None"#,
        ),
        (Format::HostPort, "[::1]:80-0000000012", "", r#"[::1]:80-0000000012 ::1 {"default": 80} Up None None"#),
        (
            Format::Json,
            "n",
            r#"{"ip":"::1","port":"80","ready":false,"zone":"z","weight":"1.5"}"#,
            r#"n ::1 {"default": 80} Down Some("z") Some(1.5)"#,
        ),
    ] {
        assert_eq!(line(&found(format, name, data)), expected, "{format:?}");
        assert_eq!(detect(&[Entry { name, data: data.as_bytes() }]), Some(format), "{name}");
    }
}

#[test]
fn metadata_is_what_the_registration_says_beside() {
    let text = |format, name, data| format!("{:?}", found(format, name, data).metadata);
    assert_eq!(text(Format::Curator, "d0f0", CURATOR), r#"{"zone": "a"}"#);
    assert!(!text(Format::Curator, "x", DUBBO3).contains("dubbo.endpoints"));
    let members = text(Format::ServerSet, "member_0000000007", SERVER_SET);
    assert_eq!(members, r#"{"endpoint.far": "[::1]:1", "shard": "0", "zone": "a"}"#);
    let broker = text(Format::Kafka, "0", KAFKA);
    assert!(broker.contains(r#""endpoint.OUT": "[2001:db8::1]:9094""#), "{broker}");
    let provider = found(Format::Dubbo, DUBBO, "");
    assert_eq!(provider.metadata.get("methods").map(String::as_str), Some("get,put"));
}

#[test]
fn a_vector_weighs_the_members_that_it_selects_and_is_no_instance() {
    let entries = [("member_0000000007", SERVER_SET), ("vector_0000000008", VECTOR)];
    let entries = entries.map(|(name, data)| Entry { name, data: data.as_bytes() });
    let verdicts = decode(Format::ServerSet, &entries, &Paths::default());
    assert_eq!(verdicts[1], Verdict::Aside);
    let Verdict::Instance(member) = &verdicts[0] else { panic!("{verdicts:?}") };
    assert_eq!(member.weight, Some(0.5));
    assert_eq!(detect(&entries), Some(Format::ServerSet));
}

#[test]
fn states_are_what_the_registrars_mean_by_them() {
    let server = |status: &str| {
        let data = format!(r#"{{"serviceEndpoint":{{"host":"a","port":1}},"status":"{status}"}}"#);
        found(Format::ServerSet, "member_0", &data).state
    };
    let states = ["ALIVE", "STARTING", "STOPPING", "STOPPED", "WARNING", "DEAD"].map(server);
    use InstanceState::*;
    assert_eq!(states, [Up, Starting, Stopping, Down, Down, Down]);
    assert_eq!(found(Format::Curator, "a", r#"{"address":"a","enabled":false}"#).state, Down);
    assert_eq!(found(Format::Curator, "a", r#"{"address":"a","port":null,"payload":7}"#).state, Up);
    for flag in ["disabled%3Dtrue", "enabled%3Dfalse"] {
        assert_eq!(found(Format::Dubbo, &format!("tri%3A%2F%2Fa%3A1%2Fi%3F{flag}"), "").state, Down);
    }
    for aside in ["consumer%3A%2F%2F10.0.0.1%2Fi", "override%3A%2F%2F0.0.0.0%2Fi", "route%3A%2F%2F0.0.0.0%2Fi"] {
        assert_eq!(one(Format::Dubbo, aside, b""), Verdict::Aside);
    }
}

#[test]
fn paths_lead_to_what_a_json_registration_calls_by_names_of_its_own() {
    let path = |text| Path::parse(text);
    let paths = Paths {
        address: path("$.net[1].addr"),
        port: path("net[1].ports.http"),
        ready: path("health.ok"),
        zone: path("dc"),
        weight: None,
    };
    let data = br#"{"net":[{},{"addr":"10.0.0.9","ports":{"http":8080}}],"health":{"ok":true},"dc":3}"#;
    let verdicts = decode(Format::Json, &[Entry { name: "n", data }], &paths);
    let Verdict::Instance(instance) = &verdicts[0] else { panic!("{verdicts:?}") };
    assert_eq!(line(instance), r#"n 10.0.0.9 {"default": 8080} Up Some("3") None"#);
    let missing = decode(Format::Json, &[Entry { name: "n", data: b"{\"net\":[]}" }], &paths);
    assert_eq!(missing, [Verdict::Rejected(Reason::Missing("$.net[1].addr".to_owned()))]);
    for text in ["", "$", "$.", "a..b", "a[x]", "a[1", "[", &"a.".repeat(20)] {
        assert_eq!(path(text).filter(|_| text != "$"), None, "{text}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let curator = |data: &str| reason(Format::Curator, "a", data);
    assert_eq!(curator(""), "no data");
    assert_eq!(curator("{\"address\":\"10.0"), "the data is no JSON: EOF while parsing a string at line 1 column 16");
    assert_eq!(curator("[1]"), "the data is an array, not a JSON object");
    assert_eq!(curator(r#"{"port":1}"#), "address is missing");
    assert_eq!(curator(r#"{"address":5}"#), "address is a number, not a string");
    assert_eq!(curator(r#"{"address":"a b"}"#), "address is \"a b\"; an address is an IP address or a host name");
    for port in ["0", "65536", "-1", "80.5", "1e3", "\"http\"", "99999999999999999999999999"] {
        let expected = "; a port is a number from 1 to 65535";
        assert!(curator(&format!(r#"{{"address":"a","port":{port}}}"#)).ends_with(expected), "{port}");
    }
    assert_eq!(curator(r#"{"address":"a","port":{}}"#), "port is an object, not a port");
    assert_eq!(curator(r#"{"address":"a","enabled":"yes"}"#), "enabled is a string, not a boolean");
    let endpoints = r#"{"address":"a","payload":{"metadata":{"dubbo.endpoints":"[{]"}}}"#;
    assert_eq!(curator(endpoints), "\"[{]\" is no list of Dubbo's endpoints");
    let status = r#"{"serviceEndpoint":{"host":"a","port":1},"status":"OK"}"#;
    assert!(reason(Format::ServerSet, "member_1", status).starts_with("status is \"OK\"; known are DEAD, STARTING"));
    assert_eq!(reason(Format::ServerSet, "vector_1", "{}"), "vector is missing");
    assert_eq!(reason(Format::Kafka, "0", r#"{"endpoints":["a:1"]}"#), "\"a:1\" is no endpoint LISTENER://host:port");
    assert_eq!(reason(Format::Kafka, "zero", KAFKA), "\"zero\" is no number of a broker");
    assert_eq!(
        reason(Format::Nerve, "a", r#"{"host":"a","port":1,"weight":-1}"#),
        "weight is negative; a weight is 0 or more"
    );
    assert_eq!(reason(Format::Nerve, "base64_99_e30_1", ""), "\"base64_99_e30_1\" is no base64_LENGTH_DATA_SEQUENCE");
    assert_eq!(reason(Format::Dubbo, "dubbo%3", ""), "\"dubbo%3\" is no URL-encoding");
    assert_eq!(reason(Format::Dubbo, "empty%3A%2F%2Fa%3A1", ""), "\"empty://a:1\" is no URL of a provider");
    assert_eq!(reason(Format::Dubbo, "tri%3A%2F%2Fa", ""), "\"a\" is no host:port");
    assert_eq!(reason(Format::HostPort, "lock-1", "what"), "\"what\" is no host:port");
}
