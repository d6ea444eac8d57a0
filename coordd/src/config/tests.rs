//! What people give, and what they are told about it.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use super::*;

fn load_from(flags: &[(&str, &str)], environment: &[(&str, &str)], file: Option<&Path>) -> Result<Config, ConfigError> {
    let flags: BTreeMap<_, _> = flags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let variable = |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    Config::load(&flags, variable, file)
}

fn load(flags: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let all: Vec<_> = [("name", "m1"), ("data_dir", "/d")].iter().chain(flags).copied().collect();
    load_from(&all, &[], None)
}

fn refusal(flags: &[(&str, &str)]) -> String {
    load(flags).unwrap_err().to_string()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn a_name_and_a_directory_are_enough() {
    let config = load(&[]).unwrap();
    assert_eq!(config.client.listen.to_string(), "[::]:2181");
    assert_eq!(config.admin.listen.to_string(), "127.0.0.1:9080");
    assert_eq!(config.client.min_session_timeout, Duration::from_secs(4));
    assert_eq!(config.client.max_session_timeout, Duration::from_secs(40));
    assert_eq!(config.client.max_frame_bytes, 0xf_ffff);
    assert!(config.advertise.peer.ends_with(":2888"), "{:?}", config.advertise);
    assert!(config.limits.max_tree_bytes > 0);
}

#[test]
fn a_flag_counts_before_a_variable_before_the_file_before_the_default() {
    let file = file("name = 'f'\ndata_dir = '/f'\ntick_ms = 10\nmax_in_flight = 10\nmax_connections = 10\n");
    let environment = [("COORDD_TICK_MS", "20"), ("COORDD_MAX_IN_FLIGHT", "20")];
    let config = load_from(&[("tick_ms", "30")], &environment, Some(file.path())).unwrap();
    assert_eq!(config.client.tick, Duration::from_millis(30));
    assert_eq!((config.client.max_in_flight, config.client.max_connections), (20, 10));
    assert_eq!(config.client.max_connections_per_address, 60);
}

#[test]
fn the_file_may_say_the_ensemble_as_a_table_and_lists_as_lists() {
    let file = file("name='a'\ndata_dir='/d'\nfour_letter_words=['ruok','mntr']\n[ensemble]\na='h:1'\nb='i:2'\n");
    let config = load_from(&[], &[], Some(file.path())).unwrap();
    assert_eq!(config.ensemble.unwrap().into_keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(config.client.four_letter_words, ["ruok", "mntr"]);
    assert_eq!(config.advertise.client, "h:2181");
}

#[test]
fn a_wrong_value_is_named_with_its_source_and_what_is_allowed() {
    let from_flag = refusal(&[("tick_ms", "fast")]);
    assert_eq!(from_flag, "--tick-ms: \"fast\" is wrong; it must be a number of milliseconds from 10 to 60000");
    let environment = [("COORDD_MAX_FRAME_BYTES", "12")];
    let from_env = load_from(&[("name", "m"), ("data_dir", "/d")], &environment, None).unwrap_err().to_string();
    assert!(
        from_env.starts_with("COORDD_MAX_FRAME_BYTES: \"12\" is wrong; it must be a number of bytes"),
        "{from_env}"
    );
    assert!(from_env.ends_with("from 1KiB to 64MiB"), "{from_env}");
    let file = file("tick_ms = 5\n");
    let from_file = load_from(&[("name", "m"), ("data_dir", "/d")], &[], Some(file.path())).unwrap_err().to_string();
    assert!(from_file.starts_with("tick_ms in /") && from_file.contains("from 10 to 60000"), "{from_file}");
}

#[test]
fn a_short_tick_makes_no_session_shorter_than_can_be_served() {
    let config = load_from(&[("name", "m"), ("data_dir", "/d"), ("tick_ms", "10")], &[], None).unwrap();
    let granted = (config.client.min_session_timeout, config.client.max_session_timeout);
    assert_eq!(granted, (Duration::from_millis(500), Duration::from_millis(500)));
}

#[test]
fn a_mistyped_key_gets_a_suggestion() {
    for (typed, meant) in [("tickms", "tick_ms"), ("nme", "name"), ("data-dirs", "data_dir")] {
        let file = file(&format!("{typed} = 5\n"));
        let error = load_from(&[], &[], Some(file.path())).unwrap_err().to_string();
        assert!(error.ends_with(&format!("no such setting; did you mean {meant}?")), "{error}");
    }
}

#[test]
fn what_has_to_be_given_is_asked_for() {
    let error = load_from(&[], &[], None).unwrap_err().to_string();
    assert_eq!(error, "name is missing: give --name, COORDD_NAME or name in the file of --config");
}

#[test]
fn relations_between_settings_are_checked() {
    let short = refusal(&[("max_session_timeout_ms", "1000")]);
    assert!(short.contains("4000 ms is above max_session_timeout_ms, which is 1000 ms"), "{short}");
    let brief = refusal(&[("min_session_timeout_ms", "499")]);
    assert!(brief.ends_with("from 500 to 86400000"), "{brief}");
    let hasty = refusal(&[("election_min_ms", "300")]);
    assert_eq!(hasty, "--election-min-ms: it must be more than 3 × heartbeat_ms, which is 100");
    assert!(refusal(&[("election_max_ms", "500")]).contains("above election_min_ms, which is 500"));
    let port = refusal(&[("http_addr", "127.0.0.1:2181")]);
    assert_eq!(port, "--http-addr: client_addr and http_addr cannot both listen on port 2181");
    assert!(refusal(&[("log_segment_bytes", "2097153")]).contains("multiple of 512"));
}

#[test]
fn a_member_that_its_ensemble_does_not_list_is_told_so() {
    let stranger = refusal(&[("ensemble", "a=h:1,b=h:2")]);
    assert_eq!(stranger, "--ensemble: it must list this member, m1; it lists a, b");
}

#[test]
fn the_admin_port_leaves_loopback_only_with_a_token() {
    assert!(refusal(&[("admin_addr", "0.0.0.0:9080")]).contains("takes admin_token_file"));
    assert!(load(&[("admin_addr", "[::1]:9080")]).is_ok());
    let token = file("  s3cret\n");
    let config = load(&[("admin_token_file", token.path().to_str().unwrap())]).unwrap();
    assert_eq!(config.admin.token, Some(Secret(b"s3cret".to_vec())));
    assert_eq!(config.admin.listen.to_string(), "[::]:9080");
    assert!(!format!("{config:?}").contains("115, 51"), "a secret is not shown");
    let empty = file("\n");
    assert!(refusal(&[("admin_token_file", empty.path().to_str().unwrap())]).ends_with("is empty"));
}

#[test]
fn others_reach_a_member_under_the_name_that_the_ensemble_lists() {
    let config = load(&[("ensemble", "m1=one:2888,m2=two:2888"), ("client_addr", ":2200")]).unwrap();
    let advertise = Advertise { peer: "one:2888".into(), client: "one:2200".into(), http: "one:8080".into() };
    assert_eq!(config.advertise, advertise);
    let config = load(&[("peer_addr", "10.0.0.1:2888"), ("advertise_http", "web:80")]).unwrap();
    assert_eq!((config.advertise.peer.as_str(), config.advertise.http.as_str()), ("10.0.0.1:2888", "web:80"));
}

#[test]
fn a_segment_takes_any_request_that_is_let_in() {
    assert!(refusal(&[("log_segment_bytes", "1MiB")]).contains("at least 2228222"));
    assert!(refusal(&[("max_frame_bytes", "64MiB")]).contains("which is 67108864"));
    load(&[("max_frame_bytes", "64MiB"), ("log_segment_bytes", "256MiB")]).unwrap();
    load(&[("max_frame_bytes", "400KiB"), ("log_segment_bytes", "1MiB")]).unwrap();
}
