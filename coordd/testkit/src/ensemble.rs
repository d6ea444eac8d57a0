//! Members as processes of the real binary, on ports and in directories of their own.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long any wait may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `check` gives a value.
///
/// # Panics
/// When it does not in time; `what` says what was waited for.
pub fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = check() {
            return value;
        }
        assert!(Instant::now() < until, "waited {PATIENCE:?} in vain for: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// One member: its process, if it runs, and where everything is.
pub struct Member {
    pub name: String,
    pub client: String,
    pub peer: String,
    pub http: String,
    pub admin: String,
    pub data_dir: PathBuf,
    binary: PathBuf,
    args: Vec<String>,
    process: Option<Child>,
}

/// Some members that were started with one static list.
pub struct Ensemble {
    pub members: Vec<Member>,
    binary: PathBuf,
    dir: TempDir,
}

/// Ports that are free now and that no connection is given by chance while a member is down or not yet up: those come
/// from above 32768. Each process has a beginning of its own.
fn free_ports(count: usize) -> io::Result<Vec<u16>> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = || {
        let number = std::process::id().wrapping_mul(101).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        u16::try_from(20_000 + number % 12_000).ok()
    };
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    // Each is looked at once: where none are free this ends all the same.
    let ports: Vec<u16> = (0..12_000).filter_map(|_| next()).filter(free).take(count).collect();
    if ports.len() == count { Ok(ports) } else { Err(io::Error::other("no ports are free")) }
}

impl Ensemble {
    /// Starts `count` members of `binary` with `extra` arguments each, and waits until all serve.
    ///
    /// # Errors
    /// When a process or a directory cannot be made.
    pub fn start(binary: impl AsRef<Path>, count: usize, extra: &[&str]) -> io::Result<Ensemble> {
        let mut ensemble = Ensemble::prepare(binary.as_ref(), count, extra)?;
        ensemble.members.iter_mut().try_for_each(Member::start)?;
        ensemble.wait_until_all_serve();
        Ok(ensemble)
    }

    /// Lays the members out without starting them.
    ///
    /// # Errors
    /// When a directory cannot be made or no port is free.
    pub fn prepare(binary: &Path, count: usize, extra: &[&str]) -> io::Result<Ensemble> {
        Ensemble::prepare_with_ways(binary, count, extra, |peer| Ok(peer.to_owned()))
    }

    /// The same, where a member reaches another at the address that `way` gives for the other's own.
    ///
    /// # Errors
    /// As above, or what `way` says.
    pub fn prepare_with_ways(
        binary: &Path,
        count: usize,
        extra: &[&str],
        way: impl FnMut(&String) -> io::Result<String>,
    ) -> io::Result<Ensemble> {
        let dir = tempfile::tempdir()?;
        let ports = free_ports(count * 4)?;
        let at = |port: u16| format!("127.0.0.1:{port}");
        let peers: Vec<String> = (0..count).map(|i| at(ports[4 * i])).collect();
        let ways = peers.iter().map(way).collect::<io::Result<Vec<_>>>()?;
        let list: Vec<String> = (1..).zip(&ways).map(|(number, way)| format!("m{number}={way}")).collect();
        let member = |i: usize| {
            let (client, http, admin) = (at(ports[4 * i + 1]), at(ports[4 * i + 2]), at(ports[4 * i + 3]));
            let mut member = Member {
                name: format!("m{}", i + 1),
                peer: peers[i].clone(),
                data_dir: dir.path().join(format!("m{}", i + 1)),
                binary: binary.to_owned(),
                args: Vec::new(),
                process: None,
                client,
                http,
                admin,
            };
            member.args = member.arguments(Some(&list.join(",")), extra);
            member
        };
        Ok(Ensemble { members: (0..count).map(member).collect(), binary: binary.to_owned(), dir })
    }

