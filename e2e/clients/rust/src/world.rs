//! What every case stands on: clients, an empty path of its own, a hand on the servers, expectations with words.

use std::error::Error;
use std::fmt::Debug;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zookeeper_client::{Acls, Client, CreateMode, CreateOptions};

pub type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

pub const OPEN: &CreateOptions<'static> = &CreateMode::Persistent.with_acls(Acls::anyone_all());
pub const EPHEMERAL: &CreateOptions<'static> = &CreateMode::Ephemeral.with_acls(Acls::anyone_all());

/// The surroundings of one case.
#[derive(Clone)]
pub struct World {
    pub hosts: String,
    pub root: String,
}

impl World {
    pub fn new(hosts: &str, root: &str) -> Self {
        World { hosts: hosts.to_owned(), root: root.to_owned() }
    }

    pub async fn client(&self) -> Outcome<Client> {
        Ok(Client::connector().with_session_timeout(Duration::from_secs(10)).connect(&self.hosts).await?)
    }

    /// A client, with the root of this case made.
    pub async fn rooted(&self) -> Outcome<Client> {
        let client = self.client().await?;
        client.create(&self.root, b"", OPEN).await?;
        Ok(client)
    }

    pub fn path(&self, name: &str) -> String {
        format!("{}{name}", self.root)
    }

    /// The client port of the member that serves this session, as the members' `cons` tell it.
    pub async fn server_port(&self, client: &Client) -> Outcome<u16> {
        let session = format!("sid=0x{:x},", client.session_id().0);
        for host in self.hosts.split(',') {
            if ask(host, "cons").await.is_ok_and(|text| text.contains(&session)) {
                return Ok(host.rsplit(':').next().unwrap_or("").parse()?);
            }
        }
        Err(format!("no member knows a connection of {session}").into())
    }

    /// Kills the member that this client is connected to; a lone one is started again at once.
    pub async fn kill_server_of(&self, client: &Client) -> Outcome<u16> {
        let port = self.server_port(client).await?;
        control(&format!("kill {port}")).await?;
        if !self.hosts.contains(',') {
            control(&format!("start {port}")).await?;
        }
        Ok(port)
    }
}

/// The members, reached through doors of the runner: while they are shut, what is said is lost and nobody is told.
pub struct Doors {
    /// What to connect to.
    pub hosts: String,
}

impl Doors {
    pub async fn new(world: &World) -> Outcome<Self> {
        let mut doors = Vec::new();
        for host in world.hosts.split(',') {
            let member = host.rsplit(':').next().unwrap_or("");
            doors.push(format!("127.0.0.1:{}", control(&format!("door {member}")).await?));
        }
        Ok(Doors { hosts: doors.join(",") })
    }

    pub async fn set(&self, verb: &str) -> Outcome {
        for door in self.hosts.split(',') {
            control(&format!("{verb} {}", door.rsplit(':').next().unwrap_or(""))).await?;
        }
        Ok(())
    }
}

async fn ask(host: &str, words: &str) -> Outcome<String> {
    let mut link = TcpStream::connect(host).await?;
    link.write_all(words.as_bytes()).await?;
    let mut answer = Vec::new();
    link.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Asks the runner to kill or start a member, named by its client port; gives what it answered beside `ok`.
pub async fn control(line: &str) -> Outcome<String> {
    let answer = ask(&std::env::var("E2E_CONTROL")?, &format!("{line}\n")).await?;
    let rest = answer.strip_prefix("ok").ok_or_else(|| format!("{line}: {answer}"))?;
    Ok(rest.trim().to_owned())
}

pub fn expect(condition: bool, what: impl FnOnce() -> String) -> Outcome {
    if condition { Ok(()) } else { Err(what().into()) }
}

pub fn equal<T: PartialEq + Debug>(got: T, wanted: T) -> Outcome {
    expect(got == wanted, || format!("got {got:?}, wanted {wanted:?}"))
}

pub fn fails<T: Debug>(got: Result<T, zookeeper_client::Error>, wanted: zookeeper_client::Error) -> Outcome {
    match got {
        Err(error) if error == wanted => Ok(()),
        other => Err(format!("got {other:?}, wanted {wanted:?}").into()),
    }
}

/// What comes in time, or a word on what did not.
pub async fn soon<T>(what: &str, coming: impl Future<Output = T>) -> Outcome<T> {
    let within = tokio::time::timeout(Duration::from_secs(20), coming).await;
    Ok(within.map_err(|_| format!("not within 20 s: {what}"))?)
}

/// Repeats until the condition holds; a lost connection is asked again.
pub async fn until<F: Future<Output = Result<bool, zookeeper_client::Error>>>(
    what: &str,
    mut holds: impl FnMut() -> F,
) -> Outcome {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        match holds().await {
            Ok(true) => return Ok(()),
            Ok(false) | Err(zookeeper_client::Error::ConnectionLoss) => {}
            Err(error) => return Err(error.into()),
        }
        expect(Instant::now() < end, || format!("not within 20 s: {what}"))?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
