//! `versus instance`: an application that registers itself as Curator does, and one that calls others.
//!
//! ```text
//!   a thread: session ─► PATH/NAME (ephemeral, Curator's JSON) ─► pings; lost? the same session, else a new one
//!   HTTP:  GET /                      NAME
//!          GET /fetch/HOST:PORT/COUNT how often each body came, one connection each     GET /names/HOST  its addresses
//!          GET /disable /enable       what the registration says of itself          GET /leave       its session ends
//! ```
//!
//! Rule: whoever calls an instance learns its name. Reason: that all of them are reached, and no others, can then be
//! counted.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use coordd_proto::jute::Writer;
use coordd_proto::{Acl, Perms};
use serde_json::json;

use crate::client::{Client, resolve};
use crate::told;
use crate::wire::{Attach, op};

pub(crate) const EPHEMERAL: i32 = 1;
pub(crate) const NODE_EXISTS: i32 = -110;
/// How often it looks whether it is to say something else of itself.
const PING: Duration = Duration::from_millis(300);
const ANSWER_MAX: Duration = Duration::from_secs(3);

#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Where sessions are opened, `host:port,…`
    #[arg(long, value_delimiter = ',', required = true)]
    pub servers: Vec<String>,
    /// The znode of the service
    #[arg(long)]
    pub path: String,
    /// The instance; the last part of its znode's path
    #[arg(long)]
    pub name: String,
    /// The address that it registers; without one it registers nothing
    #[arg(long, default_value = "")]
    pub address: String,
    #[arg(long, default_value_t = 5_000)]
    pub session_ms: i32,
    #[arg(long, default_value = "[::]:7000")]
    pub listen: SocketAddr,
}

/// What the registration is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Enabled(bool),
    Gone,
}

pub fn run(options: &Options) -> Result<()> {
    let listener = TcpListener::bind(options.listen)?;
    let wish = Arc::new(Mutex::new(Wish::Enabled(true)));
    if !options.address.is_empty() {
        let (options, wish) = (options.clone(), Arc::clone(&wish));
        thread::spawn(move || {
            let mut attach = Attach::new_session(options.session_ms);
            loop {
                if let Err(why) = register(&options, &mut attach, &wish) {
                    eprintln!("not registered: {why:#}");
                }
                thread::sleep(PING);
            }
        });
    }
    let name = options.name.clone();
    told::serve(&listener, move |words| answer(words, &name, &wish));
    Ok(())
}

fn wished(wish: &Mutex<Wish>) -> Wish {
    *wish.lock().unwrap_or_else(PoisonError::into_inner)
}

fn registration(options: &Options, enabled: bool) -> Vec<u8> {
    curators(&options.path, &options.name, &options.address, options.listen.port(), enabled)
}

/// An instance of the service of that path, as Curator writes it.
pub(crate) fn curators(path: &str, id: &str, address: &str, port: u16, enabled: bool) -> Vec<u8> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let value = json!({
        "name": name, "id": id, "address": address, "port": port, "sslPort": null,
        "payload": null, "registrationTimeUTC": 0, "serviceType": "DYNAMIC", "uriSpec": null, "enabled": enabled
    });
    value.to_string().into_bytes()
}

/// One connection, until it is lost or the wish is to be gone.
fn register(options: &Options, attach: &mut Attach, wish: &Mutex<Wish>) -> Result<()> {
    if wished(wish) == Wish::Gone {
        return Ok(());
    }
    let server = resolve(options.servers.first().context("a server")?)?;
    let Some(mut client) = Client::connect(server, *attach)? else {
        *attach = Attach::new_session(options.session_ms);
        bail!("the session is over");
    };
    let fresh = client.attach.session != attach.session;
    *attach = client.attach;
    let mut said = true;
    if fresh {
        parents(&mut client, &options.path)?;
        let made = create(&mut client, &znode(options), &registration(options, true), EPHEMERAL)?;
        ensure!(made == 0 || made == NODE_EXISTS, "create: {made}");
    }
    loop {
        match wished(wish) {
            Wish::Gone => {
                client.call(op::CLOSE_SESSION, |_| {})?;
                *attach = Attach::new_session(options.session_ms);
                return Ok(());
            }
            Wish::Enabled(enabled) if enabled != said => {
                let (path, data) = (znode(options), registration(options, enabled));
                let answer = client.call(op::SET_DATA, |w| {
                    w.string(&path);
                    w.buffer(Some(&data));
                    w.i32(-1);
                })?;
                ensure!(answer.err == 0, "setData: {}", answer.err);
                said = enabled;
            }
            Wish::Enabled(_) => drop(client.call(op::PING, |_| {})?),
        }
        thread::sleep(PING);
    }
}

fn znode(options: &Options) -> String {
    format!("{}/{}", options.path, options.name)
}

/// Makes the znode and those above it.
pub(crate) fn parents(client: &mut Client, path: &str) -> Result<()> {
    for (at, _) in path.match_indices('/').skip(1).chain([(path.len(), "")]) {
        let made = create(client, path.get(..at).unwrap_or(path), &[], 0)?;
        ensure!(made == 0 || made == NODE_EXISTS, "create: {made}");
    }
    Ok(())
}

fn create(client: &mut Client, path: &str, data: &[u8], flags: i32) -> Result<i32> {
    Ok(client.call(op::CREATE, creation(path, data, flags))?.err)
}

/// A znode that anyone may change.
pub(crate) fn creation(path: &str, data: &[u8], flags: i32) -> impl FnOnce(&mut Writer<'_>) {
    move |w| {
        w.string(path);
        w.buffer(Some(data));
        Acl::encode_list(&[Acl::world(Perms::ALL)], w);
        w.i32(flags);
    }
}

fn answer(words: &[&str], name: &str, wish: &Mutex<Wish>) -> Result<String> {
    let set = |new| *wish.lock().unwrap_or_else(PoisonError::into_inner) = new;
    match words {
        [""] => return Ok(name.to_owned()),
        ["enable"] => set(Wish::Enabled(true)),
        ["disable"] => set(Wish::Enabled(false)),
        ["leave"] => set(Wish::Gone),
        ["fetch", target, count] => return fetched(target, count.parse()?),
        ["names", host] => {
            let found: BTreeSet<String> =
                (*host, 0).to_socket_addrs()?.map(|address| address.ip().to_string()).collect();
            return Ok(serde_json::to_string(&found)?);
        }
        _ => bail!("{} is not understood", words.join("/")),
    }
    Ok("done\n".to_owned())
}

/// How often each body came; what fails counts as `failed: …`.
fn fetched(target: &str, count: usize) -> Result<String> {
    let mut bodies: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..count {
        let body = fetch(target).unwrap_or_else(|why| format!("failed: {why:#}"));
        *bodies.entry(body).or_default() += 1;
    }
    Ok(serde_json::to_string(&bodies)?)
}

fn fetch(target: &str) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&resolve(target)?, ANSWER_MAX)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: {target}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (_, body) = text.split_once("\r\n\r\n").context("an answer without a body")?;
    Ok(body.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_learns_the_name_and_can_have_it_ask_others() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            let wish = Mutex::new(Wish::Enabled(true));
            told::serve(&listener, move |words| answer(words, "a", &wish));
        });
        assert_eq!(fetch(&target).unwrap(), "a");
        assert_eq!(fetched(&target, 3).unwrap(), r#"{"a":3}"#);
        let wish = Mutex::new(Wish::Enabled(true));
        answer(&["disable"], "a", &wish).unwrap();
        assert_eq!(wished(&wish), Wish::Enabled(false));
        assert!(answer(&["x"], "a", &wish).is_err());
    }
}