    /// Lays out one more member, which is given no list and so waits to be added. Its index.
    ///
    /// # Errors
    /// When no port is free.
    pub fn add_unformed(&mut self, extra: &[&str]) -> io::Result<usize> {
        let index = self.members.len();
        let addresses: Vec<String> = free_ports(4)?.into_iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let mut member = Member {
            name: format!("m{}", index + 1),
            peer: addresses[0].clone(),
            client: addresses[1].clone(),
            http: addresses[2].clone(),
            admin: addresses[3].clone(),
            data_dir: self.dir.path().join(format!("m{}", index + 1)),
            binary: self.binary.clone(),
            args: Vec::new(),
            process: None,
        };
        member.args = member.arguments(None, extra);
        self.members.push(member);
        Ok(index)
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// All client addresses, as a connection string.
    pub fn connect_string(&self) -> String {
        self.members.iter().map(|member| member.client.as_str()).collect::<Vec<_>>().join(",")
    }

    pub fn wait_until_all_serve(&self) {
        for member in self.members.iter().filter(|member| member.process.is_some()) {
            eventually(&format!("{} to serve", member.name), || member.mode());
        }
    }

    /// The index of the member that leads, once one does.
    pub fn leader(&self) -> usize {
        let leads = |member: &Member| matches!(member.mode().as_deref(), Some("leader" | "standalone"));
        eventually("a leader", || self.members.iter().position(leads))
    }

    pub fn followers(&self) -> Vec<usize> {
        let leader = self.leader();
        (0..self.members.len()).filter(|i| *i != leader).collect()
    }
}

impl Member {
    fn arguments(&self, list: Option<&str>, extra: &[&str]) -> Vec<String> {
        let data_dir = self.data_dir.display().to_string();
        let pairs = [
            ("--name", self.name.as_str()),
            ("--data-dir", &data_dir),
            ("--client-addr", &self.client),
            ("--peer-addr", &self.peer),
            ("--http-addr", &self.http),
            ("--admin-addr", &self.admin),
            ("--four-letter-words", "*"),
            ("--min-session-timeout-ms", "1000"),
        ];
        let own = pairs.iter().copied().chain(list.map(|list| ("--ensemble", list)));
        let own = own.flat_map(|(flag, value)| [flag.to_owned(), value.to_owned()]);
        std::iter::once("serve".to_owned()).chain(own).chain(extra.iter().map(|arg| (*arg).to_owned())).collect()
    }

    /// Has it listen for clients at `address`, which `client` is one way to reach.
    pub fn listen_for_clients_at(&mut self, address: &str) {
        let given = self.args.iter().zip(1..).find(|(arg, _)| *arg == "--client-addr").map(|(_, value)| value);
        if let Some(value) = given {
            address.clone_into(&mut self.args[value]);
        }
    }

    /// # Errors
    /// When the process cannot be started or its log file not made.
    pub fn start(&mut self) -> io::Result<()> {
        std::fs::create_dir_all(&self.data_dir)?;
        let log = std::fs::File::options().create(true).append(true).open(self.log_path())?;
        let mut command = Command::new(&self.binary);
        command.args(&self.args).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.process = Some(command.spawn()?);
        Ok(())
    }

    pub fn log_path(&self) -> PathBuf {
        self.data_dir.with_extension("log")
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// The id of its process, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    fn signal(&self, signal: &str) {
        if let Some(process) = &self.process {
            let _ = Command::new("kill").args([signal, &process.id().to_string()]).status();
        }
    }

    /// kill −9: nothing is said to anyone.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// SIGTERM, and the exit code that it comes to.
    pub fn terminate(&mut self) -> Option<i32> {
        self.signal("-TERM");
        let mut process = self.process.take()?;
        let mut ended = || process.try_wait().ok().flatten();
        eventually("an end after SIGTERM", &mut ended).code()
    }

    pub fn pause(&self) {
        self.signal("-STOP");
    }

    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// The answer to a four-letter word; empty when there is none.
    pub fn four_letter(&self, word: &str) -> String {
        self.ask(&self.client, word.as_bytes()).unwrap_or_default()
    }

    /// The body of an HTTP GET on the public port, with its status code.
    pub fn http_get(&self, path: &str) -> Option<(u16, String)> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        let answer = self.ask(&self.http, request.as_bytes()).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    }

    fn ask(&self, address: &str, question: &[u8]) -> io::Result<String> {
        let address = address.parse().map_err(io::Error::other)?;
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(question)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// What `srvr` says this member is; `None` while it does not serve.
    pub fn mode(&self) -> Option<String> {
        let text = self.four_letter("srvr");
        text.lines().find_map(|line| line.strip_prefix("Mode: ")).map(str::to_owned)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.resume();
        self.kill();
    }
}
